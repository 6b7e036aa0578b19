"""docs/own-data.md: every example of it validates, on tables such as it speaks of."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blurb_tune.preflight import make_plan
from blurb_tune.spec import load_spec

PAGE = Path(__file__).parent.parent / "docs" / "own-data.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


def _table(file: Path, header: list[str], rows: list[list[Any]]) -> None:
    with file.open("w", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t" if file.suffix == ".tsv" else ",")
        writer.writerows([header, *rows])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables that the page speaks of; the test table is one that nobody can read."""
    folder = tmp_path_factory.mktemp("own-data")
    for name in ("notes", "notes-dev"):
        rows = [[f"{name}{i}", f"{name}, {i}", "yes" if i % 3 == 0 else "no"] for i in range(30)]
        _table(folder / f"{name}.csv", ["key", "note", "urgent"], rows)
    (folder / "notes-test.csv").write_bytes(b"\xff")
    results = ["worse", "same", "better"]
    _table(folder / "trials.csv", ["abstract", "result"], [[f"Trial {i}", results[i % 3]] for i in range(30)])
    _table(folder / "pairs.tsv", ["sentence_a", "sentence_b", "score"], [[f"a {i}", f"b {i}", i / 10] for i in range(30)])
    findings = ["cough;fever", "", "fever", "cough"]
    _table(folder / "reports.csv", ["report", "findings"], [[f"r {i}", findings[i % 4]] for i in range(30)])
    tagged = {"words": ["Down", "syndrome", "is"], "tags": ["B-Disease", "I-Disease", "O"]}
    lines = [json.dumps({"id": i, "words": [*tagged["words"], str(i)], "tags": [*tagged["tags"], "O"]}) for i in range(20)]
    (folder / "entities.jsonl").write_text("\n".join(lines))
    relations = {"sentence": [f"@DRUG$ {i} @GENE$" for i in range(30)], "relation": ["none", "up", "down"] * 10}
    pq.write_table(pa.table(relations), folder / "relations.parquet")
    return folder


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.splitlines()[0][:30])
def test_every_example_is_valid(example: str, folder: Path) -> None:
    (folder / "s.yaml").write_text(example if "model:" in example else f"{example}model: tiny\n")
    plan = make_plan(load_spec(folder / "s.yaml", ["model=tiny"]), check_machine="hub:" not in example)
    assert plan.trials > 0
    assert plan.train_examples is None or plan.train_examples > plan.dev_examples or plan.source.splits.has("dev")


def test_the_page_has_an_example_of_every_kind() -> None:
    kinds = {kind for example in EXAMPLES for kind in re.findall(r"kind: ([\w -]+)", example)}
    assert {kind.strip() for kind in kinds} == {"classification", "regression", "multi-label", "token classification"}
