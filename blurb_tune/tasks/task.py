"""What a task is: what a model predicts for an example, from which texts, and how that is scored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from blurb_tune.tasks.kind import Kind

OUTSIDE = "O"


@dataclass(frozen=True)
class HubCopy:
    """A data set of the hub that has a task's splits.

    name: `owner/name/config`. columns: what it calls those columns that it calls otherwise.
    """

    name: str
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Task:
    """A data set and how runs on it are scored.

    metric: the score that everything is chosen by, on dev. labels: the classes, labels or tags, in the order of their
    indices; empty for regression. label_range: smallest and largest score of a regression task, None for no limits.
    label_center and label_scale: a regression's scores are learned, and their squared error is measured, as (score -
    label_center) / label_scale; None where nobody has said and the data will say.
    label_aliases: other spellings of labels in data files. left_out: classes that micro_f1 and macro_f1 leave out.
    fields: the one or two text columns, or the one column of words. label_field: the column of labels. id_field: the column
    of ids, None where rows are counted instead. markers: masked entities in the text, each read as one unit and never cut
    off. entity_types: how the tagged entities are called in corpora that have several types. max_length: default, in tokens.

    folder and aliases: names that a folder with the data may have, in any spelling. hub_copy: where the hub has the data, None
    where it has no tables of them. blurb_type: the benchmark's task type,
    None outside it. published: how much each split holds by the publications, in units of `counted`. examples: lines per
    split, where that is known and not `published`. is_builtin: code makes the data.
    """

    name: str
    kind: Kind
    metric: str
    description: str
    max_length: int
    labels: tuple[str, ...] = ()
    label_range: tuple[float, float] | None = None
    label_center: float | None = 0.0
    label_scale: float | None = 1.0
    label_aliases: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    fields: tuple[str, ...] = ("sentence1", "sentence2")
    label_field: str = "label"
    id_field: str | None = "id"
    markers: tuple[str, ...] = ()
    entity_types: tuple[str, ...] = ()
    folder: str = ""
    aliases: tuple[str, ...] = ()
    hub_copy: HubCopy | None = None
    blurb_type: str | None = None
    published: Mapping[str, int] = field(default_factory=dict)
    counted: str = "examples"
    examples: Mapping[str, int] = field(default_factory=dict)
    is_builtin: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """All metrics the task reports, the score first."""
        names = self.kind.metric_names(self)
        return (self.metric, *(name for name in names if name != self.metric))

    @property
    def outputs(self) -> int:
        """Width of the model's output: one value, or one logit per class, label or tag."""
        return self.kind.outputs(self)

    @property
    def per_token(self) -> bool:
        """The model predicts for tokens, not for whole texts."""
        return self.kind.word_field is not None

    @property
    def knows_labels(self) -> bool:
        """Whether all labels are known that the task's kind needs."""
        return bool(self.labels) or not self.kind.has_labels

    @property
    def sizes(self) -> Mapping[str, int]:
        """Examples per split as far as they are known without the data."""
        return self.examples or (self.published if self.counted == "examples" else {})


def plain_name(name: str) -> str:
    """A name without what people spell differently: case, blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "", name.casefold())


def is_called(task: Task, name: str) -> bool:
    """Whether `name` is the task's name, its folder's, or an alias, in any spelling."""
    return plain_name(name) in {plain_name(known) for known in _names(task)}


def _names(task: Task) -> Iterable[str]:
    return filter(None, (task.name, task.folder, *task.aliases))
