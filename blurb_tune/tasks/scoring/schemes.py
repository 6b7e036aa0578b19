"""Tags of schemes that `entities` does not read itself: recognized, and by which tag of IOBES each is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from blurb_tune.tasks.task import OUTSIDE

_PREFIXES = frozenset("BIES")
# Of BILOU (last, unit) and BMEWO (middle, whole), in those of IOBES, which says the same.
_IN_IOBES = {"L": "E", "U": "S", "M": "I", "W": "S"}
_SUFFIXES = frozenset("BIESLUMW")


def in_iobes(labels: Iterable[str]) -> Mapping[str, str]:
    """The tags that would be misread, and what each is read as; none of IOB, IOBES and plain types."""
    labels = tuple(labels)
    lower, zero = OUTSIDE.lower(), "0"
    inside = [label for label in labels if label not in (OUTSIDE, lower, zero)]
    found = dict(_inside(inside))
    if lower in labels:
        found[lower] = OUTSIDE
    if zero in labels and not all(label.isdecimal() for label in labels):
        found[zero] = OUTSIDE
    return found


def _inside(labels: list[str]) -> Iterable[tuple[str, str]]:
    prefixes = {label[0] for label in labels if label[1:2] == "-"}
    bare = {label for label in labels if len(label) == 1}
    if prefixes and not prefixes & _PREFIXES and "b" in prefixes:
        known = prefixes
    elif "B" in prefixes or prefixes & {"L", "U"}:
        # M and W are known for prefixes by the B beside them: a plain type may begin like that.
        known = prefixes & (set(_IN_IOBES) if "B" in prefixes else {"L", "U"})
    elif {"B", "I"} <= bare:
        return [(label, _IN_IOBES[label]) for label in sorted(bare & set(_IN_IOBES))]
    elif labels and all(label[-2:-1] == "-" and label[-1] in _SUFFIXES and len(label) > 2 for label in labels):
        return [(label, f"{_letter(label[-1])}-{label[:-2]}") for label in labels]
    else:
        return []
    return [(label, f"{_letter(label[0])}{label[1:]}") for label in labels if label[1:2] == "-" and label[0] in known]


def _letter(letter: str) -> str:
    return _IN_IOBES.get(letter.upper(), letter.upper())
