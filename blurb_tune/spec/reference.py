"""The page on all settings, written from the schema: `python -m blurb_tune.spec.reference > docs/spec.md`."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from blurb_tune.spec.budget import BudgetSpec
from blurb_tune.spec.pruning import PRUNERS, InstabilitySpec, PruningSpec, RaceSpec
from blurb_tune.spec.recovery import RecoverySpec
from blurb_tune.spec.resources import ResourcesSpec
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.spec.search import SearchSpec
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.spec.task import TaskSpec
from blurb_tune.spec.tracking import TrackingSpec
from blurb_tune.spec.training import TrainingSpec
from blurb_tune.techniques.protocol import Axis
from blurb_tune.techniques.registry import TECHNIQUES

_INTRODUCTION = """\
# All settings of a spec

Written from the schema in `blurb_tune/spec/`. `task` and `model` must be given, and of a custom task `text`, `label`,
`kind`, and `train` or `hub`; all else has a default. `--set path.to.key=value` overrides any setting,
`--set space.strategy.1.freeze_depth=3` an item of a list. Specs are YAML 1.2: `1e-5` is a number, and `yes`, `no`, `on`
and `off` are texts. Keys at the top that begin with `x-` are yours, to hold what anchors repeat.

Ways to write a dimension of the space:

```yaml
epochs: 20                                            # fixed
batch_size: [16, 32]                                  # a choice; the long form is {choice: [16, 32]}
freeze_depth: {low: 0, high: 6, step: 2}              # a range of whole numbers
learning_rate: {low: 1.0e-5, high: 1.0e-4, log: true} # a range, uniform in the logarithm
strategy: [vanilla, {freeze_depth: 4}, {decay_rate: 0.9, reinit_count: 2}]   # a list, instead of dimensions
```

`model: [bert-base, pubmedelectra-large]` makes the model one more axis. No sample ever breaks a rule of "techniques" below; a
depth must fit at least one of the models. `sampler: grid` runs every combination.
"""

_SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("task", TaskSpec),
    ("search", SearchSpec),
    ("space", SpaceSpec),
    ("pruning", PruningSpec),
    ("pruning.instability", InstabilitySpec),
    ("pruning.race", RaceSpec),
    ("budget", BudgetSpec),
    ("training", TrainingSpec),
    ("resources", ResourcesSpec),
    ("recovery", RecoverySpec),
    ("tracking", TrackingSpec),
)


def reference() -> str:
    """The page, in Markdown."""
    parts = [_INTRODUCTION, "## The sweep\n", _table(SweepSpec)]
    for name, model in _SECTIONS:
        parts += [f"## {name}\n", f"{cleandoc(model.__doc__ or '')}\n", _table(model)]
    parts.append("## pruning.pruner\n\nA name, or a mapping with `kind` and the settings of that pruner.\n")
    for name, model in PRUNERS.items():
        parts += [f"### {name}\n", f"{cleandoc(model.__doc__ or '')}\n", _table(model)]
    parts += ["## techniques\n", *_techniques()]
    return "\n".join(part for part in parts if part) + "\n"


def _techniques() -> Iterator[str]:
    """Which technique brings which axes, and what cannot be combined."""
    yield "What stabilizes, in the order in which it is applied. Axes behind the first one have no effect without that one."
    yield "No block is frozen that is re-initialized: `freeze_depth + reinit_count` is at most the model's number of blocks.\n"
    yield "| technique | axes | neutral | values | not with | source |\n|---|---|---|---|---|---|"
    names = {technique.name: technique.axes[0].name for technique in TECHNIQUES}
    for of in TECHNIQUES:
        axes, paper = ", ".join(f"`{axis.name}`" for axis in of.axes), of.citation
        neutral = ", ".join(f"`{_plain(axis.neutral)}`" for axis in of.axes)
        rules = ", ".join(f"`{_rule(axis)}`" for axis in of.axes)
        excludes = ", ".join(f"`{names[name]}`" for name in of.excludes)
        author = paper.author.replace(" and others", " et al.")
        yield f"| {of.doing} | {axes} | {neutral} | {rules} | {excludes} | {author} {paper.year}, arXiv {paper.eprint} |"


def _rule(axis: Axis) -> str:
    if axis.up_to_blocks:
        return f"{axis.rule} <= L"
    return {bool: "true, false", str: ", ".join(axis.choices)}.get(axis.type, axis.rule)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(model: type[BaseModel]) -> str:
    rows = list(_rows(model))
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows, ""]) if rows else ""


def _rows(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        # A pruner's kind is the name above its table.
        is_title = name == "kind" and not field.is_required()
        if not is_title and not _is_section(field):
            meaning = field.description or ""
            options = _options(field.annotation)
            yield f"| `{name}` | {_default(field)} | {meaning}{f' ({options})' if options else ''} |"


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        made = field.get_default(call_default_factory=True)
        return f"`{len(made)}`" if made else f"`{made}`"  # a list of seeds can be written as their number
    match field.default:
        case value if value is PydanticUndefined:
            return ""
        case None:
            return "`null`"
        case bool(value):
            return f"`{str(value).lower()}`"
        case BaseModel() as model:
            return f"`{getattr(model, 'kind', '')}`"
        case value:
            return f"`{value}`"


def _options(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{option}`" for option in get_args(annotation))
    return ""


if __name__ == "__main__":
    print(reference(), end="")
