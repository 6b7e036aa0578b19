"""Importing BLURB data sets from other formats: what is written reads back as the same examples."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blurb_tune.core.errors import InputError
from blurb_tune.log.events import SelectionMade
from blurb_tune.tasks import kinds
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.checking.task_data import load_data, load_test
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.importing.copying import Imported, import_data_sets
from blurb_tune.tasks.importing.foreign import find_data_sets
from blurb_tune.tasks.sources.data_source import find_source
from blurb_tune.tasks.sources.splits import SPLITS
from blurb_tune.tasks.task import Task

Rows = Sequence[Mapping[str, Any]]
SELECTION = SelectionMade(configuration="c", reference=None)

BIOSSES, PUBMEDQA, HOC, NER, PICO, GAD = (TASKS[name] for name in ("biosses", "pubmedqa", "hoc", "bc2gm", "ebm-pico", "gad"))
ROWS: dict[str, Rows] = {
    "biosses": [{"sentence1": f'A, "{i}"', "sentence2": "B", "label": float(i)} for i in range(3)],
    "pubmedqa": [{"sentence1": f"Q {i}?", "sentence2": "C", "label": label} for i, label in enumerate(["yes", "no", "maybe"])],
    "gad": [{"sentence": f"@GENE$ {i}", "label": label} for i, label in enumerate(["0", "1", "1"])],
    "hoc": [{"sentence": f"S {i}", "label": [int(i == j) for j in range(10)]} for i in range(10)],
    "bc2gm": [{"tokens": ["p53", "is", str(i)], "ner_tags": ["B", "I", "O"]} for i in range(3)],
    "ebm-pico": [{"tokens": ["a", "b", "c", "d"], "ner_tags": ["B-PAR", "B-INT", "O", "B-OUT"]}],
}


def _lines(rows: Rows, file: Path) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _array(rows: Rows, file: Path) -> None:
    file.write_text(json.dumps(list(rows), indent=1))


def _table(rows: Rows, file: Path) -> None:
    """Lists become text as a table has it: labels with semicolons, words and tags with blanks."""

    def cell(name: str, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        if name == "label":
            return ";".join(label for label, flag in zip(HOC.labels, value, strict=True) if flag)
        return " ".join(value)

    with file.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter="\t" if file.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows({name: cell(name, value) for name, value in row.items()} for row in rows)


def _parquet(rows: Rows, file: Path) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), file)


def _conll(rows: Rows, file: Path) -> None:
    sentences = ["".join(f"{w}\t{t}\n" for w, t in zip(row["tokens"], row["ner_tags"], strict=True)) for row in rows]
    file.write_text("-DOCSTART-\tO\n\n" + "\n".join(sentences))


WRITERS: dict[str, Callable[[Rows, Path], None]] = {
    "train.json": _lines,
    "train.array.json": _array,
    "train.jsonl": _lines,
    "train.csv": _table,
    "train.tsv": _table,
    "train.parquet": _parquet,
}
CONLL = {"train.conll": _conll, "train.txt": _conll, "train.bio": _conll, "train.words.tsv": _conll}


def write(folder: Path, rows: Rows, *, name: str = "train.json", dev: str = "dev") -> Path:
    """A data set with these rows in each of its splits, in the format that `name` stands for."""
    folder.mkdir(parents=True, exist_ok=True)
    ending = Path(name).suffix
    for split in ("train", dev, "test"):
        (WRITERS | CONLL)[name](rows, folder / f"{split}{ending}")
    return folder


def take(source: Path, target: Path, task: Task | None = None, *, force: bool = False) -> list[Imported]:
    found, _ = find_data_sets(source, task)
    return import_data_sets(found, target, [].append, force=force)


def examples(folder: Path, task: Task) -> dict[str, tuple[Example, ...]]:
    source = find_source(task, str(folder))
    data = load_data(source)
    return {"train": data.train, "dev": data.dev, "test": load_test(source, SELECTION)}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("task", [BIOSSES, PUBMEDQA, GAD, HOC, NER, PICO], ids=lambda task: task.name)
def test_every_format_gives_the_same_examples(tmp_path: Path, task: Task, name: str) -> None:
    write(tmp_path / "source" / task.data_set.folder, ROWS[task.name], name=name)
    (done,) = take(tmp_path / "source", tmp_path / "blurb")
    assert done.folder == tmp_path / "blurb" / task.data_set.folder
    assert set(done.counts.values()) == {len(ROWS[task.name])}
    reference = [{"id": str(i), **row} for i, row in enumerate(ROWS[task.name], start=1)]
    write(tmp_path / "reference" / task.data_set.folder, reference, name="train.jsonl")
    assert examples(tmp_path / "blurb", task) == examples(tmp_path / "reference", task)


@pytest.mark.parametrize("name", CONLL)
@pytest.mark.parametrize("task", [NER, PICO], ids=lambda task: task.name)
def test_conll_gives_the_same_examples(tmp_path: Path, task: Task, name: str) -> None:
    write(tmp_path / "conll" / task.data_set.folder, ROWS[task.name], name=name, dev="devel")
    write(tmp_path / "lines" / task.data_set.folder, ROWS[task.name])
    for form in ("conll", "lines"):
        take(tmp_path / form, tmp_path / "blurb" / form)
    assert examples(tmp_path / "blurb" / "conll", task) == examples(tmp_path / "blurb" / "lines", task)


def test_linkbert_s_folder_is_read_as_a_whole(tmp_path: Path) -> None:
    source = tmp_path / "data"
    places = {
        "seqcls/BIOSSES_hf": "biosses",
        "seqcls/HoC_hf": "hoc",
        "tokcls/BC2GM_hf": "bc2gm",
        "tokcls/ebmnlp_hf": "ebm-pico",
    }
    for place, name in {**places, "mc/medqa_usmle_hf": "pubmedqa"}.items():
        write(source / place, ROWS[name])
    found, strangers = find_data_sets(source)
    assert [data_set.task.name for data_set in found] == ["biosses", "hoc", "bc2gm", "ebm-pico"]
    assert strangers == [source / "mc" / "medqa_usmle_hf"]
    assert [done.folder.name for done in take(source, tmp_path / "blurb")] == ["BIOSSES", "HoC", "BC2GM", "EBM-PICO"]
    assert [data_set.task.name for data_set in find_data_sets(source, HOC)[0]] == ["hoc"]
    assert [data_set.task.name for data_set in find_data_sets(source / "seqcls" / "HoC_hf")[0]] == ["hoc"]


def test_parts_of_a_split_are_put_together(tmp_path: Path) -> None:
    folder = write(tmp_path / "BIOSSES", ROWS["biosses"], name="train.parquet", dev="validation")
    (folder / "train.parquet").rename(folder / "train-00000-of-00002.parquet")
    _parquet([{**row, "sentence1": "other"} for row in ROWS["biosses"]], folder / "train-00001-of-00002.parquet")
    (done,) = take(folder, tmp_path / "blurb")
    assert dict(done.counts) == {"train": 6, "dev": 3, "test": 3}


def test_a_folder_of_another_name_needs_the_task(tmp_path: Path) -> None:
    source = write(tmp_path / "my-corpus", ROWS["bc2gm"])
    with pytest.raises(
        InputError, match="no folder is called like a data set of BLURB; name it with --task; found: my-corpus"
    ):
        find_data_sets(source)
    (done,) = take(source, tmp_path / "blurb", NER)
    assert done.folder == tmp_path / "blurb" / "BC2GM"


def test_types_of_entities_are_dropped_and_that_is_said(tmp_path: Path) -> None:
    rows = [{"tokens": ["a", "b", "c"], "ner_tags": ["B-GENE", "I-GENE", "O"]}]
    (done,) = take(write(tmp_path / "BC2GM", rows), tmp_path / "blurb")
    assert examples(tmp_path / "blurb", NER)["test"][0].label == (0, 1, 2)
    assert done.remarks[0] == "bc2gm train: B-GENE, I-GENE read as plain B and I"


def test_what_was_published_otherwise_is_said(tmp_path: Path) -> None:
    (done,) = take(write(tmp_path / "BIOSSES", ROWS["biosses"]), tmp_path / "blurb")
    assert done.remarks == tuple(
        f"biosses {split}: 3 examples, published {count}" for split, count in (("train", 64), ("dev", 16), ("test", 20))
    )


def test_units_are_entities_words_or_examples() -> None:
    tagged = [Example("1", ("a", "b", "c", "d"), (0, 1, 2, 1)), Example("2", ("e",), (0,))]
    assert NER.kind.units(NER, tagged) == 3
    assert PICO.kind.units(PICO, [Example("1", ("a", "b", "c"), (0, 3, 2))]) == 2
    assert BIOSSES.kind.units(BIOSSES, [Example("1", ("a", "b"), 1.0)] * 2) == 2


def test_the_folder_says_what_it_holds(tmp_path: Path) -> None:
    take(write(tmp_path / "BC2GM", ROWS["bc2gm"]), tmp_path / "blurb")
    folder = tmp_path / "blurb" / "BC2GM"
    meta = json.loads((folder / "meta.json").read_text())
    assert (meta["task"], meta["labels"], meta["origin"]) == ("bc2gm", ["B", "I", "O"], str(tmp_path / "BC2GM"))
    assert meta["counts"] == meta["mentions"] == dict.fromkeys(SPLITS, 3)
    assert meta["published_mentions"] == dict(NER.data_set.published)
    assert meta["sha256"] == {s: hashlib.sha256((folder / f"{s}.jsonl").read_bytes()).hexdigest() for s in SPLITS}


def _problems(source: Path, target: Path, task: Task | None = None, **options: bool) -> list[str]:
    with pytest.raises(InputError) as caught:
        take(source, target, task, **options)
    return [str(problem) for problem in caught.value.problems]


def test_all_faults_of_all_data_sets_come_together_and_nothing_is_written(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write(source / "BIOSSES", ROWS["biosses"])
    _lines([{"sentence1": "a", "sentence2": "", "label": 5}], source / "BIOSSES" / "test.json")
    write(source / "HoC", ROWS["hoc"])
    (source / "HoC" / "dev.json").unlink()
    _array(ROWS["hoc"], source / "HoC" / "train.jsonl")
    write(source / "GAD", ROWS["gad"], name="train.csv")
    (source / "GAD" / "dev.csv").write_text("sentence,lable\na,1\n")
    assert _problems(source, tmp_path / "blurb") == [
        f"{source}/BIOSSES/test.json:1: `sentence2` is empty",
        f"{source}/BIOSSES/test.json:1: `label` must be a number from 0 to 4, but got 5",
        f"{source}/GAD/dev.csv: there is no column 'label'; did you mean 'lable'?",
        f"{source}/HoC: train.json and train.jsonl both hold the train split; leave one of them here",
        f"{source}/HoC: there is no dev file",
    ]
    assert not (tmp_path / "blurb").exists(), "what was not there before is not there afterwards"


def test_what_is_there_is_replaced_only_when_told_so(tmp_path: Path) -> None:
    source, target = write(tmp_path / "BIOSSES", ROWS["biosses"]), tmp_path / "blurb"
    take(source, target)
    before = (target / "BIOSSES" / "train.jsonl").read_bytes()
    write(source, ROWS["biosses"][:2])
    assert _problems(source, target) == [f"{target}/BIOSSES: this is there already; --force replaces it"]
    assert (target / "BIOSSES" / "train.jsonl").read_bytes() == before
    (done,) = take(source, target, force=True)
    assert dict(done.counts) == dict.fromkeys(SPLITS, 2)
    assert [path.name for path in target.iterdir()] == ["BIOSSES"]
    assert _problems(source, tmp_path, force=True) == [f"{source}: this is the source itself; name another folder with --to"]


def test_a_folder_that_holds_what_is_read_is_not_replaced(tmp_path: Path) -> None:
    originals, target, links = write(tmp_path / "blurb" / "GAD" / "raw", ROWS["gad"]), tmp_path / "blurb", tmp_path / "GAD"
    links.mkdir()
    for file in originals.iterdir():
        (links / file.name).symlink_to(file)
    for source in (originals, links):
        for force in (False, True):
            (problem,) = _problems(source, target, GAD, force=force)
            assert problem.startswith(f"{target}/GAD: this holds {source}")
            assert problem.endswith(", which is read; name another folder with --to")
    assert sorted(file.name for file in originals.iterdir()) == ["dev.json", "test.json", "train.json"]


def test_what_is_no_source_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a folder with files"):
        find_data_sets(tmp_path / "nowhere")
    with pytest.raises(InputError, match="there is no train file"):
        find_data_sets(tmp_path)
    for name in ("BIOSSES", "biosses_hf"):
        write(tmp_path / name, ROWS["biosses"])
    with pytest.raises(InputError, match=r"biosses_hf: holds biosses, and so does .*/BIOSSES; name one of them"):
        find_data_sets(tmp_path)
    with pytest.raises(InputError, match="no folder is called like gad; found: "):
        find_data_sets(tmp_path, GAD)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"/file/blurb: expected a folder, but .*/file is a file"):
        take(write(tmp_path / "BIOSSES", ROWS["biosses"]), tmp_path / "file" / "blurb")


@pytest.mark.parametrize("task", [BIOSSES, HOC, TASKS["ncbi-disease"], PICO], ids=lambda task: task.name)
def test_real_data_come_back_from_linkbert_s_layout(task: Task, tmp_path: Path, blurb_data: Path) -> None:
    source = find_source(task, str(blurb_data))
    real = {**vars(load_data(source)), "test": load_test(source, SELECTION)}
    name = {"ebm-pico": "ebmnlp"}.get(task.name, task.data_set.folder)
    folder = tmp_path / "data" / ("tokcls" if task.per_token else "seqcls") / f"{name}_hf"
    folder.mkdir(parents=True)
    for split in SPLITS:
        _lines([_row(task, example) for example in real[split]], folder / f"{split}.json")
    (done,) = take(tmp_path / "data", tmp_path / "blurb")
    read = examples(tmp_path / "blurb", task)
    for split in SPLITS:
        assert read[split] == tuple(replace(example, id=str(i)) for i, example in enumerate(real[split], start=1))
    assert all(task is PICO for remark in done.remarks if "published" in remark)


def _row(task: Task, example: Example) -> dict[str, Any]:
    if task.per_token:
        assert isinstance(example.label, tuple)
        return {"tokens": list(example.texts), "ner_tags": [task.labels[tag] for tag in example.label]}
    label = list(example.label) if isinstance(example.label, tuple) else example.label
    assert task.kind in (kinds.REGRESSION, kinds.MULTI_LABEL)
    return dict(zip(task.fields, example.texts, strict=True)) | {"label": label}


def test_real_counts_are_compared_with_the_published_ones(tmp_path: Path, blurb_data: Path) -> None:
    """The known difference: this copy of BC5CDR has two disease mentions more in dev."""
    (done,) = take(blurb_data / "BC5CDR-disease", tmp_path)
    assert done.remarks == ("bc5-disease dev: 4246 mentions, published 4244",)
