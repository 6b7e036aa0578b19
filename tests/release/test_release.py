"""A sweep's winner, released: what plain transformers make of the folder, and what `predict` writes."""

from __future__ import annotations

import csv
import json
import shutil
import stat
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)
from typer.testing import CliRunner

from blurb_tune.cli.app import app
from blurb_tune.core.combination import Method
from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.execution.driver import run_sweep
from blurb_tune.log.record import SweepRecord
from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import load_tokenizer
from blurb_tune.preflight import make_plan
from blurb_tune.release.choice import choose
from blurb_tune.release.export import Exported, export
from blurb_tune.release.folder import FACTS, Facts
from blurb_tune.release.loading import load_model, load_models
from blurb_tune.release.predict import Predictor, predict
from blurb_tune.release.rows import read_table
from blurb_tune.report.provenance import Provenance
from blurb_tune.report.report_files import report_text
from blurb_tune.spec import load_spec
from blurb_tune.tasks.checking.task_data import load_test
from blurb_tune.tasks.encoding.features import Encoded, encode
from blurb_tune.tasks.examples import Row
from blurb_tune.tasks.scoring import intervals
from blurb_tune.tasks.scoring.metrics import evaluate
from blurb_tune.training.batch_runner import BatchRunner
from tests.disks import Disk
from tests.release.hub import NAME, Hub

pytestmark = pytest.mark.ray

WORDS = ("good", "bad", "fair")
# Two thirds of the rows are train; what is to be learned is which of the words stand there.
TASKS: dict[str, dict[str, Any]] = {
    "classification": {"kind": "classification", "text": "note"},
    "regression": {"kind": "regression", "text": ["note", "other"]},
    "multi-label": {"kind": "multi-label", "text": "note"},
    "token classification": {"kind": "token classification", "text": "words"},
    "extractive question answering": {"kind": "extractive question answering", "text": ["question", "note"]},
}
SOUPS = ("regression", "token classification")  # weights are averaged whatever they are of


