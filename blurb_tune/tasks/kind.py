"""What a kind of task declares, from which everything else about it follows. `kinds/` has one module for each."""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from blurb_tune.tasks.examples import Example, Label
from blurb_tune.tasks.ragged import Words

if TYPE_CHECKING:  # a task has a kind
    import torch

    from blurb_tune.tasks.task import Task

Array = NDArray[Any]
Floats = NDArray[np.float64]
Formulas = Mapping[str, Callable[[], float]]


@dataclass(frozen=True)
class Metric:
    """A metric of a kind of task.

    interval: the 95 % interval of a score over so many examples; None: percentiles of a bootstrap over the examples. chance:
    from the labels, (n,), and a generator to the score that predictions without skill stay at or below in 95 % of cases;
    None: as `scoring.noise` has it for whatever counts. lower_is_better: such a one is reported, but chooses nothing.
    of_two_classes: it is defined for two classes alone. ranks: it is of the order of the outputs, not of their sign.
    """

    name: str
    interval: Callable[[float, int], tuple[float, float]] | None = None
    chance: Callable[[Array, np.random.Generator], float] | None = None
    lower_is_better: bool = False
    of_two_classes: bool = False
    ranks: bool = False


class Kind(ABC):
    """What a model predicts, how it is written in data, and how it is learned and scored.

    name: in specs and messages. words: by what else people call it. label: what stands in the column of labels.
    rows: a few of a table, texts and then label, as examples of how such data are written.
    metrics: all of them, in the order in which they are reported; default_metric: the name of the one that is the score where
    nobody has chosen. word_field: which of the task's texts is given as words, for each of which the model says something;
    None where it says one thing of the whole. splits_text: that text is written as one, and `read_texts` splits it.
    has_labels: labels are names, of which `Task.labels` has all. least_labels: how many of them there are at least.
    orders_labels: the order of `Task.labels` counts. can_leave_out: `Task.left_out` means something to its metrics.
    smooths_labels: it has a `smoothed_loss`. stratum: by what examples are divided evenly among train and dev, None where
    they are not. problem_type: what Hugging Face's configs call it, None for words. added: the columns that `answers` adds to
    those of a table.

    Shapes below: n examples, with m labels as `features.Encoded` has them: one for each example, or for each word.
    """

    name: ClassVar[str]
    words: ClassVar[tuple[str, ...]] = ()
    label: ClassVar[str]
    rows: ClassVar[tuple[tuple[str, ...], ...]]
    metrics: ClassVar[tuple[Metric, ...]]
    default_metric: ClassVar[str]
    word_field: ClassVar[int | None] = None
    splits_text: ClassVar[bool] = False
    has_labels: ClassVar[bool] = True
    least_labels: ClassVar[int] = 2
    orders_labels: ClassVar[bool] = False
    can_leave_out: ClassVar[bool] = False
    smooths_labels: ClassVar[bool] = False
    stratum: ClassVar[str | None] = "label"
    problem_type: ClassVar[str | None] = None
    added: ClassVar[tuple[str, ...]]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return self.name

    # Data

    def read_cell(self, cell: str, *, is_label: bool) -> Any:
        """What the text of a table's cell means, of the label's column or of the one with words; text where it is no more.

        Raises ValueError with what was expected of a cell that looks like it and cannot be read.
        """
        return cell

    def read_column(
        self, cells: Sequence[str], *, separator: str | None, labels: Sequence[str]
    ) -> tuple[Sequence[str], str | None]:
        """The cells of the label's column as `read_cell` reads them, by what all of them show, and the separator in them.

        separator: what stands between labels, or before decimals; None where nobody has said, nor train has shown it. labels:
        those that are known. Raises ValueError with what must be written otherwise where the column can be read in more ways
        than one.
        """
        return cells, None

    @abstractmethod
    def expected(self, task: Task) -> str:
        """What the label of an example must be."""

    @abstractmethod
    def label_faults(self, task: Task, row: Mapping[str, Any]) -> list[str]:
        """What is wrong with the label of a row, which has one."""

    @abstractmethod
    def read_label(self, task: Task, row: Mapping[str, Any]) -> Label:
        """The label of a row without a fault."""

    def read_texts(self, task: Task, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The texts of a row without a fault, those of the field of words one by one."""
        texts = [row[field] for field in task.fields]
        return tuple(itertools.chain.from_iterable(text if i == self.word_field else [text] for i, text in enumerate(texts)))

    def write_label(self, task: Task, example: Example) -> Any:
        """The value that `read_label` reads as the example's label, where its words are written with blanks between them."""
        return example.label

    def has_flags(self, values: Sequence[Any]) -> bool:
        """Whether the values of the label's column tell which labels an example has, but not what these are called."""
        return False

    def names_in(self, value: Any) -> Sequence[Any]:
        """The labels that stand in one value of the label's column."""
        return (value,)

    def aliases(self, labels: Iterable[str]) -> Mapping[str, str]:
        """Labels that are written in another way than the kind's, and what they are read as."""
        return {}

    def notes_on_labels(self, task: Task) -> Iterator[str]:
        """Which of the task's labels may be mistakes."""
        yield from ()

    def notes_on_examples(self, task: Task, examples: Sequence[Example]) -> Iterator[str]:
        """What of these examples is read otherwise than it stands there."""
        yield from ()

    def indices(self, label: Label) -> Iterable[int]:
        """The indices of the labels that an example has, as often as it has them."""
        return () if isinstance(label, tuple) else (int(label),)

    def units(self, task: Task, examples: Sequence[Example]) -> int:
        """How much a split holds, in the unit that `DataSet.counted` names."""
        return len(examples)

    def distinct(self, examples: Sequence[Example]) -> set[Any]:
        """The different labels of the examples."""
        return {example.label for example in examples}

    def show(self, label: Any) -> str:
        """One of `distinct` for a message, where labels have no names."""
        return f"the label {label}"

    def tells_skill(self, task: Task, distinct: set[Any]) -> bool:
        """Whether no constant predictor is right about all examples that differ in `distinct` alone, more than one."""
        return True

    def expected_of_split(self, task: Task) -> str:
        """What a split must hold for a model to learn from it, or to be judged by it."""
        return "at least two different labels"

    def strata(self, task: Task, examples: Sequence[Example]) -> list[int]:
        """To which of the groups that belong on both sides of a cut each example belongs: that of its rarest label."""
        labels = [self.stratum_labels(task, example) for example in examples]
        counts = Counter(itertools.chain.from_iterable(labels))
        return [min(found, key=lambda label: (counts[label], label), default=-1) for found in labels]

    def stratum_labels(self, task: Task, example: Example) -> set[int]:
        """The indices of the labels by which an example is put into a stratum."""
        return set(self.indices(example.label))

    def with_scale(self, task: Task, train: Sequence[Example]) -> Task:
        """The task with what it leaves to the train examples."""
        return task

    # Arrays

    def fault_of_texts(self, columns: Sequence[str]) -> str | None:
        """What is wrong with how many columns of text are named, one or two."""
        return None

    def word_list_fields(self, task: Task) -> tuple[str, ...]:
        """Those of the task's columns of text that hold lists of words."""
        return () if self.word_field is None or self.splits_text else task.fields[self.word_field :]

    def outputs(self, task: Task) -> int:
        """Width of the model's output: one logit for each class, label or tag."""
        return len(task.labels) or 1

    def arrays(self, task: Task, labels: Sequence[Any], words: Sequence[int] | None) -> Array:
        """The labels of the examples as (m, *label_shape). words: how many of them each example has, where it has any."""
        return np.array(labels, dtype=np.int64)

    def label_shape(self, task: Task) -> tuple[int, ...]:
        """Of one label."""
        return ()

    # Training

    @abstractmethod
    def loss(self, outputs: torch.Tensor, targets: torch.Tensor, sizes: Sequence[int] | None) -> torch.Tensor:
        """The mean loss that is trained on, a scalar.

        outputs: (m, outputs) in fp32. targets: (m, *label_shape). sizes: how many of the m belong to each example, in order,
        where the model says something of words.
        """

    def smoothed_loss(self, outputs: torch.Tensor, targets: torch.Tensor, factor: float) -> torch.Tensor:
        """`loss` with a share of each label, `factor` from 0 to below 1, spread evenly over all classes, its own included.

        (Szegedy et al. 2016, arXiv 1512.00567, section 7.) Only where the kind `smooths_labels`: its loss is the cross-entropy
        of one class among several.
        """
        from torch.nn import functional  # without which data can be checked

        return functional.cross_entropy(outputs, targets, label_smoothing=factor)

    def divergence(self, p: torch.Tensor, q: torch.Tensor, sizes: Sequence[int] | None) -> torch.Tensor:
        """How far apart two outputs of the same units are: (KL(p, q) + KL(q, p)) / 2 of what they say, a scalar, the mean.

        p, q: (m, outputs). sizes: as for `loss`. Here of one class among several: the sum of (p - q) (log p - log q) / 2.
        """
        log_p, log_q = p.log_softmax(-1), q.log_softmax(-1)
        return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(-1).mean() / 2

    def terms(self, targets: Array, sizes: Sequence[int] | None) -> int:
        """Over how many terms `loss` takes the mean, with targets and sizes as there."""
        return len(targets)

    # Scores

    @abstractmethod
    def columns(self, task: Task, outputs: Array, labels: Array, words: Words | None) -> tuple[Array, ...]:
        """All that the metrics need to know, as arrays with a row for each example.

        outputs: (m, outputs), finite where the model says something. The first column is what is predicted and the second
        what is real, unless `shuffled` says otherwise.
        """

    @abstractmethod
    def formulas(self, task: Task, *columns: Array) -> Formulas:
        """Each metric by its name, to be called; NaN where it is undefined."""

    @abstractmethod
    def mean_loss(self, task: Task, read: Floats, labels: Array, words: Words | None) -> float:
        """`loss` in fp64. read: the outputs, for what the model reads alone."""

    @abstractmethod
    def spread(self, task: Task, read: Floats, labels: Array, columns: Sequence[Array]) -> float:
        """How much predictions vary over how much the labels do, 0 for constant ones, NaN where labels do not vary."""

    @abstractmethod
    def constants(self, task: Task, labels: Array) -> list[Floats]:
        """The outputs, (outputs,) each, of the predictors that ignore their input and are worth a trial on these labels."""

    @abstractmethod
    def trivial_loss(self, task: Task, labels: Array, words: Words | None) -> float:
        """`mean_loss` of the best constant outputs."""

    def undefined_score(self, labels: Array) -> float:
        """What a metric counts for that constant predictions alone leave undefined."""
        return math.nan

    def shuffled(
        self, task: Task, metric: str, columns: Sequence[Array], draws: int, generator: np.random.Generator
    ) -> Iterable[float]:
        """So many scores of the labels themselves in random order."""
        _, actual, *others = columns
        for _ in range(draws):
            yield self.formulas(task, actual[generator.permutation(len(actual))], actual, *others)[metric]()

    # Predictions for people

    def blank_label(self, task: Task, words: int) -> Label:
        """A label for an example of so many words that has none."""
        return 0

    @abstractmethod
    def answers(self, task: Task, outputs: Floats, temperature: float, words: Words | None) -> Iterator[dict[str, Any]]:
        """What is said of each example, as plain data by the names in `added`; what is said of words names them by their
        numbers in the example.

        outputs: (m, outputs), not finite for words that the model does not read. temperature: logits are divided by it before
        they become probabilities.
        """

    def metric_names(self, task: Task) -> tuple[str, ...]:
        """Those that are defined for the task's labels, as far as these are known."""
        return tuple(metric.name for metric in self.metrics if not metric.of_two_classes or len(task.labels) in (0, 2))

    def metric(self, name: str) -> Metric:
        """The metric of this name, which must be one of the kind's."""
        return next(metric for metric in self.metrics if metric.name == name)

    @property
    def usable_metrics(self) -> tuple[str, ...]:
        """The names of those that can be a score."""
        return tuple(metric.name for metric in self.metrics if not metric.lower_is_better)
