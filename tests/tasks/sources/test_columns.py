"""Columns that are read as wholes: decimal commas, other separators, flags, and words one by one."""

from __future__ import annotations

import pytest

from blurb_tune.core.errors import Problem
from blurb_tune.tasks import kinds
from blurb_tune.tasks.examples import NamedProblem, Row
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.sources.columns import coerce_columns, join_flags, join_words
from blurb_tune.tasks.task import Task


def _task(kind: Kind, *labels: str) -> Task:
    return Task(name="t", kind=kind, metric="", description="", max_length=8, fields=("text",), labels=labels)


def _read(kind: Kind, *cells: str, labels: tuple[str, ...] = (), separator: str | None = None) -> list[object]:
    rows: list[Row | Problem] = [Row(f"t:{index}", {"text": "a", "label": cell}) for index, cell in enumerate(cells)]
    read, _ = coerce_columns(_task(kind, *labels), rows, "t", separator=separator)
    return [row.values["label"] if isinstance(row, Row) else str(row) for row in read]


def test_decimal_commas_are_read_where_one_shows_that_it_is_none_of_thousands() -> None:
    assert _read(kinds.REGRESSION, "3,0", "1,25", "2", "0,125") == [3.0, 1.25, 2.0, 0.125]


def test_commas_in_doubt_are_decimal_where_that_is_known() -> None:
    assert _read(kinds.REGRESSION, "1,250", "2,000", "3", separator=",") == [1.25, 2.0, 3.0]


def test_commas_that_may_be_of_thousands_are_told_once() -> None:
    problem, *cells = _read(kinds.REGRESSION, "1,250", "2,000", "3")
    assert str(problem).startswith("t: 'label' has numbers like '1,250'")
    assert cells == []


@pytest.mark.parametrize("cells", [("1,5", "2.5"), ("1,2,3", "4"), ("1,x", "2")])
def test_other_commas_stay_to_be_told_by_row(cells: tuple[str, ...]) -> None:
    assert _read(kinds.REGRESSION, *cells)[0] == cells[0]


@pytest.mark.parametrize("mark", ["|", ",", " | "])
def test_bars_and_commas_stand_between_labels_that_also_stand_alone(mark: str) -> None:
    assert _read(kinds.MULTI_LABEL, f"cough{mark}fever", "cough", "fever", "") == [
        ["cough", "fever"],
        ["cough"],
        ["fever"],
        [],
    ]


def test_known_labels_say_what_stands_between_them() -> None:
    assert _read(kinds.MULTI_LABEL, "b,a", labels=("a", "b")) == [["b", "a"]]
    assert _read(kinds.MULTI_LABEL, "a,b", "c", labels=("a,b", "c")) == [["a,b"], ["c"]]


def test_a_comma_in_doubt_is_part_of_a_label_unless_the_separator_is_named() -> None:
    assert _read(kinds.MULTI_LABEL, "pain, chronic", "fever") == [["pain, chronic"], ["fever"]]
    assert _read(kinds.MULTI_LABEL, "pain, chronic", "fever", separator=",") == [["pain", "chronic"], ["fever"]]


def test_a_list_of_texts_is_one_text() -> None:
    rows: list[Row | Problem] = [
        Row("t:1", {"text": ["We tried.", "It did."], "label": "yes"}),
        Row("t:2", {"text": [], "label": "no"}),
    ]
    (first, second), _ = coerce_columns(_task(kinds.CLASSIFICATION), rows, "t")
    assert isinstance(first, Row)
    assert first.values["text"] == "We tried. It did."
    assert second == rows[1]


def test_columns_of_flags_are_one_label() -> None:
    rows: list[Row | Problem] = [
        Row("t:2", {"cough": "1", "fever": "0"}),
        Row("t:3", {"cough": 0, "fever": True}),
        Row("t:4", {"cough": "yes", "fever": "0"}),
    ]
    first, second, third = join_flags(rows, ("cough", "fever"), "both", "t")
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert (first.values["both"], second.values["both"]) == ([1, 0], [0, 1])
    assert third == Problem("t:4", "`cough` must be 0 or 1, but got 'yes'")


def test_a_column_of_flags_that_is_not_there_is_told_once() -> None:
    rows: list[Row | Problem] = [Row(f"t:{number}", {"cough": "1"}) for number in range(9)]
    (problem,) = join_flags(rows, ("cough", "coughs"), "both", "t")
    assert str(problem) == "t: there is no column 'coughs'; did you mean 'cough'?"


KEYS = [("text", "word"), ("label", "tag")]
WORDS = [("1", "Down", "B"), ("1", "syndrome", "I"), ("2", "He", "O"), ("2", "rests", "O")]


