"""What a task is: what a model predicts for an example, from which texts, and how that is scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blurb_tune.tasks.data_set import DataSet, plain_name
from blurb_tune.tasks.kind import Kind

OUTSIDE = "O"


@dataclass(frozen=True)
class ScoreScale:
    """The scores of a regression, which are learned, and whose squared error is measured, as (score - center) / unit.

    limits: the smallest and the largest, None where there are none. center, unit: None where the data will say.
    """

    limits: tuple[float, float] | None = None
    center: float | None = 0.0
    unit: float | None = 1.0


@dataclass(frozen=True, kw_only=True)
class Task:
    """A data set and how runs on it are scored.

    metric: the score that everything is chosen by, on dev. labels: the classes, labels or tags, in the order of their indices;
    empty for regression. scores: of a regression. label_aliases: other spellings of labels in data files. left_out: classes
    that micro_f1 and macro_f1 leave out. fields: the one or two text columns, or the one column of words. label_field: the
    column of labels. id_field: the column of ids, None where rows are counted instead. markers: masked entities in the text,
    each read as one unit and never cut off. max_length: default, in tokens. data_set: what is known of the data without having
    them.
    """

    name: str
    kind: Kind
    metric: str
    description: str
    max_length: int
    labels: tuple[str, ...] = ()
    scores: ScoreScale = field(default_factory=ScoreScale)
    label_aliases: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    fields: tuple[str, ...] = ("sentence1", "sentence2")
    label_field: str = "label"
    id_field: str | None = "id"
    markers: tuple[str, ...] = ()
    data_set: DataSet = field(default_factory=DataSet)

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

    def is_called(self, name: str) -> bool:
        """Whether `name` is the task's name, its folder's, or an alias, in any spelling."""
        names = filter(None, (self.name, self.data_set.folder, *self.data_set.aliases))
        return plain_name(name) in map(plain_name, names)
