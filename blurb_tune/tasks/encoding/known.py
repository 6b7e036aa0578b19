"""Examples that are known by their digest, and read only when somebody asks for one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

from blurb_tune.tasks.examples import Example

_ROWS_AT_A_TIME = 1000


@dataclass(frozen=True, eq=False)
class KnownExamples(Sequence[Example]):
    """Examples of which number and digest are known.

    length: how many there are. digest: as `digest_of` has it. read: gives the examples, when one of them is first asked for.
    """

    length: int
    digest: str
    read: Callable[[], Sequence[Example]]

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | Sequence[Example]:
        return self._examples[index]

    def __iter__(self) -> Iterator[Example]:
        return iter(self._examples)

    @cached_property
    def _examples(self) -> Sequence[Example]:
        return self.read()


def digest_of(examples: Sequence[Example]) -> str:
    """SHA-256 of texts and labels, in hex. Ids are no part of it: a model never sees them."""
    if isinstance(examples, KnownExamples):
        return examples.digest
    digest = hashlib.sha256()
    for start in range(0, len(examples), _ROWS_AT_A_TIME):
        part = examples[start : start + _ROWS_AT_A_TIME]
        digest.update(json.dumps([[example.texts, example.label] for example in part]).encode())
    return digest.hexdigest()