def rows_of(kind: str, numbers: Sequence[int]) -> list[dict[str, Any]]:
    if kind == "classification":
        return [{"note": f"{WORDS[k % 2]} {WORDS[k % 2]} {k // 2}", "label": f"grade {k % 2}"} for k in numbers]
    if kind == "regression":  # in another unit than the one in which it is learned
        return [{"note": f"{WORDS[k % 2]} {k // 2}", "other": WORDS[k % 2], "label": 100.0 + 50 * (k % 2)} for k in numbers]
    if kind == "multi-label":
        flags = [(k % 2, k // 2 % 2) for k in numbers]
        return [
            {"note": f"{WORDS[a]} {('mild', 'severe')[b]}", "label": [name for name, on in (("ill", a), ("worse", b)) if on]}
            for a, b in flags
        ]
    if kind == "extractive question answering":
        notes = [(f"{'so ' * (k % 3)}the drug is {WORDS[k % 2]} , {k // 2}", WORDS[k % 2]) for k in numbers]
        return [{"question": "how is it", "note": note, "label": word} for note, word in notes]
    return [
        {
            "words": ["the", WORDS[k % 2], "drug", str(k // 2)],
            "label": ["O", "B-X" if k % 2 else "O", "I-X" if k % 2 else "O", "O"],
        }
        for k in numbers
    ]


@dataclass(frozen=True)
class Released:
    kind: str
    paths: SweepPaths
    exported: Exported
    test: Path
    rows: list[dict[str, Any]]

    @property
    def record(self) -> SweepRecord:
        return SweepRecord.read(self.paths.events)


@pytest.fixture(autouse=True, scope="module")
def _few_resamples() -> Iterator[None]:
    """Of test examples, for the intervals: what these cover is in tests of their own."""
    with mock.patch.object(intervals, "_RESAMPLES", 100):
        yield


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Released]:
    """A kind's sweep and its winner, made when the first test asks for them and kept for the others."""
    return cache(lambda kind: run_and_export(kind, tmp_path_factory.mktemp("release")))


@pytest.fixture(params=TASKS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def released(kind: str, release: Callable[[str], Released]) -> Released:
    return release(kind)


def run_and_export(kind: str, folder: Path) -> Released:
    splits = {"train": range(256), "dev": range(256, 304), "test": range(304, 324)}
    for split, numbers in splits.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of(kind, numbers)))
    task = {**{split: f"{split}.jsonl" for split in splits}, **TASKS[kind], "label": "label", "max_length": 16}
    space = {"strategy": ["vanilla"], "epochs": 3, "batch_size": 8, "learning_rate": 0.002}
    seeds = {"init": 2, "order": 2} if kind in SOUPS else 2  # soups are of runs with one initialization
    spec = {"task": task, "model": "tiny", "seeds": seeds, "space": space, "search": {"sampler": "grid"}}
    (folder / "spec.yaml").write_text(yaml.safe_dump(spec))
    paths = SweepPaths(folder / "sweep")
    run_sweep(make_plan(load_spec(folder / "spec.yaml")), paths)
    exported = export(paths, folder / "model")
    return Released(kind, paths, exported, folder / "test.jsonl", rows_of(kind, splits["test"]))


def test_the_folder_scores_what_the_sweep_has_measured(released: Released) -> None:
    assert released.exported.found == pytest.approx(released.exported.score, abs=1e-4)
    assert released.exported.score > 0.7, "it has learned something that could be lost"


def test_plain_transformers_predict_as_predict_does(released: Released, tmp_path: Path) -> None:
    folder = released.exported.folder
    predict(folder, released.test, tmp_path / "out.jsonl")
    ours = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [{name: row[name] for name in released.rows[0]} for row in ours] == released.rows
    is_tags = released.kind == "token classification"
    if released.kind == "extractive question answering":
        pytest.skip("another architecture")
    architecture = AutoModelForTokenClassification if is_tags else AutoModelForSequenceClassification
    model, tokenizer = architecture.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for row, found in zip(released.rows, ours, strict=True):
        texts = [row["words"]] if is_tags else [row[name] for name in ("note", "other") if name in row]
        with torch.no_grad():
            encoded = tokenizer(*texts, return_tensors="pt", truncation=True, is_split_into_words=is_tags)
            logits = model(**encoded).logits[0].double()
        if is_tags:
            words = [i for i, w in enumerate(encoded.word_ids()) if w is not None and w not in encoded.word_ids()[:i]]
            assert found["tags"] == [model.config.id2label[int(logits[i].argmax())] for i in words]
            assert found["tags"] == row["label"]
        elif released.kind == "regression":
            assert found["prediction"] == pytest.approx(logits.item(), abs=1e-3)
            assert abs(found["prediction"] - row["label"]) < 20, "it is in the unit of the data"
        elif released.kind == "multi-label":
            assert found["prediction"] == [model.config.id2label[i] for i, logit in enumerate(logits) if logit > 0]
        else:
            assert found["prediction"] == model.config.id2label[int(logits.argmax())] == row["label"]


def run_the_card(folder: Path, text: str, question: str = "") -> Any:
    """What the code of the card's last line gives."""
    code = (folder / "README.md").read_text().partition("```python\n")[2].partition("```")[0].replace("FOLDER", str(folder))
    code = code.replace('"..."', repr(question), 1) if question else code
    lines = code.replace('"..."', repr(text)).strip().splitlines()
    names: dict[str, Any] = {}
    exec("\n".join([*lines[:-1], f"found = {lines[-1]}"]), names)
    return names["found"]


def test_the_code_of_the_card_runs(released: Released) -> None:
    folder = released.exported.folder
    if released.kind == "extractive question answering":
        found = [run_the_card(folder, row["note"], row["question"]) for row in released.rows]
        assert found == [row["label"] for row in released.rows]
        return
    assert run_the_card(folder, "the drug is bad , 3")


def test_plain_transformers_find_the_answers(released: Released, tmp_path: Path) -> None:
    if released.kind != "extractive question answering":
        pytest.skip("of answers alone")
    folder = released.exported.folder
    predict(folder, released.test, tmp_path / "out.jsonl")
    model, tokenizer = AutoModelForQuestionAnswering.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for line in (tmp_path / "out.jsonl").read_text().splitlines():
        row = json.loads(line)
        encoded = tokenizer(row["question"], row["note"], return_tensors="pt", truncation="only_second")
        with torch.no_grad():
            found = model(**encoded)
        of_text = [number for number, part in enumerate(encoded.sequence_ids()) if part == 1]
        begins = [n for n in of_text if n == of_text[0] or encoded.token_to_word(n) != encoded.token_to_word(n - 1)]
        starts, ends = found.start_logits[0].tolist(), found.end_logits[0].tolist()
        first, last = max(((i, j) for i in begins for j in begins if i <= j), key=lambda of: starts[of[0]] + ends[of[1]])
        assert row["answer"]["start"] == encoded.token_to_chars(first).start
        assert row["answer"]["start"] <= encoded.token_to_chars(last).start < row["answer"]["end"]
        assert row["answer"]["text"] == row["note"][row["answer"]["start"] : row["answer"]["end"]] == row["label"]
        assert 0.5 < row["answer"]["probability"] <= 1


def test_the_card_is_one_of_the_hub_and_says_what_the_log_says(released: Released) -> None:
    card = ModelCard.load(released.exported.folder / "README.md")
    results = {result.dataset_split: result.metric_value for result in card.data.eval_results}
    test = released.record.tests[released.exported.trial]
    assert test.metrics is not None
    metric = released.exported.metric
    assert results == {"dev": released.exported.score, "test": test.metrics[metric]}
    assert released.record.header.sweep_id in card.text
    assert "vanilla" in card.text


def test_what_is_written_does_not_depend_on_the_batch_size(released: Released, tmp_path: Path) -> None:
    for size in (1, 7, 64):
        predict(released.exported.folder, released.test, tmp_path / f"{size}.jsonl", batch_size=size)
    assert (tmp_path / "1.jsonl").read_text() == (tmp_path / "7.jsonl").read_text() == (tmp_path / "64.jsonl").read_text()


def test_every_format_is_read_and_written(released: Released, tmp_path: Path) -> None:
    folder = released.exported.folder
    predict(folder, released.test, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    added = {"prediction", "probability", "probabilities", "tags", "entities", "answer"} & set(table.column_names)
    assert added
    pq.write_table(table.drop_columns(list(added)), tmp_path / "b.parquet")
    predict(folder, tmp_path / "b.parquet", tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = [{name: cell for name, cell in row.items() if name not in added} for row in csv.DictReader(file)]
    with (tmp_path / "d.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    predict(folder, tmp_path / "d.csv", tmp_path / "e.tsv")
    values = [[row.values for row in read_table(tmp_path / name)] for name in ("c.csv", "e.tsv")]
    assert values[0] == values[1]


def test_entities_are_places_in_the_text(released: Released, tmp_path: Path) -> None:
    if released.kind != "token classification":
        pytest.skip("of words alone")
    (tmp_path / "in.jsonl").write_text('{"words": "The bad drug, 7."}\n{"words": ["the", "good", "drug"]}\n')
    predict(released.exported.folder, tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    first, second = (json.loads(line)["entities"] for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert [(found["start"], found["end"], found["text"], found["label"]) for found in first] == [(4, 12, "bad drug", "X")]
    assert second == []


def test_the_facts_are_for_everybody_and_come_back_as_they_were_written(released: Released) -> None:
    folder = released.exported.folder
    model, _, facts = load_model(folder)
    assert (facts.kind, facts.trial) == (released.kind, released.exported.trial)
    assert not model.training
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o644 for file in folder.iterdir())
    assert [file.suffix for file in folder.iterdir() if file.suffix in (".bin", ".pt", ".pkl")] == []


def test_the_best_the_median_or_the_one_that_is_named(released: Released) -> None:
    record = released.record
    scores = {name: record.score(trial) for name, trial in record.trials.items()}
    best = choose(record).trial.trial_id
    assert scores[best] == max(score for score in scores.values() if score is not None)
    others = [name for name in scores if name != best]
    assert scores[choose(record, median=True).trial.trial_id] == statistics.median_low(scores.values())
    assert choose(record, others[0]).trial.trial_id == others[0]
    with pytest.raises(InputError, match=f"did you mean '{others[0]}'"):
        choose(record, f"{others[0]}x")


def test_nothing_is_half_written(released: Released, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is there already"):
        export(released.paths, released.exported.folder)
    weights = released.paths.weights / f"{released.exported.trial}.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-100])
    try:
        with pytest.raises(BlurbTuneError, match="cannot be read"):
            export(released.paths, tmp_path / "model")
    finally:
        weights.write_bytes(kept)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_holds_nothing_of_the_model(released: Released, disk: Disk) -> None:
    if released.kind != "classification":
        pytest.skip("one is enough")
    weights = (released.exported.folder / "model.safetensors").stat().st_size // 1024
    for kib in (weights // 2, weights + 8):  # the weights find no room, or the tokenizer behind them
        disk.resize(kib)
        with pytest.raises(BlurbTuneError, match=r"the model cannot be written: .*No space left on device"):
            export(released.paths, disk.folder / "model")
        assert list(disk.folder.iterdir()) == []


def test_an_upload_that_failed_is_tried_again_from_the_folder(released: Released, tmp_path: Path, hub: Hub) -> None:
    if released.kind != "classification":
        pytest.skip("one is enough")
    arguments = ["export", str(released.paths.root), "--median", "--to", str(tmp_path / "model"), "--push", NAME]
    hub.refusal = 403
    assert CliRunner().invoke(app, arguments).exit_code == ExitCode.FAILED
    before = {file.name: (file.stat().st_ino, file.read_bytes()) for file in (tmp_path / "model").iterdir()}
    hub.refusal = None
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == ExitCode.DONE, done.output
    facts = json.loads(done.stdout)
    assert (facts["trial"], facts["dev_score_of_folder"]) == (choose(released.record, median=True).trial.trial_id, None)
    assert {file.name: (file.stat().st_ino, file.read_bytes()) for file in (tmp_path / "model").iterdir()} == before
    assert hub.repositories[NAME].items() >= {name: content for name, (_, content) in before.items()}.items()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"remark": "x"}\n', "there is no column"),
        ("{}\n", "the columns are: none"),
        ("[1]\n", "expected a JSON object"),
        ("{\n", "this is no JSON"),
        ("", "there is no row in it"),
        ("\x80", "is not in UTF-8"),
    ],
)
def test_a_table_of_another_kind_is_told_and_nothing_is_written(
    released: Released, tmp_path: Path, text: str, what: str
) -> None:
    (tmp_path / "in.jsonl").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=what):
        predict(released.exported.folder, tmp_path / "in.jsonl", tmp_path / "out.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_folder_that_is_none_is_told(released: Released, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is no exported model"):
        Facts.read(tmp_path)
    facts = json.loads((released.exported.folder / FACTS).read_text())
    wrong: list[Any] = [{"format": 2}, {"kind": "x"}, {"labels": 3}, {"temperature": 0}]
    for broken in (*({**facts, **change} for change in wrong), [], "x"):
        (tmp_path / FACTS).write_text(json.dumps(broken))
        with pytest.raises(InputError, match="is not what `blurb-tune export` wrote"):
            Facts.read(tmp_path)


def test_the_temperature_leaves_predictions_and_lowers_the_loss() -> None:
    from blurb_tune.release.calibration import temperature_of
    from blurb_tune.tasks.encoding.features import Encoded
    from blurb_tune.tasks.kinds import CLASSIFICATION
    from blurb_tune.tasks.task import Task

    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 3))
    labels = np.array([rng.choice(3, p=np.exp(row) / np.exp(row).sum()) for row in logits])
    task = Task(name="t", kind=CLASSIFICATION, metric="accuracy", description="", max_length=8, labels=("a", "b", "c"))
    offsets = np.arange(len(labels) + 1)
    data = Encoded(np.zeros(len(labels), np.int32), None, offsets, labels, None, 0)
    assert temperature_of(task, 5 * logits, data) == pytest.approx(5, rel=0.1), "known from how they were drawn"


def test_python_has_the_same(released: Released, tmp_path: Path) -> None:
    import blurb_tune as bt

    sweep = bt.open(released.paths.root)
    assert sweep.export(tmp_path / "model") == tmp_path / "model"
    model, _ = sweep.best_model()
    with safe_open(tmp_path / "model" / "model.safetensors", "pt") as file:
        for name in file.keys():  # noqa: SIM118 (it is no mapping)
            torch.testing.assert_close(file.get_tensor(name), model.get_parameter(name), rtol=0, atol=0)


@pytest.fixture(scope="module")
def combine(
    release: Callable[[str], Released], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Method], tuple[Released, Exported]]:
    """Several runs of a kind's sweep, exported by a method, once."""

    @cache
    def made(kind: str, method: Method) -> tuple[Released, Exported]:
        folder = tmp_path_factory.mktemp("combined") / "model"
        return release(kind), export(release(kind).paths, folder, method=method)

    return made


@pytest.fixture(params=list(Method)[1:], ids=str)
def combined(
    request: pytest.FixtureRequest, kind: str, combine: Callable[[str, Method], tuple[Released, Exported]]
) -> tuple[Released, Exported]:
    if request.param.is_soup and kind not in SOUPS:
        pytest.skip("weights are averaged whatever they are of")
    return combine(kind, request.param)


def outputs_of(folder: Path, released: Released) -> tuple[np.ndarray, Encoded]:
    """Of one exported model on the test split, in the unit in which it is learned."""
    plan = make_plan(load_spec(released.paths.spec))
    model, tokenizer, facts = load_model(folder)
    selection = released.record.selection
    assert selection is not None
    test = encode(load_test(plan.source, selection), tokenizer, facts.max_length, plan.task)
    runner = BatchRunner(model, plan.task, tokenizer.pad_token_id, precision="fp32", micro_batch_size=1, eval_batch_size=64)
    outputs = runner.outputs(test).astype(float)
    if released.kind == "regression":
        outputs = (outputs - plan.task.scores.center) / plan.task.scores.unit
    return outputs, test


def test_what_the_log_says_of_several_runs_is_what_the_folder_does(combined: tuple[Released, Exported]) -> None:
    released, exported = combined
    of, plan = exported.combination, make_plan(load_spec(released.paths.spec))
    assert of is not None
    is_ensemble = of.method == Method.ENSEMBLE
    folders = [exported.folder / name for name in of.members] if is_ensemble else [exported.folder]
    every = [outputs_of(folder, released) for folder in folders]
    mean, test = np.mean([outputs for outputs, _ in every], axis=0), every[0][1]
    score = evaluate(plan.task, mean, test.labels, test.words).metrics[plan.metric]
    assert of.score == pytest.approx(score, abs=1e-4)
    assert of.examples == 20
    assert of.interval[0] <= of.score <= of.interval[1] or of.score == 1
    single = released.record.combinations[Method.SINGLE]
    tested = released.record.tests[single.members[0]].metrics
    assert single.score == pytest.approx(tested[plan.metric], abs=1e-6), "what the sweep's own test has"
    assert (single.difference, single.difference_interval) == (0, [0, 0])
    assert of.difference == pytest.approx(of.score - single.score)
    size = sum(file.stat().st_size for folder in folders for file in folder.glob("*.safetensors"))
    assert of.size == pytest.approx(size, rel=0.05)
    assert of.seconds > 0


def test_members_are_those_of_the_method(combined: tuple[Released, Exported]) -> None:
    released, exported = combined
    of, record = exported.combination, released.record
    assert of is not None
    seeds = {record.trials[name].seed for name in of.members}
    if of.method == Method.ENSEMBLE:
        assert seeds == set(range(4 if released.kind in SOUPS else 2))
        assert Facts.read(exported.folder).members == tuple(of.members)
        with pytest.raises(InputError, match="is an ensemble, no model; name one of its members"):
            load_model(exported.folder)
        return
    assert len({seed // 2 for seed in seeds}) == 1, "of one initialization"
    assert of.members[0] == choose(record).trial.trial_id
    assert of.method == Method.GREEDY_SOUP or len(seeds) == 2
    kept = [load_file(released.paths.weights / f"{name}.safetensors") for name in of.members]
    soup = load_model(exported.folder)[0]
    name, parameter = next(iter(soup.named_parameters()))  # of the embeddings, which no unit changes
    torch.testing.assert_close(parameter, torch.stack([each[name] for each in kept]).double().mean(0).float())
    if of.method == Method.GREEDY_SOUP:
        assert of.dev_score >= record.combinations[Method.SINGLE].dev_score


def test_all_methods_are_tested_at_once_and_once(combined: tuple[Released, Exported], tmp_path: Path) -> None:
    released, exported = combined
    if released.kind != "regression":
        pytest.skip("the same for all kinds")
    assert set(released.record.combinations) == set(Method)
    log = released.paths.events.read_bytes()
    assert exported.combination is not None
    again = export(released.paths, tmp_path / "model", method=Method(exported.combination.method))
    assert again.combination == exported.combination
    assert released.paths.events.read_bytes() == log


def test_several_runs_predict_and_say_what_they_are(combined: tuple[Released, Exported], tmp_path: Path) -> None:
    released, exported = combined
    assert predict(exported.folder, released.test, tmp_path / "out.jsonl") == 20
    card = ModelCard.load(exported.folder / "README.md")
    of = exported.combination
    assert of is not None
    assert {result.dataset_split: result.metric_value for result in card.data.eval_results} == {
        "dev": of.dev_score,
        "test": of.score,
    }
    assert all(name in card.text for name in of.members)
    report = report_text(released.record, Provenance(), "md")
    assert f"| {of.method} | {len(of.members)} |" in report


def test_an_ensemble_whose_members_differ_is_told(combined: tuple[Released, Exported], tmp_path: Path) -> None:
    _, exported = combined
    facts = Facts.read(exported.folder)
    if not facts.members:
        pytest.skip("one model")
    copy = tmp_path / "model"
    shutil.copytree(exported.folder, copy)
    replace(Facts.read(copy / facts.members[1]), max_length=8).write(copy / facts.members[1])
    with pytest.raises(InputError, match="is another model than the ensemble"):
        load_models(copy)
    shutil.rmtree(copy / facts.members[1])
    with pytest.raises(InputError, match=f"{facts.members[1]}: this is no exported model"):
        load_models(copy)
    replace(facts, members=("../other",)).write(copy)
    with pytest.raises(InputError, match="expected names of folders in this one"):
        load_models(copy)


def test_of_several_runs_nothing_is_half_written(released: Released, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="chooses one run"):
        export(released.paths, tmp_path / "model", trial=released.exported.trial, method=Method.ENSEMBLE)
    record = released.record
    other = next(name for name in record.trials if name != released.exported.trial)
    weights = released.paths.weights / f"{other}.safetensors"
    kept = weights.read_bytes()
    weights.unlink()
    try:
        with pytest.raises(BlurbTuneError, match=f"the weights of {other} "):
            export(released.paths, tmp_path / "model", method=Method.ENSEMBLE)
    finally:
        weights.write_bytes(kept)
    assert list(tmp_path.iterdir()) == []


def test_weights_and_labels_that_are_not_the_model_s_are_told(released: Released, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(released.exported.folder, copy)
    weights = load_file(copy / "model.safetensors")
    head = next(name for name in weights if name.startswith(("classifier", "qa_outputs")))
    save_file({name: tensor for name, tensor in weights.items() if name != head}, copy / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="its weights lack 1 tensors: classifier"):
        load_model(copy)
    (copy / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"the model cannot be loaded: .*model\.safetensors"):
        load_model(copy)
    shutil.copy(released.exported.folder / "model.safetensors", copy)
    facts = Facts.read(copy)
    if facts.labels:
        replace(facts, labels=(*facts.labels[:-1], "stranger")).write(copy)
        with pytest.raises(InputError, match=f"its config has the label '{facts.labels[-1]}'.*stranger"):
            load_model(copy)


def test_the_command_says_what_several_runs_are_worth(released: Released, tmp_path: Path) -> None:
    if released.kind != "regression":
        pytest.skip("the same for all kinds")
    sweep, folder = str(released.paths.root), tmp_path / "model"
    done = CliRunner().invoke(app, ["export", sweep, "--ensemble", "--to", str(folder)])
    assert done.exit_code == ExitCode.DONE, done.output
    assert "ensemble of c000-s" in done.stdout
    assert "beside the best single run; the sweep's report has all of it" in done.stdout
    assert "uniform soup" in released.paths.report.read_text(), "all methods stand there"
    assert len(json.loads(released.paths.summary.read_text())["combinations"]) == len(Method)
    done = CliRunner().invoke(app, ["export", sweep, "--soup", "greedy", "--to", str(tmp_path / "soup"), "--json"])
    facts = json.loads(done.stdout)
    assert facts["combination"]["method"] == "greedy soup"
    assert facts["dev_score"] == facts["combination"]["dev_score"]
    for options, said in ((["--soup", "thick"], "unknown soup 'thick'"), (["--median", "--ensemble"], "chooses one run")):
        done = CliRunner().invoke(app, ["export", sweep, *options, "--to", str(tmp_path / "other")])
        assert done.exit_code == ExitCode.BAD_INPUT
        assert said in done.stderr
        assert not (tmp_path / "other").exists()


def test_texts_without_a_masked_entity_are_of_another_task() -> None:
    relation = Facts("t", "classification", ("note",), ("0", "1"), None, ("@GENE$", "@DRUG$"), 16, "fp32", 1.0, "s", "c0-s0")
    predictor = Predictor([], load_tokenizer(describe_model("tiny")), relation, 1)
    rows = [Row(f"in.csv:{number}", {"note": note}) for number, note in ((2, "aspirin"), (3, "@DRUG$ acts on @GENE$"))]
    predictor.check(rows)
    with pytest.raises(InputError, match=r"in\.csv:2: entities must be masked .* @GENE\$, @DRUG\$; there is none in"):
        predictor.check(rows[:1])


def test_the_winner_is_registered_once(released: Released, monkeypatch: pytest.MonkeyPatch) -> None:
    from blurb_tune.release import register

    if released.kind != "token classification":
        pytest.skip("one is enough: tests of the registry are cheaper")
    first = register.register_winner(released.paths, "notes", lambda text: None)
    assert first.version.is_new
    assert first.why_no_champion == "vanilla fine-tuning itself has won, and nothing shows that it is better than the rest"
    monkeypatch.setattr(register, "export", lambda *_, **__: pytest.fail("it is there already"))
    again = register.register_winner(released.paths, "notes", lambda text: None)
    assert (again.version.number, again.version.is_new) == (first.version.number, False)
