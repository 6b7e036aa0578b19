"""The built-in `demo` task: pairs of short biomedical sentences, scored 0 (unrelated) to 4 (the same said twice), by code.

It stands in for BIOSSES where no data is at hand. Paraphrases may share few words and contradictions share nearly all of
them, so that counting common words does not solve it. Its text is the same on every machine and Python version.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

from blurb_tune.core.seeds import derive
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.blurb.demo_text import FAMILIES, HEDGES, Entity, Family

T = TypeVar("T")
_Meaning = tuple[str, Entity, Entity, Entity, bool]

_SEED = 0


class _Draw:
    """Choices by `random.random()` alone: the one method whose sequence Python promises to keep."""

    def __init__(self, seed: int):
        self._random = random.Random(seed).random

    def one(self, options: Sequence[T]) -> T:
        return options[int(self._random() * len(options))]

    def other(self, options: Sequence[T], than: T) -> T:
        return self.one([option for option in options if option != than])


@dataclass(frozen=True)
class _Statement:
    """What a sentence says and how: `names` are the indices of the names that agent, target and setting go by."""

    family: Family
    agent: Entity
    target: Entity
    setting: Entity
    raises: bool
    form: int
    names: tuple[int, int, int] = (0, 0, 0)
    hedge: str = ""

    @property
    def meaning(self) -> _Meaning:
        return self.family.name, self.agent, self.target, self.setting, self.raises

    def sentence(self) -> str:
        pattern = self.family.forms[self.form][0 if self.raises else 1]
        entities = (self.agent, self.target, self.setting)
        agent, target, setting = (entity[name] for entity, name in zip(entities, self.names, strict=True))
        text = self.hedge + pattern.format(agent=agent, target=target, setting=setting)
        return f"{text[0].upper()}{text[1:]}."


def _statement(draw: _Draw, family: Family) -> _Statement:
    return _Statement(
        family,
        draw.one(family.agents),
        draw.one(family.targets),
        draw.one(family.settings),
        draw.one((True, False)),
        draw.one(range(len(family.forms))),
    )


def _reworded(draw: _Draw, said: _Statement) -> _Statement:
    """The same in another form, where each entity may go by its synonym."""
    form = draw.other(range(len(said.family.forms)), said.form)
    agent, target, setting = (draw.one(range(len(entity))) for entity in (said.agent, said.target, said.setting))
    return replace(said, form=form, names=(agent, target, setting))


def _hedged(draw: _Draw, said: _Statement) -> _Statement:
    return replace(said, hedge=draw.one(HEDGES))


def _elsewhere(draw: _Draw, said: _Statement) -> _Statement:
    return replace(said, setting=draw.other(said.family.settings, said.setting), names=(*said.names[:2], 0))


def _reversed(draw: _Draw, said: _Statement) -> _Statement:
    """The contrary in nearly the same words."""
    return replace(said, raises=not said.raises)


def _other_agent(draw: _Draw, said: _Statement) -> _Statement:
    return replace(said, agent=draw.other(said.family.agents, said.agent), names=(0, *said.names[1:]))


def _same_agent(draw: _Draw, said: _Statement) -> _Statement:
    """A statement of another family about the same agent."""
    families = [family for family in FAMILIES if family.agents is said.family.agents]
    return replace(_statement(draw, draw.other(families, said.family)), agent=said.agent)


def _alike(draw: _Draw, said: _Statement) -> _Statement:
    """The same form about other entities."""
    family = said.family
    return replace(
        said,
        agent=draw.other(family.agents, said.agent),
        target=draw.other(family.targets, said.target),
        setting=draw.other(family.settings, said.setting),
        raises=draw.one((True, False)),
    )


def _unrelated(draw: _Draw, said: _Statement) -> _Statement:
    """A statement of another family about other entities."""
    while True:
        other = _statement(draw, draw.other(FAMILIES, said.family))
        if not {said.agent, said.target, said.setting} & {other.agent, other.target, other.setting}:
            return other


_Edit = Callable[[_Draw, _Statement], _Statement]

# What is done to the first statement to make the second, and how alike the two then are.
_GRADES: tuple[tuple[float, tuple[_Edit, ...]], ...] = (
    (4.0, (_reworded,)),
    (4.0, (_reworded,)),
    (3.6, (_hedged,)),
    (3.4, (_reworded, _hedged)),
    (3.2, (_elsewhere,)),
    (3.0, (_reworded, _elsewhere)),
    (2.0, (_reversed,)),
    (1.6, (_other_agent,)),
    (1.0, (_same_agent,)),
    (0.4, (_alike,)),
    (0.0, (_unrelated,)),
    (0.0, (_unrelated,)),
)


@dataclass(frozen=True)
class _Pair:
    first: str
    second: str
    score: float


def _pairs(draw: _Draw) -> Iterator[_Pair]:
    """Pairs without end, the grades in turn. What one pair states, in whatever words, no other states again."""
    stated: set[_Meaning] = set()
    while True:
        for score, edits in _GRADES:
            first, second = _new_statements(draw, edits, stated)
            stated |= {first.meaning, second.meaning}
            first, second = draw.one(((first, second), (second, first)))
            yield _Pair(first.sentence(), second.sentence(), score)


def _new_statements(draw: _Draw, edits: tuple[_Edit, ...], stated: set[_Meaning]) -> tuple[_Statement, _Statement]:
    while True:
        first = second = _statement(draw, draw.one(FAMILIES))
        for edit in edits:
            second = edit(draw, second)
        if not {first.meaning, second.meaning} & stated:
            return first, second


@cache
def _splits() -> dict[str, list[_Pair]]:
    pairs = _pairs(_Draw(derive(_SEED, "demo")))
    return {split: [next(pairs) for _ in range(size)] for split, size in TASKS["demo"].data_set.published.items()}


def jsonl(split: str) -> str:
    """The split as the text of a data file: one JSON object a line."""
    return "".join(
        json.dumps({"id": f"{split}-{i:03d}", "sentence1": pair.first, "sentence2": pair.second, "label": pair.score}) + "\n"
        for i, pair in enumerate(_splits()[split])
    )
