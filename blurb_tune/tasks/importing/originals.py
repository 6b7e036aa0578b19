"""Files of the data sets' own makers and of BLUE (Peng et al. 2019, arXiv 1906.05474), read as BLURB has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Row, is_list
from blurb_tune.tasks.task import Task

Rows = list[Row | Problem]
# BLUE's labels of a sentence: `0_0,1_1,...,9_0`, the number of a hallmark and whether it has it.
_HALLMARKS = re.compile(r"\d+_[01](?:,\d+_[01])*")


def as_blurb(task: Task, rows: Rows) -> Rows:
    """The rows with the columns of the task, where they are those of its original; others stay as they are."""
    convert = _ORIGINALS.get(task.name)
    return rows if convert is None else convert(rows)


def _pubmedqa(rows: Rows) -> Rows:
    """`ori_pqal.json`: question and joined contexts; its folds lie as `{train,dev,test}_set.json` (Jin et al. 2019)."""
    return list(_each(rows, ("QUESTION", "CONTEXTS", "final_decision"), _pubmedqa_row))


def _pubmedqa_row(values: Mapping[str, Any]) -> Mapping[str, Any]:
    texts = {"sentence1": values["QUESTION"], "sentence2": _join_texts(values["CONTEXTS"])}
    return {"id": values.get("id"), **texts, "label": values["final_decision"]}


def _bioasq(rows: Rows) -> Rows:
    """The questions of a challenge that are to be answered with yes or no, and their joined snippets."""
    kept = [row for row in rows if not isinstance(row, Row) or row.values.get("type", "yesno") == "yesno"]
    return list(_each(kept, ("body", "snippets", "exact_answer"), _bioasq_row))


def _bioasq_row(values: Mapping[str, Any]) -> Mapping[str, Any]:
    snippets, answer = values["snippets"], values["exact_answer"]
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in snippets] if is_list(snippets) else snippets
    answer = answer[0] if is_list(answer) and len(answer) == 1 else answer
    label = answer.strip(" .").casefold() if isinstance(answer, str) else answer
    return {"id": values.get("id"), "sentence1": values["body"], "sentence2": _join_texts(texts), "label": label}


def _biosses(rows: Rows) -> Rows:
    return list(_each(rows, ("sentence1", "sentence2", "score"), lambda values: {**values, "label": values["score"]}))


def _hoc(rows: Rows) -> Rows:
    """BLUE's sentences with the labels of each, joined to the documents that their ids begin with (`123_s4`)."""
    found = [row for row in rows if isinstance(row, Row)]
    column = next(
        (name for name in ("labels", "label") if found and _HALLMARKS.fullmatch(str(found[0].values.get(name)))), None
    )
    if column is None or "index" not in found[0].values:
        return rows
    documents: dict[str, list[Row]] = {}
    for row in found:
        documents.setdefault(str(row.values["index"]).partition("_")[0], []).append(row)
    return [
        *(row for row in rows if isinstance(row, Problem)),
        *(_document(name, part, column) for name, part in documents.items()),
    ]


def _document(name: str, sentences: Sequence[Row], column: str) -> Row:
    text = next(key for key in ("sentence1", "sentence") if key in sentences[0].values)
    flags = [[int(part[-1]) for part in str(row.values[column]).split(",")] for row in sentences]
    label = [max(found) for found in zip(*flags, strict=False)]
    joined = " ".join(str(row.values[text]) for row in sentences)
    return Row(sentences[0].location, {"id": name, "sentence": joined, "label": label})


def _each(
    rows: Rows, columns: Sequence[str], convert: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Iterator[Row | Problem]:
    for row in rows:
        if isinstance(row, Row) and all(name in row.values for name in columns):
            yield replace(row, values=_without_none(convert(row.values)))
        else:
            yield row


def _without_none(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _join_texts(texts: Any) -> Any:
    """What is no list of texts stays as it is, and is reported."""
    return " ".join(texts) if is_list(texts) and all(isinstance(text, str) for text in texts) else texts


_ORIGINALS: Mapping[str, Callable[[Rows], Rows]] = {"pubmedqa": _pubmedqa, "bioasq": _bioasq, "biosses": _biosses, "hoc": _hoc}
