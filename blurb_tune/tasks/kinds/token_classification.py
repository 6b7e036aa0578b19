"""Token classification: a tag for each word, such as those of named entities."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy  # its parts are loaded when they are used, which checking data does not

from blurb_tune.tasks.examples import Example, Label, is_list, join_limited
from blurb_tune.tasks.kind import Array, Floats, Formulas, Kind, Metric
from blurb_tune.tasks.kinds.cell_lists import LIKE_LABELS, LIKE_WORDS, read_list
from blurb_tune.tasks.kinds.classification import cross_entropy
from blurb_tune.tasks.kinds.named_labels import label_index, list_faults, wrong_label
from blurb_tune.tasks.kinds.variation import relative_variation
from blurb_tune.tasks.ragged import Words, boundaries
from blurb_tune.tasks.scoring.entities import NO_TAG, TagSet, compare_entities, count_entities, count_repairs, per_sentence
from blurb_tune.tasks.scoring.schemes import in_iobes
from blurb_tune.tasks.scoring.scores import Counts, entropy
from blurb_tune.tasks.task import OUTSIDE, Task

if TYPE_CHECKING:
    import torch


class TokenClassification(Kind):
    """Words that the model does not read count as predicted `O`, or as wrong where the task has no `O`."""

    name = "token classification"
    words = ("ner", "named entity recognition", "tagging", "sequence labeling", "sequence labelling", "pos", "iob", "bio")
    label = "a tag for every word"
    rows = (
        ("Down syndrome is rare", "B-Disease I-Disease O O"),
        ("He has asthma", "O O B-Disease"),
        ("No disease was found", "O O O O"),
        ("Gout hurts", "B-Disease O"),
    )
    metrics = tuple(map(Metric, ("entity_f1", "entity_precision", "entity_recall", "word_macro_f1", "word_accuracy")))
    added = ("tags", "entities")
    default_metric = "entity_f1"
    word_field = 0
    smooths_labels = True

    def fault_of_texts(self, columns: Sequence[str]) -> str | None:
        return "words to tag stand in one column, but two are named" if len(columns) > 1 else None

    def read_cell(self, cell: str, *, is_label: bool) -> Any:
        """Words and tags with blanks between them, or lists."""
        likeness, otherwise = (LIKE_LABELS, "tags with blanks") if is_label else (LIKE_WORDS, "words with blanks")
        items = read_list(cell, likeness, otherwise)
        return items if items is not None else cell.split()

    def expected(self, task: Task) -> str:
        return f"a list with one of these for each word: {', '.join(task.labels)}" if task.labels else "a label"

    def label_faults(self, task: Task, row: Mapping[str, Any]) -> list[str]:
        label, words = row[task.label_field], row.get(task.fields[0])
        if not is_list(label):
            return [wrong_label(task, label)]
        if is_list(words) and len(words) != len(label):
            return [f"`{task.fields[0]}` has {len(words)} words, but `{task.label_field}` has {len(label)} tags"]
        return list_faults(task, label)

    def read_label(self, task: Task, row: Mapping[str, Any]) -> Label:
        return tuple(label_index(task, name) for name in row[task.label_field])

    def write_label(self, task: Task, example: Example) -> Any:
        return [task.labels[tag] for tag in self.indices(example.label)]

    def names_in(self, value: Any) -> Sequence[Any]:
        return value if is_list(value) else (value,)

    def aliases(self, labels: Iterable[str]) -> Mapping[str, str]:
        """Tags of other schemes than IOB and IOBES."""
        return in_iobes(labels)

    def notes_on_labels(self, task: Task) -> Iterator[str]:
        indices = {(str(index), tag) for index, tag in enumerate(task.labels)}
        if read := [f"{name} as {tag}" for name, tag in task.label_aliases.items() if (name, tag) not in indices]:
            yield f"tags of another scheme are read as those of IOBES: {join_limited(read)}"
        inside = [label for label in task.labels if label != OUTSIDE]
        if inside and all(label.startswith("I-") for label in inside):
            yield "there is no B tag (scheme IO): entities of a type that touch are read as one"
        if OUTSIDE not in task.labels:
            yield f"there is no tag {OUTSIDE!r}: every word is read as part of an entity"

    def notes_on_examples(self, task: Task, examples: Sequence[Example]) -> Iterator[str]:
        """How many entities begin with an I tag, which the scores read as seqeval does."""
        if examples and (count := count_repairs(*_flat(examples), task.labels)):
            which = "entity begins" if count == 1 else "entities begin"
            yield f"{count} {which} without a B tag; they are read as if it were there, as seqeval does"

    def indices(self, label: Label) -> Iterable[int]:
        assert isinstance(label, tuple), "tags"
        return label

    def units(self, task: Task, examples: Sequence[Example]) -> int:
        """Words with a tag other than O where tokens are counted, else entities."""
        tags, offsets = _flat(examples)
        if task.data_set.counted == "tokens":
            return int((tags != task.labels.index(OUTSIDE)).sum())
        return count_entities(tags, offsets, task.labels)

    def distinct(self, examples: Sequence[Example]) -> set[Any]:
        """The different tags of their words."""
        return set(itertools.chain.from_iterable(self.indices(example.label) for example in examples))

    def tells_skill(self, task: Task, distinct: set[Any]) -> bool:
        """Not where all words are of one type, or all outside entities."""
        types = TagSet.of(task.labels).types
        return OUTSIDE not in task.labels or len({types[tag] for tag in distinct}) > 1

    def expected_of_split(self, task: Task) -> str:
        return "words inside and outside of entities" if OUTSIDE in task.labels else "at least two different tags"

    def stratum_labels(self, task: Task, example: Example) -> set[int]:
        """Those inside entities."""
        return {tag for tag in self.indices(example.label) if task.labels[tag] != OUTSIDE}

    def arrays(self, task: Task, labels: Sequence[Any], words: Sequence[int] | None) -> Array:
        return np.concatenate([np.asarray(tags, dtype=np.int64) for tags in labels])

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor, sizes: Sequence[int] | None) -> torch.Tensor:
        """The cross-entropy, in nats, of words."""
        from torch.nn import functional  # without which data can be checked

        return functional.cross_entropy(outputs, targets)

    def columns(self, task: Task, outputs: Array, labels: Array, words: Words | None) -> tuple[Array, ...]:
        """What is counted in each of n sentences.

        Entities: predicted rightly, predicted, and real, (n, 3). Words of each type, as often, (n, 3, types). Words: with the
        right tag, read by the model, and all, (n, 3).
        """
        assert words is not None, "the shapes have been checked"
        outside = task.labels.index(OUTSIDE) if OUTSIDE in task.labels else NO_TAG
        return _count_tags(task, np.where(words.is_read, outputs.argmax(axis=1), outside), labels, words)

    def formulas(self, task: Task, *columns: Array) -> Formulas:
        entities, types, words = columns
        right, read, total = words.sum(axis=0)
        if not read:  # the outputs say nothing of these sentences
            return dict.fromkeys(task.metrics, lambda: math.nan)
        counts = Counts(*entities.sum(axis=0))
        return {
            "entity_f1": lambda: float(counts.f1),
            "entity_precision": lambda: float(counts.precision),
            "entity_recall": lambda: float(counts.recall),
            "word_macro_f1": lambda: Counts(*types.sum(axis=0)).macro_f1,
            "word_accuracy": lambda: float(right / total),
        }

    def mean_loss(self, task: Task, read: Floats, labels: Array, words: Words | None) -> float:
        assert words is not None, "the shapes have been checked"
        return cross_entropy(read, labels[words.is_read])

    def spread(self, task: Task, read: Floats, labels: Array, columns: Sequence[Array]) -> float:
        """Of the shares outside the most frequent tag."""
        return relative_variation(np.bincount(read.argmax(axis=1)), np.bincount(labels))

    def blank_label(self, task: Task, words: int) -> Label:
        return (0,) * words

    def answers(self, task: Task, outputs: Floats, temperature: float, words: Words | None) -> Iterator[dict[str, Any]]:
        """Tags, and entities from word `first` to word `last`, whose probability is the least of those of their tags."""
        assert words is not None, "there is a field of words"
        outside = task.labels.index(OUTSIDE) if OUTSIDE in task.labels else NO_TAG
        tag_set = TagSet.of(task.labels)
        read = np.where(words.is_read[:, None], outputs, 0.0)
        tags = np.where(words.is_read, read.argmax(axis=1), outside)
        probabilities = scipy.special.softmax(read / temperature, axis=1).max(axis=1)
        for start, end in zip(words.offsets[:-1], words.offsets[1:], strict=True):
            own = tags[start:end].tolist()
            yield {
                "tags": [None if tag == NO_TAG else task.labels[tag] for tag in own],
                "entities": [
                    {
                        "first": first,
                        "last": last,
                        "label": tag_set.names[tag_set.types[own[first]]],
                        "probability": float(probabilities[start + first : start + last + 1].min()),
                    }
                    for first, last in tag_set.spans(own)
                ],
            }

    def constants(self, task: Task, labels: Array) -> list[Floats]:
        """Each tag."""
        return list(np.eye(task.outputs))

    def trivial_loss(self, task: Task, labels: Array, words: Words | None) -> float:
        """The entropy of the tags of words that are read."""
        read = labels if words is None else labels[words.is_read]
        return entropy(np.bincount(read, minlength=task.outputs))

    def shuffled(
        self, task: Task, metric: str, columns: Sequence[Array], draws: int, generator: np.random.Generator
    ) -> Iterable[float]:
        """Of word_macro_f1, the one metric where it matters: of k words of a type, a hypergeometric number is hit."""
        if metric != "word_macro_f1":
            return ()
        _, types, words = columns
        actual, total = types[:, 2].sum(axis=0), words[:, 2].sum()
        hits = generator.hypergeometric(actual, total - actual, actual, size=(draws, len(actual)))
        scores: list[float] = (hits / np.maximum(actual, 1)).mean(axis=1).tolist()
        return scores


def _flat(examples: Sequence[Example]) -> tuple[Array, Array]:
    """The tags of all words, and where each sentence begins among them."""
    tags = np.concatenate([np.asarray(example.label, dtype=np.int64) for example in examples])
    return tags, boundaries([len(example.texts) for example in examples])


def _count_tags(task: Task, predicted: Array, actual: Array, words: Words) -> tuple[Array, Array, Array]:
    offsets, lengths = words.offsets, np.diff(words.offsets)
    entities = compare_entities(predicted, actual, offsets, task.labels)
    tag_set = TagSet.of(task.labels)
    n, width = len(lengths), len(tag_set.names) + 1  # the first stands for words outside entities
    first = np.repeat(np.arange(n) * width + 1, lengths)  # every type of every sentence is a class of its own
    counts = Counts.of_classes(first + tag_set.types[predicted], first + tag_set.types[actual], n * width)
    types = [values.reshape(n, width)[:, 1:] for values in (counts.hits, counts.predicted, counts.actual)]
    totals = per_sentence(predicted == actual, offsets), per_sentence(words.is_read, offsets), lengths
    return np.stack(entities, axis=1), np.stack(types, axis=1), np.stack(totals, axis=1)


TOKEN_CLASSIFICATION = TokenClassification()
