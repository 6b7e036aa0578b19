"""The state of a sweep in a storage, by what people, drivers and the log have left there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

HALTS = ("stop", "pause")
OVER = frozenset({"finished", "no result", "failed", "stopped", "paused", "interrupted", "lost"})
_AT_WORK = {"stop": "stopping", "pause": "pausing"}
_ENDED = {"stop": "stopped", "pause": "paused"}
_BY_CODE = {"0": "finished", "3": "no result", "130": "interrupted"}


def sweep_state(logged: str, end: Mapping[str, Any], commands: Iterable[str], *, has_driver: bool, was_submitted: bool) -> str:
    """One word, of `OVER` only where no driver is at work.

    logged: what the log said last, empty before the first driver. end: how the last driver ended, empty where one is at work
    or was killed. commands: what nobody has answered yet. was_submitted: its drivers write down how they end.
    """
    asked = next((command for command in commands if command in HALTS), "")
    if has_driver:  # once the log has ended, it has tables to write, MLflow to wait for, perhaps a change to follow
        return _AT_WORK.get(asked, "ending" if logged in OVER else logged or "starting")
    if end:
        return _ENDED.get(str(end.get("reason")), _BY_CODE.get(str(end.get("code")), "failed"))
    if asked and logged in ("", "starting"):
        return _ENDED[asked]
    if not logged:
        return "pending"
    return "lost" if was_submitted or logged not in OVER else logged
