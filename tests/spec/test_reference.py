from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from blurb_tune.spec.reference import reference
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.spec.task import TaskSpec

PAGE = Path(__file__).parent.parent.parent / "docs" / "spec.md"


def test_the_page_on_all_settings_is_up_to_date() -> None:
    """If this fails: `python -m blurb_tune.spec.reference > docs/spec.md`."""
    assert PAGE.read_text() == reference()


def test_every_setting_says_what_it_means() -> None:
    for line in reference().splitlines():
        if line.startswith("| `"):
            assert len(line.split(" | ")[-1].strip(" |")) > 8, line


def test_the_settings_that_must_be_given_are_named_and_have_a_row() -> None:
    introduction, tables = reference().split("## The sweep")
    required = {name for model in (SweepSpec, TaskSpec) for name, field in model.model_fields.items() if field.is_required()}
    required -= {"name"}  # of the sweep, which is the spec's file name where it is left out
    assert required == {"task", "model", "text", "label", "kind"}
    for name in required:
        assert f"`{name}`" in introduction
        assert f"\n| `{name}` |  | " in tables


def test_every_section_has_a_table() -> None:
    headings = {line.removeprefix("## ") for line in reference().splitlines() if line.startswith("## ")}
    sections = dict(nested("", SweepSpec))
    assert {"pruning.race", "budget"} <= sections.keys() <= headings | {"pruning.pruner"}


def nested(prefix: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        of = field.annotation
        if isinstance(of, type) and issubclass(of, BaseModel):
            yield f"{prefix}{name}", of
            yield from nested(f"{prefix}{name}.", of)


def test_defaults_that_are_lists_are_written_as_one_writes_them() -> None:
    assert "| `seeds` | `5` |" in reference()
    assert "| `warm_start` | `[]` |" in reference()
