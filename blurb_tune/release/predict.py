"""A released model on a table of texts: read, cut and marked as in training."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem, did_you_mean
from blurb_tune.release.folder import Facts
from blurb_tune.release.loading import load_model
from blurb_tune.release.rows import read_table, writing_table
from blurb_tune.tasks.entities import TagSet
from blurb_tune.tasks.examples import Example, Label, Row, is_list, shown
from blurb_tune.tasks.features import Encoded, encode
from blurb_tune.tasks.task import OUTSIDE, Kind, Task
from blurb_tune.training.forward import Forward

_CHUNK = 1024
# In batches of another size products are added up in another order: what is written is the same.
_DECIMALS = 5
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class _Text:
    """An example without a label, and where its words stand in `text`, (start, end) each; none where words have no tags."""

    example: Example
    text: str = ""
    places: tuple[tuple[int, int], ...] = ()


def predict(
    folder: Path, file: Path, to: Path, *, batch_size: int = 32, say: Callable[[int], None] = lambda rows: None
) -> int:
    """Write the rows of `file` with what the model in `folder` predicts for them to `to`; returns how many.

    Both are CSV, TSV, JSON Lines or Parquet, by their endings. Added columns: `prediction`, and with labels `probability`
    (of it) and `probabilities` (by label), or of words `tags` and `entities`. Probabilities are those of the logits divided by
    the temperature that fits dev best. batch_size: examples in memory at a time. say: told how many rows are done.

    Raises InputError for the first row that cannot be read, and then nothing is written.
    """
    model, tokenizer, facts = load_model(folder)
    predictor = _Predictor(model, tokenizer, facts, batch_size)
    done = 0
    with writing_table(to) as write:
        for rows in _chunks(read_table(file)):
            write([{**row.values, **found} for row, found in zip(rows, predictor(rows), strict=True)])
            done += len(rows)
            say(done)
        if not done:
            raise InputError([Problem(str(file), "there is no row in it")])
    return done


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(itertools.islice(rows, _CHUNK)):
        yield chunk


class _Predictor:
    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, facts: Facts, batch_size: int):
        self._facts, self._task, self._tokenizer = facts, facts.as_task(), tokenizer
        self._forward = Forward(
            model,
            self._task,
            tokenizer.pad_token_id,
            precision="fp32",
            micro_batch_size=1,
            eval_batch_size=batch_size,
        )

    def __call__(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """What is added to each row."""
        texts = _read(rows, self._task)
        try:
            encoded = encode([text.example for text in texts], self._tokenizer, self._facts.max_length, self._task)
        except BlurbTuneError as error:
            raise InputError([Problem(rows[0].place, str(error))]) from None
        outputs = self._forward.outputs(encoded).astype(np.float64)
        return list(_PREDICTIONS[self._task.kind](self._task, outputs, self._facts.temperature, encoded, texts))


def _read(rows: Sequence[Row], task: Task) -> list[_Text]:
    """Raises InputError with every row that has not what the task needs."""
    problems: list[Problem] = []
    texts: list[_Text] = []
    for row in rows:
        if problem := _fault_of(row, task):
            problems.append(problem)
            if "no column" in problem.what:
                break
            continue
        texts.append(_text_of(row, task))
    if problems:
        raise InputError(problems)
    return texts


def _fault_of(row: Row, task: Task) -> Problem | None:
    for field in task.fields:
        if field not in row.values:
            hint = did_you_mean(field, row.values)
            return Problem(row.place, f"there is no column {field!r}{hint}; the columns are {', '.join(row.values)}")
        value = row.values[field]
        if task.per_token:
            words = _words_of(value)
            if words is None or not words:
                return Problem(row.place, f"{field}: expected a text or a list of words, but got {shown(value)}")
        elif not isinstance(value, str) or not value.strip():
            return Problem(row.place, f"{field}: expected a text, but got {shown(value)}")
    if taken := {"prediction", "tags", "entities", "probability", "probabilities"} & row.values.keys():
        return Problem(row.place, f"there is a column {sorted(taken)[0]!r} already; rename it")
    return None


def _words_of(value: Any) -> list[str] | str | None:
    """A list of words, or a text that has yet to be split; None for something else."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, str):
        return value if value.strip() else None
    if is_list(value) and all(isinstance(word, str) and word.strip() for word in value):
        return [str(word) for word in value]
    return None


