"""Extractive question answering: the words of a text that answer a question."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy  # its parts are loaded when they are used, which checking data does not

from blurb_tune.tasks.examples import WORD, Example, Label, is_list, short_repr
from blurb_tune.tasks.kind import Array, Floats, Formulas, Kind, Metric
from blurb_tune.tasks.kinds.named_labels import wrong_label
from blurb_tune.tasks.kinds.variation import counts_of_rows, relative_variation
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.intervals import share_interval
from blurb_tune.tasks.task import Task

if TYPE_CHECKING:
    import torch

_LONGEST_ANSWER = 30
_START, _END = range(2)


class Spans(Kind):
    """As SQuAD has it (Rajpurkar et al. 2016, arXiv 1606.05250), with answers of whole words: two logits for each word, that
    an answer starts and that it ends there (Devlin et al. 2019, arXiv 1810.04805, section 4.2).

    The label is the answer as a text, of which the first place in the context counts, or SQuAD's mapping with `text` and
    `answer_start`. An answer that truncation cut off teaches nothing and counts as missed.
    """

    name = "extractive question answering"
    words = ("extractive qa", "question answering", "span", "spans", "squad", "reading comprehension")
    label = "the part of the second text that answers the first"
    rows = (
        ("Which drug was given?", "Aspirin was given for ten days.", "Aspirin"),
        ("How long was it given?", "Aspirin was given for ten days.", "ten days"),
        ("What did they have?", "All of them had a severe headache.", "a severe headache"),
        ("Who had a headache?", "All of them had a severe headache.", "All of them"),
    )
    metrics = (Metric("span_f1"), Metric("exact_match", interval=share_interval))
    default_metric = "span_f1"
    word_field = 1
    splits_text = True
    has_labels = False
    stratum = None
    added = ("answer",)

    def fault_of_texts(self, columns: Sequence[str]) -> str | None:
        return None if len(columns) == 2 else "expected two columns: of the question, and of the text with its answer"

    def expected(self, task: Task) -> str:
        return f"a part of `{task.fields[1]}`, or a mapping with `text` and `answer_start`"

    def label_faults(self, task: Task, row: Mapping[str, Any]) -> list[str]:
        label, context = row[task.label_field], row.get(task.fields[1])
        found = _answer(label)
        if found is None:
            return [wrong_label(task, label)]
        if isinstance(context, str) and _span(context, *found) is None:
            at = "" if found[1] is None else f" at {found[1]}"
            return [f"`{task.label_field}` {short_repr(found[0])} does not stand in `{task.fields[1]}`{at}"]
        return []

    def read_label(self, task: Task, row: Mapping[str, Any]) -> Label:
        found = _answer(row[task.label_field])
        span = None if found is None else _span(row[task.fields[1]], *found)
        assert span is not None, "the row is without a fault"
        return span

    def read_texts(self, task: Task, row: Mapping[str, Any]) -> tuple[str, ...]:
        return (row[task.fields[0]], *WORD.findall(row[task.fields[1]]))

    def write_label(self, task: Task, example: Example) -> Any:
        assert isinstance(example.label, tuple), "first and last word"
        words, (first, last) = example.texts[1:], example.label
        return {"text": " ".join(words[first : last + 1]), "answer_start": sum(len(word) + 1 for word in words[:first])}

    def indices(self, label: Label) -> Iterable[int]:
        return ()

    def show(self, label: Any) -> str:
        return f"an answer of the words {label[0] + 1} to {label[1] + 1}"

    def expected_of_split(self, task: Task) -> str:
        return "answers at different places"

    def outputs(self, task: Task) -> int:
        return 2

    def arrays(self, task: Task, labels: Sequence[Any], words: Sequence[int] | None) -> Array:
        """Flags of each word, (m, 2): the answer starts there, and ends there."""
        assert words is not None, "there is a field of words"
        flags = np.zeros((sum(words), 2), dtype=np.int64)
        starts = np.cumsum([0, *words[:-1]])
        for column in (_START, _END):
            flags[starts + [label[column] for label in labels], column] = 1
        return flags

    def label_shape(self, task: Task) -> tuple[int, ...]:
        return (2,)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor, sizes: Sequence[int] | None) -> torch.Tensor:
        """The cross-entropy, in nats, of start and end among the words of each example that has both."""
        import torch  # without which data can be checked

        assert sizes is not None, "there is a field of words"
        terms = [
            -(logits.log_softmax(dim=0) * flags).sum() / 2
            for logits, flags in zip(torch.split(outputs, list(sizes)), torch.split(targets, list(sizes)), strict=True)
            if flags.sum() == 2
        ]
        return torch.stack(terms).mean()

    def divergence(self, p: torch.Tensor, q: torch.Tensor, sizes: Sequence[int] | None) -> torch.Tensor:
        """That of start and end among the words of each example, the mean over both."""
        import torch

        assert sizes is not None, "there is a field of words"
        pairs = zip(torch.split(p, list(sizes)), torch.split(q, list(sizes)), strict=True)
        return torch.stack([super(Spans, self).divergence(of_p.T, of_q.T, None) for of_p, of_q in pairs if len(of_p)]).mean()

    def terms(self, targets: Array, sizes: Sequence[int] | None) -> int:
        return len(_with_answer(targets, np.asarray(sizes)))

    def columns(self, task: Task, outputs: Array, labels: Array, words: Words | None) -> tuple[Array, ...]:
        """First and last word of the predicted and of the real answer, (n, 2) each; (-1, -1) where no word is read."""
        assert words is not None, "the shapes have been checked"
        logits = np.where(words.is_read[:, None], outputs, -np.inf)
        pairs = list(zip(words.offsets[:-1], words.offsets[1:], strict=True))
        predicted = [_best_span(logits[start:end]) for start, end in pairs]
        return np.array(predicted), np.array([labels[start:end].argmax(axis=0) for start, end in pairs])

    def formulas(self, task: Task, *columns: Array) -> Formulas:
        predicted, actual = columns
        common = np.minimum(predicted[:, _END], actual[:, _END]) - np.maximum(predicted[:, _START], actual[:, _START]) + 1
        lengths = np.where(predicted[:, _START] < 0, 0, np.diff(predicted).ravel() + 1) + np.diff(actual).ravel() + 1
        return {
            "span_f1": lambda: float((2 * np.maximum(common, 0) / lengths).mean()),
            "exact_match": lambda: float((predicted == actual).all(axis=1).mean()),
        }

    def mean_loss(self, task: Task, read: Floats, labels: Array, words: Words | None) -> float:
        assert words is not None, "the shapes have been checked"
        sizes = [int(words.is_read[start:end].sum()) for start, end in zip(words.offsets, words.offsets[1:], strict=False)]
        flags, ends = labels[words.is_read], np.cumsum(sizes)
        losses = [
            -(scipy.special.log_softmax(read[end - size : end], axis=0) * flags[end - size : end]).sum() / 2
            for size, end in zip(sizes, ends, strict=True)
            if flags[end - size : end].sum() == 2
        ]
        return float(np.mean(losses)) if losses else math.nan

    def spread(self, task: Task, read: Floats, labels: Array, columns: Sequence[Array]) -> float:
        """Of the shares outside the most frequent place."""
        return relative_variation(*map(counts_of_rows, columns))

    def blank_label(self, task: Task, words: int) -> Label:
        return (0, 0)

    def answers(self, task: Task, outputs: Floats, temperature: float, words: Words | None) -> Iterator[dict[str, Any]]:
        """The answer's words, and the product of the probabilities that it starts and that it ends there."""
        assert words is not None, "there is a field of words"
        logits = np.where(words.is_read[:, None], outputs, -np.inf)
        for start, end in zip(words.offsets[:-1], words.offsets[1:], strict=True):
            own = logits[start:end]
            first, last = _best_span(own)
            if first < 0:  # no word is read
                yield {"answer": None}
                continue
            of_words = scipy.special.softmax(own / temperature, axis=0)
            yield {"answer": {"first": first, "last": last, "probability": float(of_words[first, 0] * of_words[last, 1])}}

    def constants(self, task: Task, labels: Array) -> list[Floats]:
        """No word before any other: the first word."""
        return [np.zeros(2)]

    def trivial_loss(self, task: Task, labels: Array, words: Words | None) -> float:
        """The mean logarithm of the number of words that are read, of the examples that teach something."""
        assert words is not None, "the shapes have been checked"
        return self.mean_loss(task, np.zeros((np.count_nonzero(words.is_read), 2)), labels, words)


