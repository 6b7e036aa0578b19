"""Tags of other people's corpora, read as BLURB's: other schemes, and entities of several types."""

from __future__ import annotations

import pytest

from blurb_tune.core.errors import InputError
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.checking.parsing import parse
from blurb_tune.tasks.examples import Row
from blurb_tune.tasks.importing.tags import with_tags
from blurb_tune.tasks.task import Task


def _read(task: Task, tags: str) -> tuple[str, list[str]]:
    """The tags of one sentence as the task reads them, and what is said of them."""
    rows = [Row("t:1", {"id": "1", "tokens": ["w"] * len(tags.split()), "ner_tags": tags.split()})]
    task, remarks = with_tags(task, rows, "t")
    (example,), problems = parse(task, rows, "t")
    assert problems == []
    return " ".join(task.labels[index] for index in task.kind.indices(example.label)), remarks


@pytest.mark.parametrize(
    ("tags", "expected", "remark"),
    [
        ("B I O", "B I O", None),
        ("B-Disease I-Disease O", "B I O", "B-Disease, I-Disease read as plain B and I"),
        ("S-Disease B-Disease I-Disease E-Disease O", "B B I I O", "the tags of IOBES are read as B and I"),
        ("U-Disease B-Disease I-Disease L-Disease O", "B B I I O", "the tags of BILOU are read as B and I"),
        ("W-Disease B-Disease M-Disease E-Disease O", "B B I I O", "the tags of BMEWO are read as B and I"),
        ("S B E O", "B B I O", "the tags of IOBES are read as B and I"),
        ("I-Disease I-Disease O", "I I O", "there is no B tag (scheme IO): entities that touch are read as one"),
    ],
)
def test_schemes_are_named_and_read(tags: str, expected: str, remark: str | None) -> None:
    found, remarks = _read(TASKS["bc5-disease"], tags)
    assert found == expected
    assert remark is None or remark in remarks


@pytest.mark.parametrize(("name", "expected"), [("bc5-disease", "B I O O O"), ("bc5-chem", "O O B I O")])
def test_of_several_types_the_task_s_own_are_kept(name: str, expected: str) -> None:
    found, remarks = _read(TASKS[name], "B-Disease I-Disease B-Chemical I-Chemical O")
    assert found == expected
    left, kept = ("Disease", "Chemical") if name == "bc5-chem" else ("Chemical", "Disease")
    assert f"{left} (2 words) left out, of another type than {kept}" in remarks


def test_types_that_a_task_has_as_one_class_are_one() -> None:
    assert _read(TASKS["jnlpba"], "B-DNA I-DNA B-protein B-cell_line O")[0] == "B I B B O"


def test_several_types_of_which_none_is_the_task_s_are_refused() -> None:
    with pytest.raises(InputError) as error:
        _read(TASKS["bc5-disease"], "B-Species I-Species B-Gene O")
    (problem,) = error.value.problems
    assert problem.what.startswith("there are entities of several types (Gene, Species), of which none is called like")
    assert problem.what.endswith("expected Disease, or plain tags B, I and O")


@pytest.mark.parametrize("tag", ["X", ""])
def test_tags_that_are_none_stay_to_be_told(tag: str) -> None:
    rows = [Row("t:1", {"id": "1", "tokens": ["w"], "ner_tags": [tag]})]
    task, remarks = with_tags(TASKS["ncbi-disease"], rows, "t")
    assert (task, remarks) == (TASKS["ncbi-disease"], [])
    _, (problem,) = parse(task, rows, "t")
    assert problem.where == "t:1"
