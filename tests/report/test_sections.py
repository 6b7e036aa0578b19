"""What stands in a report beside answer, table and figures."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.blocks import Block, Bullets, Code, Facts, Paragraph, Section, Table
from blurb_tune.report.provenance import Provenance, provenance_of
from blurb_tune.report.sections import report_of
from blurb_tune.report.sections.bibliography import PAPERS, bibtex
from blurb_tune.report.summary import summarize
from tests.report.sweeps import SweepWriter, large_sweep, model_sweep, small_sweep


def section(record: SweepRecord, name: str, provenance: Provenance | None = None) -> Section:
    return next(section for section in report_of(record, provenance).sections if section.name == name)


def of_kind(section: Section, kind: type[Block]) -> list[Block]:
    return [block for block in section.blocks if isinstance(block, kind)]


def texts(section: Section) -> str:
    found = []
    for block in section.blocks:
        match block:
            case Paragraph() | Code():
                found.append(block.text)
            case Bullets():
                found += block.items
            case Facts():
                found += [f"{name}: {value}" for name, value in block.rows]
    return "\n".join(found)


def empty() -> SweepRecord:
    return SweepWriter().record


def errored() -> SweepRecord:
    sweep = SweepWriter()
    sweep.configuration("c0")
    sweep.trial("c0", 0, [], Outcome.ERRORED, error="OSError: gone")
    return sweep.finish()


def single_seed() -> SweepRecord:
    sweep = SweepWriter(seeds=(0,))
    for name, depth in (("c0", 0), ("c1", 2)):
        sweep.configuration(name, freeze_depth=depth)
        sweep.trial(name, 0, [0.4 + depth / 10])
    return sweep.finish()


def all_failed() -> SweepRecord:
    sweep = SweepWriter(trivial_loss=1.0)
    for name, depth in (("c0", 0), ("c1", 2)):
        sweep.configuration(name, freeze_depth=depth)
        for seed in (0, 1):
            sweep.trial(name, seed, [float("nan")], Outcome.COLLAPSED)
        sweep.end_configuration(name)
    sweep.no_result("4 of 4 runs failed")
    return sweep.finish()


def folds() -> SweepRecord:
    sweep = SweepWriter(folds=2)
    for name, depth in (("c0", 0), ("c1", 2)):
        sweep.configuration(name, freeze_depth=depth)
        for seed in (0, 1):
            for fold in (0, 1):
                sweep.trial(name, seed, [0.1 * seed + 0.2 * fold + depth / 10], fold=fold)
    return sweep.finish()


def confirmed() -> SweepRecord:
    sweep = SweepWriter(seeds=(0, 1), confirmation_seeds=[7, 8, 9, 10])
    for name, depth in (("c0", 0), ("c1", 2)):
        sweep.configuration(name, freeze_depth=depth)
        for seed in (0, 1):
            sweep.trial(name, seed, [0.2 + 0.1 * seed + depth / 10])
        sweep.end_configuration(name)
    sweep.select("c1", "c0")
    for name, level in (("c1", 0.4), ("c0", 0.2)):
        for seed in (7, 8, 9, 10):
            sweep.test(sweep.trial(name, seed, [level + seed / 1000]), level, (level - 0.2, level + 0.2))
    return sweep.finish()


@pytest.mark.parametrize(
    "record",
    [empty(), errored(), single_seed(), all_failed(), folds(), confirmed(), small_sweep().record, model_sweep().finish()],
    ids=["empty", "errored", "single seed", "all failed", "folds", "confirmed", "unfinished", "models"],
)
def test_every_kind_of_sweep_has_a_report(record: SweepRecord) -> None:
    report = report_of(record)
    names = [section.name for section in report.sections]
    assert len(set(names)) == len(names)
    assert {"machine-room", "notes", "origin", "methods"} <= set(names)
    assert ("strategies" in names) == bool(record.configurations)
    assert ("final" in names) == (record.selection is not None)
    for table in [block for section in report.sections for block in section.blocks if isinstance(block, Table)]:
        assert all(len(row.cells) == len(table.columns) for row in table.rows)


def test_what_stopping_saved_and_what_the_control_group_says() -> None:
    room = section(small_sweep().record, "machine-room")
    assert "Stopped: 2 runs, which saved 5 of 36 epochs (14 %)." in texts(room)
    assert (
        "Control group: 2 runs went on that a rule wanted stopped; 1 ended well (with 95 % confidence 9 % to 91 % would)."
        in (texts(room))
    )
    (rules,) = of_kind(room, Table)
    assert isinstance(rules, Table)
    assert [row.cells[0].text for row in rules.rows] == ["stuck", "median"]


def test_confirmation_and_test_tables() -> None:
    confirmation, test = of_kind(section(confirmed(), "final"), Table)
    assert isinstance(confirmation, Table)
    assert isinstance(test, Table)
    assert [row.cells[1].text for row in confirmation.rows] == ["freeze 2", "vanilla"]
    assert "+0.20" in confirmation.notes[0]
    assert "p = 0.029" in confirmation.notes[0]
    assert [row.cells[-1].value for row in test.rows] == [pytest.approx((0.2, 0.6)), pytest.approx((0.0, 0.4))]
    assert "20 items, read once, by the confirmation runs" in test.caption


def test_methods_name_what_was_used_and_nothing_else() -> None:
    used = texts(section(confirmed(), "methods"))
    assert "confirmed on 4 fresh seeds of it and of vanilla" in used
    assert "The test split was read once" in used
    assert "freezing of the lower encoder blocks" in used
    assert "re-initialization" not in used
    assert "@article{zou2007" in used
    assert "adastop2023" not in used
    assert "dodge2020" not in used
    plain = texts(section(single_seed(), "methods"))
    assert "test split" not in plain
    assert "confirmed" not in plain
    raced = large_sweep(3, 2)
    raced.stop_configuration("c0001", "race")
    assert "adastop2023" in texts(section(raced.record, "methods"))


def test_a_citation_in_the_text_has_its_entry() -> None:
    paragraph, references = section(confirmed(), "methods").blocks
    assert isinstance(paragraph, Paragraph)
    assert isinstance(references, Code)
    keys = re.findall(r"^@\w+\{(\w+),", references.text, re.MULTILINE)
    assert len(set(keys)) == len(keys)
    for key in keys:
        assert key == "tinn2023" or PAPERS[key].short_name in paragraph.text
    cited = {name for name in (of.short_name for of in PAPERS.values()) if name in paragraph.text}
    assert cited <= {PAPERS[key].short_name for key in keys}


def test_bibtex_has_only_known_fields() -> None:
    text = bibtex(["welch1947", "mosbach2021", "welch1947"])
    assert text.count("@article{welch1947,") == 1
    assert "  journal = {Biometrika},\n  volume = {34},\n  pages = {28},\n  year = {1947}" in text
    assert "eprint = {2006.04884}" in text
    assert "title" not in text


def test_the_spec_is_shown_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2222")
    paths = SweepPaths(tmp_path)
    paths.spec.write_text(
        "name: x\ntracking: {uri: 'http://me:s3cr3t@host:5000'}\nnotify: http://h/?token=abcdefgh#hunter2222\n"
    )
    known = provenance_of(paths)
    shown = texts(section(small_sweep().record, "origin", known))
    assert "name: x" in shown
    assert "blurb-tune run spec.yaml" in shown
    for secret in ("s3cr3t", "abcdefgh", "hunter2222"):
        assert secret not in shown


def test_a_folder_without_a_spec_has_a_report_without_one(tmp_path: Path) -> None:
    known = provenance_of(SweepPaths(tmp_path))
    assert known == Provenance()
    assert "run spec.yaml" not in texts(section(small_sweep().record, "origin", known))
    (tmp_path / "spec.yaml").write_bytes(b"\xff\xfe: [")
    assert provenance_of(SweepPaths(tmp_path)).settings == {}


def test_several_runs_as_one_model_stand_beside_the_best_single_run() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    sweep.configuration("c0")
    for seed in (0, 1):
        sweep.trial("c0", seed, [0.5])
    sweep.end_configuration("c0")
    sweep.select("c0", None)
    sweep.combine("ensemble", ["c0-s1", "c0-s0"], 0.65)
    sweep.combine("best single run", ["c0-s1"], 0.6, difference=0.0, difference_interval=[0.0, 0.0])
    (table,) = of_kind(section(sweep.finish(), "final"), Table)
    assert isinstance(table, Table)
    assert "20 items, read once" in table.caption
    rows = [[cell.text for cell in row.cells] for row in table.rows]
    assert rows == [
        ["best single run (c0-s1)", "1", "90.0", "4.0", "0.700", "0.600", "0.400 to 0.700", "–", "–"],
        ["ensemble", "2", "180.0", "4.0", "0.750", "0.650", "0.450 to 0.750", "+0.050", "−0.010 to +0.120"],
    ]
    assert "one model was made as ensemble, chosen on the dev split." in texts(section(sweep.record, "methods"))
    assert "Koehn 2004" in texts(section(sweep.record, "methods"))
    facts = summarize(sweep.record)["combinations"]
    assert [(of["method"], of["members"], of["score"]) for of in facts] == [
        ("ensemble", ["c0-s1", "c0-s0"], 0.65),
        ("best single run", ["c0-s1"], 0.6),
    ]


def test_without_a_test_split_several_runs_have_scores_on_dev_alone() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    sweep.configuration("c0")
    sweep.trial("c0", 0, [0.5])
    sweep.end_configuration("c0")
    sweep.select("c0", None)
    nothing = {"examples": 0, "interval": [], "difference": math.nan, "difference_interval": []}
    sweep.combine("uniform soup", ["c0-s0"], math.nan, dev_score=0.5, **nothing)
    (table,) = of_kind(section(sweep.finish(), "final"), Table)
    assert isinstance(table, Table)
    assert table.caption.endswith("pearson on dev")
    assert [cell.text for cell in table.rows[0].cells][4:] == ["0.500", "–", "–", "–", "–"]
    assert summarize(sweep.record)["combinations"][0]["score"] is None