@pytest.mark.parametrize("is_first_alone", [False, True])
@pytest.mark.parametrize(("column", "named"), [("sentence_id", None), ("Sentence #", None), ("number", "number")])
def test_a_word_a_row_becomes_sentences(column: str, named: str | None, is_first_alone: bool) -> None:
    rows: list[Row | Problem] = []
    for index, (number, word, tag) in enumerate(WORDS):
        shown = number if index % 2 == 0 or not is_first_alone else ""
        rows.append(Row(f"t:{index + 2}", {column: shown, "text": word, "label": tag}))
    first, second = join_words(_task(kinds.TOKEN_CLASSIFICATION), rows, "t", named)
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert (first.location, first.values["text"], first.values["label"]) == ("t:2", ["Down", "syndrome"], ["B", "I"])
    assert (second.location, second.values["text"]) == ("t:4", ["He", "rests"])


def test_words_of_which_nothing_says_the_sentence_are_told_once() -> None:
    rows: list[Row | Problem] = [Row(f"t:{index}", {"text": "word", "label": "O"}) for index in range(40)]
    (problem,) = join_words(_task(kinds.TOKEN_CLASSIFICATION), rows, "t")
    assert isinstance(problem, Problem)
    assert problem.what.startswith(
        "each row holds one word; name the column that says to which sentence it belongs in `sentence`"
    )


@pytest.mark.parametrize("word", ["[", "[3H]thymidine", "[3]", "10\xa0mg"])
def test_a_word_may_look_like_a_list_and_hold_what_is_no_blank(word: str) -> None:
    cells = [("1", "of", "O"), ("1", word, "B"), ("2", "It", "O")]
    rows: list[Row | Problem] = [Row(f"t:{n}", {"sentence": s, "text": w, "label": t}) for n, (s, w, t) in enumerate(cells)]
    first, second = join_words(_task(kinds.TOKEN_CLASSIFICATION), rows, "t")
    assert isinstance(first, Row)
    assert isinstance(second, Row)
    assert (first.values["text"], first.values["label"], second.values["text"]) == (["of", word], ["O", "B"], ["It"])


@pytest.mark.parametrize(
    ("word", "tag", "faults"),
    [
        ("10 mg", "O", ['`text` must be one word, as in most rows, but got "10 mg"']),
        ("", "O", ['`text` must be one word, as in most rows, but got ""']),
        ("mg", "B-Body part", ['`label` must be one tag, as in most rows, but got "B-Body part"']),
        (None, None, [f"`{name}` must be one {what}, as in most rows, but got null" for name, what in KEYS]),
    ],
)
@pytest.mark.parametrize(("column", "named"), [("sentence", None), ("number", "number"), ("number", None)])
def test_one_odd_cell_makes_no_sentences_of_the_other_words(
    column: str, named: str | None, word: str | None, tag: str | None, faults: list[str]
) -> None:
    rows: list[Row | Problem] = [Row(f"t:{n}", {column: str(n // 10), "text": "word", "label": "O"}) for n in range(40)]
    rows[25] = Row("t:25", {column: "2", "text": word, "label": tag})
    *problems, last = join_words(_task(kinds.TOKEN_CLASSIFICATION), rows, "t", named)
    if column == "number" and named is None:
        assert isinstance(problems[0], NamedProblem)
        assert (problems[0].key, last) == ("sentence", Problem("t:25", "; ".join(faults)))
    else:
        assert problems[0] == Problem("t:25", "; ".join(faults))
        assert [len(row.values["text"]) for row in (*problems[1:], last) if isinstance(row, Row)] == [10, 10, 9, 10]


def test_short_sentences_with_a_tag_for_each_word_are_no_single_words() -> None:
    cells = [("gout", "B"), ("asthma", "B"), ("chest pain", "B I")] * 10
    rows: list[Row | Problem] = [Row(f"t:{n}", {"sent": str(n), "text": w, "label": t}) for n, (w, t) in enumerate(cells)]
    assert join_words(_task(kinds.TOKEN_CLASSIFICATION), rows, "t") == rows
    told = [row for row in join_words(_task(kinds.TOKEN_CLASSIFICATION), rows, "t", "sent") if isinstance(row, Problem)]
    assert [problem.where for problem in told] == [f"t:{n}" for n in range(2, 30, 3)]


def test_sentences_and_texts_stay_as_they_are() -> None:
    rows: list[Row | Problem] = [
        Row("t:2", {"text": "Down syndrome", "label": "B I"}),
        Row("t:3", {"text": "He", "label": "O"}),
    ]
    assert join_words(_task(kinds.TOKEN_CLASSIFICATION), rows, "t") == rows
    assert join_words(_task(kinds.CLASSIFICATION), rows, "t") == rows
