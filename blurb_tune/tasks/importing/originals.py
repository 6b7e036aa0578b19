"""Files of the data sets' own makers and of BLUE (Peng et al. 2019, arXiv 1906.05474), read as BLURB has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from blurb_tune.core.errors import Problem
from blurb_tune.tasks.examples import Row, is_list, short_repr
from blurb_tune.tasks.task import Task

Rows = list[Row | Problem]
# BLUE's labels of a sentence: the number of each hallmark and whether the sentence has it.
_HALLMARKS = re.compile(",".join(rf"{index}_[01]" for index in range(10)))


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
    label = next((name for name in ("labels", "label") if any(_has_hallmarks(row, name) for row in found)), None)
    text = next((name for name in ("sentence1", "sentence") if any(name in row.values for row in found)), None)
    if label is None or text is None:
        return rows
    problems: list[Problem] = []
    documents: dict[str, list[Row]] = {}
    for row in rows:
        if isinstance(row, Problem):
            problems.append(row)
        elif fault := _sentence_fault(row, text, label):
            problems.append(Problem(row.location, fault))
        else:
            documents.setdefault(str(row.values["index"]).partition("_")[0], []).append(row)
    return [*problems, *(_document(name, sentences, text, label) for name, sentences in documents.items())]


def _has_hallmarks(row: Row, label: str) -> bool:
    return _HALLMARKS.fullmatch(str(row.values.get(label))) is not None


def _sentence_fault(row: Row, text: str, label: str) -> str | None:
    if absent := [name for name in ("index", text) if name not in row.values]:
        return f"`{absent[0]}` is missing"
    if not _has_hallmarks(row, label):
        what = "must have all ten hallmarks, as in 0_0,1_0,2_1,...,9_0"
        return f"`{label}` {what}, but got {short_repr(row.values.get(label))}"
    return None


def _document(name: str, sentences: Sequence[Row], text: str, label: str) -> Row:
    flags = [[int(part[-1]) for part in row.values[label].split(",")] for row in sentences]
    values = {"id": name, "sentence": " ".join(str(row.values[text]) for row in sentences)}
    return Row(sentences[0].location, {**values, "label": [max(found) for found in zip(*flags, strict=True)]})


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
