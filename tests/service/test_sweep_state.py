from __future__ import annotations

from typing import Any

import pytest

from blurb_tune.service.kept_sweeps import COMMANDS
from blurb_tune.service.sweep_state import OVER, sweep_state


@pytest.mark.parametrize("logged", ["", "starting", "running", *sorted(OVER)])
@pytest.mark.parametrize("end", [{}, {"code": 0}, {"code": 130, "reason": "stop"}])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_nothing_is_over_that_has_a_driver(logged: str, end: dict[str, Any], command: str) -> None:
    assert sweep_state(logged, end, [command], has_driver=True, was_submitted=True) not in OVER


@pytest.mark.parametrize(
    ("logged", "end", "commands", "state"),
    [
        ("", {}, [], "pending"),
        ("", {}, ["change", "retry"], "pending"),
        ("", {}, ["change", "stop", "pause"], "stopped"),
        ("", {}, ["retry", "pause"], "paused"),
        ("starting", {}, ["change", "pause"], "paused"),
        ("starting", {}, ["change"], "lost"),
        ("running", {}, ["stop"], "lost"),
        ("finished", {}, [], "lost"),
        ("interrupted", {"code": 130, "reason": "pause"}, ["stop"], "paused"),
        ("interrupted", {"code": 130, "reason": ""}, ["stop"], "interrupted"),
        ("finished", {"code": 1, "reason": ""}, [], "failed"),
    ],
)
def test_what_has_no_driver_is_what_its_last_one_or_people_have_said(
    logged: str, end: dict[str, Any], commands: list[str], state: str
) -> None:
    assert sweep_state(logged, end, commands, has_driver=False, was_submitted=True) == state


def test_of_a_sweep_that_was_not_submitted_the_log_alone_tells() -> None:
    for logged in OVER:
        assert sweep_state(logged, {}, [], has_driver=False, was_submitted=False) == logged
    assert sweep_state("running", {}, [], has_driver=False, was_submitted=False) == "lost"
