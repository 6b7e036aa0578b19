"""Counts what has come of cases: answers, faults, seconds."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import typer

from blurb_tune.cli.exit_codes import exit_codes

LIMIT, HANG = 1.0, 20.0
_CONTROL = {chr(code) for code in (*range(32), *range(127, 160))} - {"\n"}


@dataclass
class Tally:
    """What has come of the cases of one kind."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)
    slowest: list[tuple[float, str]] = field(default_factory=list)

    def run(self, label: str, case: Callable[[], object]) -> None:
        """Count a case; seconds are those of this process's CPU, for others may have the machine."""
        verdict, took = self._tried(label, case)
        if took > LIMIT:
            self._fault(f"took {took:.1f} s", label)
        self.counts[verdict] += 1
        self.slowest = sorted([*self.slowest, (took, label)], reverse=True)[:3]

    def _tried(self, label: str, case: Callable[[], object]) -> tuple[str, float]:
        faulthandler.dump_traceback_later(HANG, exit=True)
        started = time.process_time()
        output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), exit_codes():
                case()
            verdict = "valid"
        except typer.Exit as end:
            verdict = f"exit {end.exit_code}"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            verdict = "FAULT"
            last = traceback.extract_tb(error.__traceback__)[-1]
            ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "blurb_tune" in frame.filename]
            near = ours[-1] if ours else last
            self._fault(f"{type(error).__name__}: {str(error)[:150]!r} at {Path(near.filename).name}:{near.lineno}", label)
        took = time.process_time() - started
        faulthandler.cancel_dump_traceback_later()
        output.flush()
        said = output.buffer.getvalue().decode("utf-8", "replace")  # type: ignore[attr-defined]
        if _CONTROL & set(said):
            self._fault(f"control characters are printed: {sorted(_CONTROL & set(said))[:5]}", label)
        if verdict != "valid" and len(said) > 200_000:
            self._fault("a message of more than 200,000 characters", label)
        return verdict, took

    def _fault(self, what: str, label: str) -> None:
        key = what if "took" not in what else "took more than a second"
        count, first = self.faults.get(key, (0, f"{label} ({what})"))
        self.faults[key] = (count + 1, first)

    def show(self) -> bool:
        total = sum(self.counts.values())
        slow = ", ".join(f"{took * 1000:.0f} ms ({label})" for took, label in self.slowest)
        print(f"{self.name:10} {total:6,} cases: {dict(sorted(self.counts.items()))}; slowest {slow}")
        for what, (count, first) in sorted(self.faults.items(), key=lambda item: -item[1][0]):
            print(f"  {count:5} x {what}; first {first}")
        return bool(self.faults)