def _answer(label: Any) -> tuple[str, int | None] | None:
    """An answer's text, and where it starts if that is written down; None of what is no answer."""
    if isinstance(label, Mapping):
        texts, starts = label.get("text"), label.get("answer_start")
        text, start = (value[0] if is_list(value) and value else value for value in (texts, starts))
        return (text, start) if isinstance(text, str) and text.strip() and isinstance(start, int) else None
    return (label, None) if isinstance(label, str) and label.strip() else None


def _span(context: str, text: str, start: int | None) -> tuple[int, int] | None:
    """The first and the last of the context's words that an answer touches; None where it does not stand there."""
    text = text.strip() if start is None else text
    begin = context.find(text) if start is None else start
    if begin < 0 or not context.startswith(text, begin):
        return None
    touched = [
        index for index, word in enumerate(WORD.finditer(context)) if word.start() < begin + len(text) and word.end() > begin
    ]
    return (touched[0], touched[-1]) if touched else None


def _with_answer(flags: Array, sizes: Array) -> Array:
    """Which examples, of so many words each, have both the start and the end of their answer."""
    ends = np.cumsum(sizes)
    found = np.concatenate([[0], np.cumsum(flags.sum(axis=1))])
    return np.flatnonzero(found[ends] - found[ends - sizes] == 2)


def _best_span(logits: Array) -> tuple[int, int]:
    """The first and the last word, at most so many, with the highest sum of logits, (words, 2)."""
    if not len(logits) or not np.isfinite(logits).any():
        return -1, -1
    ends = np.pad(logits[:, _END], (0, _LONGEST_ANSWER - 1), constant_values=-np.inf)
    # Of each first word the ends from it on: a row is a start, a column how many words the end stands behind it.
    sums = logits[:, _START, None] + np.lib.stride_tricks.sliding_window_view(ends, _LONGEST_ANSWER)
    start, behind = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(start), int(start + behind)


SPANS = Spans()
