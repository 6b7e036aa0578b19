"""Reading YAML 1.2 within limits: plain data, or an answer that names file and line."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from blurb_tune.core.errors import InputError
from blurb_tune.spec import documents
from blurb_tune.spec.documents import MAX_BYTES, MAX_VALUES, compose, construct, dump
from blurb_tune.spec.source import read_source

SHIPPED = sorted((Path(__file__).parents[2] / "sweeps").glob("**/*.yaml"))


def locate(line: int | None) -> str:
    return f"s.yaml:{line}" if line else "s.yaml"


def load(text: str) -> Any:
    node = compose(text, locate)
    return None if node is None else construct(node, locate)


def fault(text: str) -> str:
    with pytest.raises(InputError) as error:
        load(text)
    (problem,) = error.value.problems
    return str(problem)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)) | st.sampled_from("\t\n"), max_size=20),
    st.from_regex(r"\A[-+0-9.oxeEa_:]{1,6}\Z"),
    st.sampled_from(["no", "Yes", "on", "~", "null", "TRUE", "1e5", "0o7", "0x1f", ".inf", "2024-13-01", "1:30", "<<", "="]),
)
plain = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("abcnoy<1.~", max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=200)
@given(plain)
def test_what_is_read_is_what_was_written(data: Any) -> None:
    """By this program in any version, whose YAML was 1.1, and by whoever else reads that."""
    text = dump({"data": data})
    assert load(text) == yaml.safe_load(text) == {"data": data}


# YAML 1.2.2, section 10.3.2, whose examples come first; then what 1.1 reads in another way.
PLAIN = {
    "[null, ~, ]": [None, None],
    "[true, True, false, FALSE]": [True, True, False, False],
    "[0, 0o7, 0x3A, -19]": [0, 7, 58, -19],
    "[0., -0.0, .5, +12e03, -2E+05]": [0.0, 0.0, 0.5, 12000.0, -200000.0],
    "[.inf, -.Inf, +.INF]": [float("inf"), float("-inf"), float("inf")],
    "[1e-5, 5e-05, 2.5E3, 1e3, .5e-3]": [0.00001, 0.00005, 2500.0, 1000.0, 0.0005],
    "[yes, No, on, OFF, y]": ["yes", "No", "on", "OFF", "y"],
    "[010, 08, 1_000, 0b1, 1:30:00, 2024-13-01]": [10, 8, "1_000", "0b1", "1:30:00", "2024-13-01"],
    "['1e-5', \"true\", !!str 12]": ["1e-5", "true", "12"],
}


@pytest.mark.parametrize(("text", "expected"), PLAIN.items(), ids=list(PLAIN))
def test_plain_texts_mean_what_yaml_1_2_says(text: str, expected: list[Any]) -> None:
    found = load(text)
    assert (found, list(map(type, found))) == (expected, list(map(type, expected)))


def test_nothing_but_plain_data_is_written() -> None:
    for value in (date(2024, 1, 1), {1, 2}, object()):
        with pytest.raises(yaml.YAMLError):
            dump({"a": value})


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_a_shipped_spec_is_read_as_yaml_reads_it(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert load(text) == yaml.safe_load(text)


def test_anchors_and_merged_keys_are_read_as_yaml_reads_them() -> None:
    text = "a: &a {x: 1, y: [1, 2]}\nb: {<<: *a, x: 2}\nc: [*a, &n 5, *n]\nd: {<<: [*a, {z: 3}]}\n"
    assert load(text) == yaml.safe_load(text)


def test_a_key_is_the_text_that_is_written() -> None:
    assert load("{on: 1, null: 2, 1: 3, 2024-01-01: 4, ~: 5, 1.0e+3: 6}") == {
        "on": 1,
        "null": 2,
        "1": 3,
        "2024-01-01": 4,
        "~": 5,
        "1.0e+3": 6,
    }


@st.composite
def documents_with_aliases(draw: st.DrawFn) -> tuple[str, int, int]:
    """A document of anchored lists that repeat earlier ones, how many values it stands for, and how deep it is."""
    sizes: list[int] = []
    heights: list[int] = []
    lines = []
    for number in range(draw(st.integers(1, 7))):
        items = draw(st.lists(st.integers(-1, number - 1), max_size=4))
        sizes.append(1 + sum(sizes[item] if item >= 0 else 1 for item in items))
        heights.append(1 + max([heights[item] if item >= 0 else 0 for item in items], default=-1))
        lines.append(f"k{number}: &a{number} [{', '.join(f'*a{item}' if item >= 0 else 'x' for item in items)}]")
    return "\n".join(lines), 1 + len(sizes) + sum(sizes), 1 + max(heights)


@settings(max_examples=200)
@given(documents_with_aliases(), st.integers(3, 200), st.integers(1, 8))
def test_what_an_alias_repeats_counts_each_time(document: tuple[str, int, int], most: int, deepest: int) -> None:
    text, size, depth = document
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "MAX_VALUES", most)
        patch.setattr(documents, "MAX_DEPTH", deepest)
        if size <= most and depth <= deepest:
            assert load(text) == yaml.safe_load(text)
        else:
            what = ["at most", "levels deep"][size <= most : 1 + (depth > deepest)]
            assert any(words in fault(text) for words in what)


BOMB = "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = BOMB.replace("[", "{<<: [").replace("]", "]}")
LIMITS = {
    "a bomb": ("a: &a [" + "lol, " * 9 + "]\n" + BOMB, "s.yaml:6: a spec has at most 100,000 values"),
    "a bomb of merged keys": ("a: &a {k: 1, l: 2}\n" + MERGE_BOMB, "s.yaml:6: a spec has at most 100,000 values"),
    "many values": ("a:\n" + "- 1\n" * 200_000, f"s.yaml:{MAX_VALUES - 1}: a spec has at most 100,000 values"),
    "an anchor within itself": ("space: &s\n  epochs: 2\n  strategy: [*s]\n", "s.yaml:3: *s stands within what it repeats"),
    "a key within itself": ("? &a [*a]\n: 1\n", "s.yaml:1: *a stands within what it repeats"),
    "no such anchor": ("\na: *b\n", "s.yaml:2: *b repeats an anchor that does not stand above it"),
    "the same anchor": ("a: &x 1\nb: &x 2\n", "s.yaml:2: the anchor &x stands twice"),
    "a deep list": ("a:\n  " + "[" * 500_000, "s.yaml:2: this is nested more than 20 levels deep"),
    "deep mappings": ("a: " + "{a: " * 250_000, "s.yaml:1: this is nested more than 20 levels deep"),
    "deep blocks": ("".join(" " * depth + "a:\n" for depth in range(1000)), "s.yaml:21: this is nested more than 20"),
    "deep by aliases": (
        "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 40)),
        "s.yaml:20: this is nested more than 20 levels deep",
    ),
    "a long text": ("a: b\nb: " + "x" * 500_000, "s.yaml:2: a text has at most 10,000 characters, but this has 500,000"),
    "a long number": ("a: b\nb: " + "9" * 500_000, "s.yaml:2: a text has at most 10,000 characters"),
    "a long key": ("x" * 900 + "x: 1\n? " + "y" * 500_000, "s.yaml:2: a text has at most 10,000 characters"),
    "what no file is called": ('a:\n- "b\\0c"', "s.yaml:2: a text cannot hold the control character \\x00"),
    "what a terminal obeys": ('a:\n- "\\e[2J"', "s.yaml:2: a text cannot hold the control character \\x1b"),
    "a key that a terminal obeys": ('a: 1\n"\\x9b2J": 2', "s.yaml:2: a text cannot hold the control character \\x9b"),
    "half a character": ("a: 1\nb: \udc80", "s.yaml:2: this is not valid YAML: \\udc80 is no character"),
    "a truth that is none": ("a: !!bool maybe", "s.yaml:1: this is not valid YAML: cannot read 'maybe' as a bool"),
    "a number of no digits": ("a: !!int ''", "s.yaml:1: this is not valid YAML: cannot read '' as a int"),
    "many keys": ("".join(f"k{key}: 1\n" for key in range(1_001)), "s.yaml:1: a mapping has at most 1,000 keys"),
    "two documents": ("a: 1\n---\nb: 1\n", "s.yaml:2: a second document begins here; expected one"),
    "an open list": ("a: 1\nb: [1,\n", "not valid YAML: did not find expected node content while parsing a flow"),
    "a wrong character": ("a: 1\nb: \x01\n", "s.yaml:2: this is not valid YAML: control characters are not allowed"),
    "a tag of what it is not": ("a: 1\nb: !!int x\n", "s.yaml:2: this is not valid YAML: invalid literal"),
    "a date": ("a: !!timestamp 2024-01-01\n", "s.yaml:1: this is not valid YAML: could not determine"),
    "a list as a key": ("a: 1\n[1]: 2\n", "s.yaml:2: this is not valid YAML: found unhashable key"),
    "a command": ("a: !!python/object/apply:os.system ['false']\n", "s.yaml:1: this is not valid YAML: could not determine"),
}


@pytest.mark.parametrize(("text", "expected"), LIMITS.values(), ids=list(LIMITS))
def test_what_cannot_be_read_is_told_with_its_line(text: str, expected: str) -> None:
    found = fault(text)
    assert expected in found
    assert len(found) < 1200


def test_more_than_a_spec_can_be_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("task: demo\nmodel: tiny\n" + "#" * MAX_BYTES)
    for path in (file, Path("/dev/zero")):
        with pytest.raises(InputError, match="at most 1,048,576 bytes"):
            read_source(path)
