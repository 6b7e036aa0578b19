"""Cutting dev from train, once or as the folds of a cross-validation: stratified by label, the same on every machine.

Examples with the same texts stay together, so that nothing is judged on a text it was trained on. Which go where follows
from the texts, not from the order of the rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from blurb_tune.core.seeds import derive
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.task import Task

_SEED = 0

Groups = list[list[int]]


def cut_dev(task: Task, examples: Sequence[Example], share: float) -> tuple[int, ...]:
    """The indices of `share` of the examples, ascending, at least one; of each stratum at least one stays out of them.

    None are left where the examples are too few to be cut.
    """
    strata = _strata(task, examples)
    quotas = [share * len(stratum) for stratum in strata]
    takes = [min(int(quota), len(stratum) - 1) for quota, stratum in zip(quotas, strata, strict=True)]
    wanted = max(1, round(share * sum(map(len, strata))))
    # What rounding down has left goes to the strata that lost most by it.
    order = sorted(range(len(strata)), key=lambda index: (takes[index] - quotas[index], index))
    for index in order:
        if sum(takes) < wanted and takes[index] < len(strata[index]) - 1:
            takes[index] += 1
    return _flat(group for stratum, take in zip(strata, takes, strict=True) for group in stratum[:take])


def cut_folds(task: Task, examples: Sequence[Example], count: int) -> tuple[tuple[int, ...], ...]:
    """For each of `count` folds the indices of its dev examples, ascending; each example is in one fold.

    Of each stratum the folds hold as many, give or take one. Raises ValueError for more folds than different examples.
    """
    groups = [group for stratum in _strata(task, examples) for group in stratum]
    if len(groups) < count:
        raise ValueError(f"{count} folds need at least {count} different examples, but there are {len(groups)}")
    return tuple(_flat(groups[fold::count]) for fold in range(count))


def _flat(groups: Iterable[list[int]]) -> tuple[int, ...]:
    return tuple(sorted(itertools.chain.from_iterable(groups)))


def _strata(task: Task, examples: Sequence[Example]) -> list[Groups]:
    """Groups of examples with the same texts, in a random order, by what is to be found on both sides of a cut."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, example in enumerate(examples):
        groups.setdefault(example.texts, []).append(index)
    keys = task.kind.strata(task, [examples[group[0]] for group in groups.values()])
    strata: dict[int, list[tuple[str, ...]]] = {}
    for texts, key in zip(groups, keys, strict=True):
        strata.setdefault(key, []).append(texts)
    return [
        [groups[texts] for texts in sorted(strata[key], key=lambda texts: derive(_SEED, "split", *texts))]
        for key in sorted(strata)
    ]
