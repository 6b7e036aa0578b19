"""Errors that a user can act on, and the exit codes of the command line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class ExitCode(IntEnum):
    """What the process tells its caller."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    NO_RESULT = 3
    CLUSTER_LOST = 4
    INTERRUPTED = 130


class BlurbTuneError(Exception):
    """Something went wrong that the user should hear of without a traceback."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with what the user gave.

    `where` names the place (`sweep.yaml:12`, `train.jsonl:3`, `--set seeds=x`), `what` the fault and the remedy.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class UnwrittenError(BlurbTuneError):
    """Files that cannot be written, each with the reason; all others of the same call are written."""

    def __init__(self, faults: Sequence[str]):
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class InputError(BlurbTuneError):
    """Everything that is wrong with the user's input, collected, never only the first problem."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        super().__init__(self.problems)  # what it is made of again where it crosses to another process

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def visible(text: str) -> str:
    """`text` with what would steer a terminal, or cannot be encoded, written out (`\\x1b`); tabs and line ends stay."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """A hint at the nearest valid name, with a leading blank, or the list of valid names when none is near."""
    names = sorted(valid)
    near = difflib.get_close_matches(name.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if near:
        match = next(n for n in names if n.lower() == near[0])
        return f"; did you mean {match!r}?"
    return f"; expected one of: {', '.join(names)}" if names else ""
