"""Tags of schemes that `entities` does not read: recognised, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blurb_tune.tasks.task import OUTSIDE

_PREFIXES = frozenset("BIES")
# Of BILOU (last, unit) and BMEWO (middle, whole), in those of IOBES, which says the same.
_INSTEAD = {"L": "E", "U": "S", "M": "I", "W": "S"}
_SUFFIXES = frozenset("BIESLUMW")


def other_scheme(labels: Sequence[str]) -> str | None:
    """What is wrong with tags that would be misread, and what to write instead; None of IOB, IOBES and plain types."""
    faults = list(dict.fromkeys(_faults(labels)))
    return f"tags of another scheme: write {', '.join(faults)}" if faults else None


def _faults(labels: Sequence[str]) -> Iterator[str]:
    inside = [label for label in labels if label not in (OUTSIDE, OUTSIDE.lower(), "0")]
    typed = {label[0] for label in inside if label[1:2] == "-"}
    bare = {label for label in inside if len(label) == 1}
    if typed and not typed & _PREFIXES and "b" in typed:
        for letter in sorted(typed):
            upper = letter.upper()
            yield f"`{_INSTEAD.get(upper, upper)}-` for `{letter}-`"
    elif "B" in typed or typed & {"L", "U"}:
        # M and W are known for prefixes by the B beside them: a plain type may begin like that.
        known = set(_INSTEAD) if "B" in typed else {"L", "U"}
        yield from (f"`{_INSTEAD[letter]}-` for `{letter}-`" for letter in sorted(typed & known))
    elif {"B", "I"} <= bare:
        yield from (f"`{_INSTEAD[letter]}` for `{letter}`" for letter in sorted(bare & set(_INSTEAD)))
    elif inside and all(label[-2:-1] == "-" and label[-1] in _SUFFIXES and len(label) > 2 for label in inside):
        for label in inside[:1]:
            letter = _INSTEAD.get(label[-1], label[-1])
            yield f"the prefix before the type, such as `{letter}-{label[:-2]}` for `{label}`"
    if OUTSIDE.lower() in labels:
        yield f"`{OUTSIDE}` for `{OUTSIDE.lower()}`"
    if "0" in labels and not all(label.isdecimal() for label in labels):
        yield f"`{OUTSIDE}` for `0`"