def _text_of(row: Row, task: Task) -> _Text:
    if not task.per_token:
        texts = tuple(row.values[field] for field in task.fields)
        return _Text(Example(row.place, texts, _no_label(task, 1)))
    words = _words_of(row.values[task.fields[0]])
    if isinstance(words, str):
        places = [match.span() for match in _WORD.finditer(words)]
        text, words = words, [words[start:end] for start, end in places]
    else:
        assert words is not None, "the row has been checked"
        ends = list(itertools.accumulate(len(word) + 1 for word in words))
        places = [(end - len(word) - 1, end - 1) for word, end in zip(words, ends, strict=True)]
        text = " ".join(words)
    return _Text(Example(row.place, tuple(words), _no_label(task, len(words))), text, tuple(places))


def _no_label(task: Task, words: int) -> Label:
    match task.kind:
        case Kind.REGRESSION:
            return 0.0
        case Kind.MULTI_LABEL:
            return (0,) * len(task.labels)
        case Kind.TOKEN_CLASSIFICATION:
            return (0,) * words
        case Kind.CLASSIFICATION:
            return 0


Found = Iterator[dict[str, Any]]


def _scores(task: Task, outputs: np.ndarray, temperature: float, encoded: Encoded, texts: Sequence[_Text]) -> Found:
    for (score,) in outputs.tolist():
        yield {"prediction": round(score, _DECIMALS)}


def _classes(task: Task, outputs: np.ndarray, temperature: float, encoded: Encoded, texts: Sequence[_Text]) -> Found:
    for row in special.softmax(outputs / temperature, axis=1):
        best = int(row.argmax())
        yield {"prediction": task.labels[best], **_probability(task, row), "probability": _rounded(row[best])}


def _label_sets(task: Task, outputs: np.ndarray, temperature: float, encoded: Encoded, texts: Sequence[_Text]) -> Found:
    for logits, row in zip(outputs, special.expit(outputs / temperature), strict=True):
        yield {"prediction": [task.labels[i] for i in np.flatnonzero(logits > 0)], **_probability(task, row)}


def _tags(task: Task, outputs: np.ndarray, temperature: float, encoded: Encoded, texts: Sequence[_Text]) -> Found:
    assert encoded.words is not None, "the model says something of words"
    is_read, offsets, tag_set = encoded.words.is_read, encoded.words.offsets, TagSet.of(task.labels)
    outside = task.labels.index(OUTSIDE) if OUTSIDE in task.labels else None
    probabilities = special.softmax(np.where(is_read[:, None], outputs, 0.0) / temperature, axis=1)
    for number, text in enumerate(texts):
        words = slice(offsets[number], offsets[number + 1])
        read, of_words = is_read[words], probabilities[words]
        tags = [int(row.argmax()) if seen else outside for row, seen in zip(of_words, read, strict=True)]
        yield {
            "tags": [None if tag is None else task.labels[tag] for tag in tags],
            "entities": [_entity(text, of_words, tags, tag_set, span) for span in _spans(tags, tag_set)],
        }


def _spans(tags: Sequence[int | None], tag_set: TagSet) -> Iterator[tuple[int, int]]:
    """First and last word of each entity, read as conlleval does."""
    begin: int | None = None
    for word, tag in enumerate([*tags, None]):
        kind = -1 if tag is None else int(tag_set.types[tag])
        if begin is not None:
            before = tags[word - 1]
            assert before is not None, "an entity has begun"
            is_over = kind != tag_set.types[before] or tag_set.closes[before] or (tag is not None and tag_set.begins[tag])
            if is_over:
                yield begin, word - 1
                begin = None
        if begin is None and kind >= 0:
            begin = word


def _entity(
    text: _Text, probabilities: np.ndarray, tags: Sequence[int | None], tag_set: TagSet, span: tuple[int, int]
) -> Mapping[str, Any]:
    """probability: the least of those of its words' tags."""
    first, last = span
    start, end = text.places[first][0], text.places[last][1]
    chosen = [float(probabilities[word, tags[word]]) for word in range(first, last + 1)]
    name = tag_set.names[tag_set.types[tags[first]]]
    return {"start": start, "end": end, "text": text.text[start:end], "label": name, "probability": _rounded(min(chosen))}


def _probability(task: Task, row: np.ndarray) -> dict[str, Any]:
    return {"probabilities": {label: _rounded(value) for label, value in zip(task.labels, row, strict=True)}}


def _rounded(value: float) -> float:
    return round(float(value), _DECIMALS)


_PREDICTIONS: Mapping[Kind, Callable[..., Found]] = {
    Kind.REGRESSION: _scores,
    Kind.CLASSIFICATION: _classes,
    Kind.MULTI_LABEL: _label_sets,
    Kind.TOKEN_CLASSIFICATION: _tags,
}
