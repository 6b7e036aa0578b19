"""Tags of other people's files, read as those of BLURB: one class of entities in each data set, tagged B, I and O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.tasks.data_set import plain_name
from blurb_tune.tasks.examples import Row, is_list, join_limited
from blurb_tune.tasks.task import OUTSIDE, Task

_PLAIN_TAGS = ("B", "I", OUTSIDE)
# Prefixes of IOB, IOBES, BILOU and BMEWO by what they say in IOB.
_IN_IOB = {"B": "B", "S": "B", "U": "B", "W": "B", "I": "I", "E": "I", "L": "I", "M": "I"}
_SCHEMES = {"IOBES": frozenset("ES"), "BILOU": frozenset("LU"), "BMEWO": frozenset("MW")}


def with_tags(task: Task, rows: Sequence[Row], file: str) -> tuple[Task, list[str]]:
    """The task with the tags of these rows among its aliases, and what is to be said of it.

    Of entities of several types those of the task's are kept. Raises InputError where none of them is.
    """
    values = [found for row in rows if is_list(found := row.values.get(task.label_field))]
    counts = Counter(tag for tags in values for tag in tags if isinstance(tag, str) and tag and tag not in task.labels)
    parts = {tag: (tag[0], tag[2:]) for tag in counts if tag[0] in _IN_IOB and tag[1:2] in ("", "-")}
    if task.labels != _PLAIN_TAGS or not parts:
        return task, []
    types = sorted({name for _, name in parts.values() if name})
    wanted = [plain_name(name) for name in task.data_set.entity_types]
    kept = [name for name in types if plain_name(name) in wanted] if len(types) > 1 else types
    if types and not kept:
        what = f"there are entities of several types ({join_limited(types)}), of which none is called like {task.name}'s"
        expected = f"expected {' or '.join(task.data_set.entity_types)}, or plain tags B, I and O"
        raise InputError([Problem(file, f"{what}; {expected}")])
    aliases = {tag: _IN_IOB[prefix] if name in kept or not name else OUTSIDE for tag, (prefix, name) in parts.items()}
    return replace(task, label_aliases={**task.label_aliases, **aliases}), list(_remarks(parts, counts, types, kept))


def _remarks(
    parts: dict[str, tuple[str, str]], counts: Counter[str], types: Sequence[str], kept: Sequence[str]
) -> Sequence[str]:
    prefixes = {prefix for prefix, _ in parts.values()}
    remarks = [f"the tags of {name} are read as B and I" for name, letters in _SCHEMES.items() if prefixes & letters]
    if prefixes == {"I"}:
        remarks.append("there is no B tag (scheme IO): entities that touch are read as one")
    if kept:
        remarks.append(f"{join_limited(tag for tag in sorted(parts) if parts[tag][1] in kept)} read as plain B and I")
    for name in types:
        if name not in kept:
            words = sum(counts[tag] for tag, (_, of) in parts.items() if of == name)
            remarks.append(f"{name} ({words} words) left out, of another type than {', '.join(kept)}")
    return remarks
