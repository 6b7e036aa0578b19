"""A released model on a table of texts: read, cut and marked as in training."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem, did_you_mean
from blurb_tune.release.folder import Facts
from blurb_tune.release.loading import load_models, mean_outputs
from blurb_tune.release.rows import read_table, table_faults, writing_table
from blurb_tune.tasks.encoding.features import encode
from blurb_tune.tasks.examples import WORD, Example, Row, is_list, short_repr, surrogate_fault
from blurb_tune.tasks.task import Task
from blurb_tune.training.batch_runner import BatchRunner

_CHUNK = 1024
# In batches of another size products are added up in another order. In fp64 that is far behind these decimals.
_DECIMALS = 5


@dataclass(frozen=True)
class _Text:
    """An example without a label, and where its words stand in `text`, (start, end) each; none where it has none."""

    example: Example
    text: str = ""
    places: tuple[tuple[int, int], ...] = ()


def predict(
    folder: Path, file: Path, to: Path, *, batch_size: int = 32, say: Callable[[int], None] = lambda rows: None
) -> int:
    """Write the rows of `file` with what the model in `folder` predicts for them to `to`; returns how many.

    Both are CSV, TSV, JSON Lines or Parquet, by their endings. Added are columns as the kind of the task has them
    (`Kind.added`): `prediction`, `probability` and `probabilities`, or of words `tags` and `entities`, or the `answer` to a
    question, by the places of their characters in the text; a list of words is a text with blanks between them. batch_size:
    examples in memory at a time; it changes nothing that is written. say: called with the number of rows that are done.

    Raises InputError for rows that cannot be read, or that `to` cannot hold side by side, and BlurbTuneError where there is no
    room for it; nothing is written then.
    """
    if faults := list(table_faults(file, to)):
        raise InputError(faults)
    predictor = Predictor(*load_models(folder), batch_size)
    done = 0
    with writing_table(to, predictor.added) as write:
        for rows in _chunks(read_table(file)):
            answers = predictor(rows)
            if not done:
                predictor.check(rows)
            write([Row(row.location, {**row.values, **found}) for row, found in zip(rows, answers, strict=True)])
            done += len(rows)
            say(done)
        if not done:
            raise InputError([Problem(str(file), "there is no row in it")])
    return done


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(itertools.islice(rows, _CHUNK)):
        yield chunk


class Predictor:
    """Exported models, whose outputs are averaged, on rows of texts, cut and marked as in training.

    To be used by one thread at a time.
    """

    def __init__(self, models: Sequence[PreTrainedModel], tokenizer: PreTrainedTokenizerBase, facts: Facts, batch_size: int):
        self._facts, self._task, self._tokenizer = facts, facts.as_task(), tokenizer
        self._runners = [
            BatchRunner(
                model.double(),
                self._task,
                tokenizer.pad_token_id,
                precision="fp32",
                micro_batch_size=1,
                eval_batch_size=batch_size,
            )
            for model in models
        ]

    @property
    def added(self) -> tuple[str, ...]:
        """The columns that a row gets, and must not have."""
        return self._task.kind.added

    def check(self, rows: Sequence[Row]) -> None:
        """Raise InputError for the first rows of a table that are none of this task's: no entity in them is masked."""
        markers = self._task.markers
        texts = [text for row in rows for text in row.values.values() if isinstance(text, str)]
        if markers and not any(marker in text for text in texts for marker in markers):
            expected = f"entities must be masked as in training, by {', '.join(markers)}"
            what = f"{expected}; there is none in the first {len(rows):,} rows: are they of another task?"
            raise InputError([Problem(rows[0].location, what)])

    def __call__(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """What is added to each of the rows, of which there is at least one. Raises InputError for those that are not read."""
        texts = _read(rows, self._task)
        try:
            encoded = encode([text.example for text in texts], self._tokenizer, self._facts.max_length, self._task)
        except BlurbTuneError as error:
            raise InputError([Problem(rows[0].location, str(error))]) from None
        outputs = mean_outputs([runner.outputs(encoded) for runner in self._runners])
        answers = self._task.kind.answers(self._task, outputs, self._facts.temperature, encoded.words)
        return [{name: _plain(value, text) for name, value in of.items()} for of, text in zip(answers, texts, strict=True)]


def _plain(value: Any, text: _Text) -> Any:
    """Numbers rounded, and words by their places in the text."""
    if isinstance(value, float):
        return round(value, _DECIMALS)
    if isinstance(value, list):
        return [_plain(item, text) for item in value]
    if not isinstance(value, Mapping):
        return value
    if "first" not in value:
        return {name: _plain(item, text) for name, item in value.items()}
    start, end = text.places[value["first"]][0], text.places[value["last"]][1]
    others = {name: _plain(item, text) for name, item in value.items() if name not in ("first", "last")}
    return {"start": start, "end": end, "text": text.text[start:end], **others}


def _read(rows: Sequence[Row], task: Task) -> list[_Text]:
    """Raises InputError with every row that has not what the task needs."""
    first = rows[0]
    for field in task.fields:
        if field not in first.values:
            columns = ", ".join(first.values) or "none"
            hint = did_you_mean(field, first.values)
            raise InputError([Problem(first.location, f"there is no column {field!r}{hint}; the columns are: {columns}")])
    taken = {name: row for row in reversed(rows) for name in task.kind.added if name in row.values}
    found = [_text_of(row, task) for row in rows]
    problems = [Problem(row.location, f"there is a column {name!r} already; rename it") for name, row in taken.items()]
    if problems := [*problems, *(problem for problem in found if isinstance(problem, Problem))]:
        raise InputError(problems)
    return [text for text in found if isinstance(text, _Text)]


def _text_of(row: Row, task: Task) -> _Text | Problem:
    plain: list[str] = []
    text, places = "", list[tuple[int, int]]()
    for number, field in enumerate(task.fields):
        value = row.values.get(field)
        if number == task.kind.word_field:
            words = _words_of(value)
            if not words:
                return Problem(row.location, f"{field}: expected a text or a list of words, but got {short_repr(value)}")
            text, places = words
            value = text
        elif isinstance(value, str) and value.strip():
            plain.append(value)
        else:
            return Problem(row.location, f"{field}: expected a text, but got {short_repr(value)}")
        if fault := surrogate_fault(f"`{field}`", value):
            return Problem(row.location, fault)
    words_of_text = [text[start:end] for start, end in places]
    label = task.kind.blank_label(task, len(places))
    return _Text(Example(row.location, (*plain, *words_of_text), label), text, tuple(places))


def _words_of(value: Any) -> tuple[str, list[tuple[int, int]]] | None:
    """The text, and where its words stand in it; None for what is none. A cell may hold a list as JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, str):
        places = [match.span() for match in WORD.finditer(value)]
        return (value, places) if places else None
    if not is_list(value) or not value or not all(isinstance(word, str) and word.strip() for word in value):
        return None
    ends = list(itertools.accumulate((len(word) + 1 for word in value), initial=0))
    return " ".join(value), [(start, start + len(word)) for start, word in zip(ends, value, strict=False)]
