"""Reading JSON lines: what is wrong is named, with its line, all of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blurb_tune.tasks.examples import MAX_PROBLEMS, Example, parse
from blurb_tune.tasks.task import TASKS

BIOSSES, PUBMEDQA = TASKS["biosses"], TASKS["pubmedqa"]
GOOD = {"id": "7", "sentence1": "A.", "sentence2": "B.", "label": 2.5}


def _lines(*records: dict[str, Any] | str) -> bytes:
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records).encode()


def _without(key: str) -> dict[str, Any]:
    return {k: v for k, v in GOOD.items() if k != key}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "expected a JSON object, but this is no JSON"),
        ("{'id': 1}", "expected a JSON object, but this is no JSON"),
        ("[" * 100_000, "expected a JSON object, but this is no JSON"),
        ("[1, 2]", "expected a JSON object, but got [1, 2]"),
        ('"text"', 'expected a JSON object, but got "text"'),
        (_without("id"), "`id` is missing"),
        ({**GOOD, "id": " "}, '`id` must be a string or an integer, but got " "'),
        ({**GOOD, "id": True}, "`id` must be a string or an integer, but got true"),
        (_without("sentence1"), "`sentence1` is missing"),
        ({**GOOD, "sentence2": "  "}, "`sentence2` is empty"),
        ({**GOOD, "sentence2": None}, "`sentence2` must be a string, but got null"),
        ({**GOOD, "sentence1": ["a"]}, '`sentence1` must be a string, but got ["a"]'),
        ({**GOOD, "sentence1": "\ud800"}, "`sentence1` holds half a surrogate pair, which is no character"),
        (_without("label"), "`label` is missing; expected a number from 0 to 4"),
        ({**GOOD, "label": "2.5"}, '`label` must be a number from 0 to 4, but got "2.5"'),
        ({**GOOD, "label": True}, "`label` must be a number from 0 to 4, but got true"),
        ({**GOOD, "label": float("nan")}, "`label` must be a number from 0 to 4, but got NaN"),
        ({**GOOD, "label": float("inf")}, "`label` must be a number from 0 to 4, but got Infinity"),
        ({**GOOD, "label": 4.01}, "`label` must be a number from 0 to 4, but got 4.01"),
        ({**GOOD, "label": 10**400}, f"`label` must be a number from 0 to 4, but got 1{'0' * 59}..."),
    ],
)
def test_each_fault_is_named_with_its_line(line: dict[str, Any] | str, expected: str) -> None:
    examples, problems = parse(BIOSSES, _lines({**GOOD, "id": "a"}, line, {**GOOD, "id": "b"}), "train.jsonl")
    assert [example.id for example in examples] == ["a", "b"]
    assert [problem.where for problem in problems] == ["train.jsonl:2"]
    assert problems[0].what.startswith(expected)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Yes", "unknown label \"Yes\"; did you mean 'yes'?"),
        ("maybee", "unknown label \"maybee\"; did you mean 'maybe'?"),
        ("42", 'unknown label "42"; expected one of: maybe, no, yes'),
        (2, "`label` must be one of: maybe, no, yes, but got 2"),
        (["yes"], '`label` must be one of: maybe, no, yes, but got ["yes"]'),
    ],
)
def test_a_label_outside_the_set_gets_the_nearest_valid_one(label: Any, expected: str) -> None:
    examples, problems = parse(PUBMEDQA, _lines({**GOOD, "label": label}), "dev.jsonl")
    assert not examples
    assert [str(problem) for problem in problems] == [f"dev.jsonl:1: {expected}"]


def test_all_faults_of_a_line_and_of_a_file_come_together() -> None:
    content = _lines(
        {"id": "a", "sentence1": "", "label": 9}, GOOD, "nonsense", {**GOOD, "label": -1}, {**GOOD, "label": None}
    )
    _, problems = parse(BIOSSES, content, "t")
    assert [p.where for p in problems] == ["t:1", "t:1", "t:1", "t:3", "t:4", "t:4", "t:5", "t:5"]
    assert [p.what.split(";")[0] for p in problems[4:]] == [
        "`label` must be a number from 0 to 4, but got -1",
        'id "7" stands in line 2 already',
        "`label` must be a number from 0 to 4, but got null",
        'id "7" stands in line 2 already',
    ]


def test_ids_may_be_integers_and_are_compared_as_text() -> None:
    _, problems = parse(BIOSSES, _lines({**GOOD, "id": 1}, {**GOOD, "id": "1"}), "t")
    assert [str(p) for p in problems] == ['t:2: id "1" stands in line 1 already; ids must differ within a file']


def test_a_line_that_is_not_utf8_is_named() -> None:
    content = _lines(GOOD) + b'{"id": "8", "sentence1": "caf\xe9"}\n'
    examples, problems = parse(BIOSSES, content, "t")
    assert len(examples) == 1
    assert [str(p) for p in problems] == ["t:2: not UTF-8 (byte 30 of the line: invalid continuation byte)"]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_named(content: bytes) -> None:
    assert [str(p) for p in parse(BIOSSES, content, "t")[1]] == ["t: the file is empty; expected one JSON object a line"]


@pytest.mark.parametrize(("wrong", "last"), [(20, None), (21, "t: and 1 more problem in this file"), (50, "t: and 30 more")])
def test_long_lists_are_cut_with_a_count_of_the_rest(wrong: int, last: str | None) -> None:
    _, problems = parse(BIOSSES, _lines(*["x"] * wrong), "t")
    assert [p.where for p in problems[:MAX_PROBLEMS]] == [f"t:{i}" for i in range(1, MAX_PROBLEMS + 1)]
    assert len(problems) == MAX_PROBLEMS + (last is not None)
    assert last is None or str(problems[-1]).startswith(last)


@pytest.mark.parametrize(
    "change",
    [lambda c: c, lambda c: c[:-1], lambda c: b"\xef\xbb\xbf" + c, lambda c: c.replace(b"\n", b"\r\n")],
    ids=["as written", "no newline at the end", "byte order mark", "Windows line ends"],
)
def test_harmless_variants_of_the_file_read_alike(change: Callable[[bytes], bytes]) -> None:
    examples, problems = parse(BIOSSES, change(_lines(GOOD, {**GOOD, "id": "8", "label": 0})), "t")
    assert not problems
    assert examples == [Example("7", "A.", "B.", 2.5), Example("8", "A.", "B.", 0.0)]
    assert type(examples[1].label) is float


def test_unicode_line_separators_inside_a_text_do_not_end_the_line() -> None:
    text = "one\u2028two\x85three"
    examples, problems = parse(BIOSSES, json.dumps({**GOOD, "sentence1": text}, ensure_ascii=False).encode(), "t")
    assert not problems
    assert examples[0].text_a == text


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
_RECORDS = st.fixed_dictionaries(
    {"id": _TEXTS, "sentence1": _TEXTS, "sentence2": _TEXTS, "label": st.sampled_from(PUBMEDQA.labels)}
)


@settings(deadline=None)
@given(st.lists(_RECORDS, min_size=1, max_size=8, unique_by=lambda record: record["id"]), st.booleans())
def test_valid_records_come_back_whole_and_in_order(records: list[dict[str, Any]], ascii_only: bool) -> None:
    content = "\n".join(json.dumps(record, ensure_ascii=ascii_only) for record in records).encode()
    examples, problems = parse(PUBMEDQA, content, "t")
    assert not problems
    back = [
        {"id": e.id, "sentence1": e.text_a, "sentence2": e.text_b, "label": PUBMEDQA.labels[int(e.label)]} for e in examples
    ]
    assert back == records


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_content_raises(content: bytes) -> None:
    examples, problems = parse(BIOSSES, content, "t")
    assert examples or problems
