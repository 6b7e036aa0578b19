"""Data sets of the hub, read from a cache on this machine as the hub's client leaves it there; no network."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.log.events import SelectionMade
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.checking.task_data import inspect, load_test
from blurb_tune.tasks.sources import hub_data
from blurb_tune.tasks.sources.custom import custom_source
from blurb_tune.tasks.sources.data_source import DATA_VARIABLE, DataSource, find_source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROWS = {"note": [f"note {index}" for index in range(10)], "urgent": ["yes", "no"] * 5}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of the hub, and no way to the hub itself."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub_data._folder.cache_clear()
    yield tmp_path / "hub"
    hub_data._folder.cache_clear()


def _data_set(
    cache: Path, files: dict[str, bytes | dict[str, list[object]] | pa.Table | None], name: str = "owner/notes"
) -> None:
    """A data set as it lies in the cache; None makes a file that nobody can read."""
    root = cache / f"datasets--{name.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(COMMIT)
    for path, content in files.items():
        file = root / "snapshots" / COMMIT / path
        file.parent.mkdir(parents=True, exist_ok=True)
        match content:
            case None:
                file.write_bytes(b"nonsense")
            case bytes():
                file.write_bytes(content)
            case pa.Table():
                pq.write_table(content, file)
            case _:
                pq.write_table(pa.table(content), file)


def _custom(name: str = "owner/notes", **settings: object) -> DataSource:
    base = {"hub": name, "text": "note", "label": "urgent", "kind": "classification"}
    return custom_source(TaskSpec.model_validate(base | settings), Path())


def _problems(source: DataSource) -> list[str]:
    return [str(problem) for problem in inspect(source).problems]


def test_splits_are_read_and_the_test_split_is_not_opened(cache: Path) -> None:
    _data_set(
        cache,
        {
            "data/train-00000-of-00001.parquet": ROWS,
            "data/validation-00000-of-00001.parquet": {"note": ["x", "y"], "urgent": ["no", "yes"]},
            "data/test-00000-of-00001.parquet": None,
            "README.md": b"---\nlicense: mit\n---\nNotes.\n",
        },
    )
    source = _custom()
    found = inspect(source)
    assert found.problems == ()
    assert found.data is not None
    assert [e.texts[0] for e in found.data.train] == ROWS["note"]
    assert [e.label for e in found.data.dev] == [0, 1]
    assert source.describe() == "hf://owner/notes"
    assert inspect(source).digest == found.digest
    assert source.has_test
    with pytest.raises(BlurbTuneError, match="data set 'owner/notes' cannot be read"):
        load_test(found.source, SelectionMade(configuration="c", reference=None))


def test_the_test_split_is_read_when_the_search_is_over(cache: Path) -> None:
    _data_set(cache, {"train.jsonl": _lines("yes", "no", "yes", "no"), "test.jsonl": _lines("no")})
    source = inspect(_custom(folds=2)).source
    assert [e.label for e in load_test(source, SelectionMade(configuration="c", reference=None))] == [0]


def _lines(*labels: str, key: str = "note") -> bytes:
    return "".join(json.dumps({key: f"{key} {i} {label}", "urgent": label}) + "\n" for i, label in enumerate(labels)).encode()


def test_without_a_dev_split_it_is_cut_from_train_and_folds_need_that(cache: Path) -> None:
    _data_set(cache, {"train.csv": b"note,urgent\n" + b"".join(b"n%d,%s\n" % (i, [b"a", b"b"][i % 2]) for i in range(20))})
    found = inspect(_custom())
    assert found.notes[1] == "dev: 4 of 20 examples cut from train, stratified by label"
    assert not found.source.has_test
    assert len(inspect(_custom(folds=4)).data.folds) == 4  # type: ignore[union-attr]
    _data_set(cache, {"train.jsonl": _lines("a", "b"), "dev.jsonl": _lines("a", "b")}, "owner/both")
    for key, value in (("folds", 2), ("dev_share", 0.5)):
        (problem,) = inspect(_custom("owner/both", **{key: value})).problems
        assert str(problem) == "hf://owner/both: cuts dev from train, but there is a dev split"


def test_class_indices_get_their_names(cache: Path) -> None:
    info = b"""---
dataset_info:
  features:
  - {name: tokens, sequence: string}
  - name: ner_tags
    sequence: {class_label: {names: {'0': O, '1': B, '2': I}}}
---
"""
    rows = {"tokens": [["Down", "syndrome", "is"], ["no"]], "ner_tags": [[1, 2, 0], [0]]}
    _data_set(cache, {"README.md": info, "train.parquet": rows, "validation.parquet": rows, "test.parquet": None})
    source = _custom(text="tokens", label="ner_tags", kind="token classification")
    assert inspect(source).problems == ()
    assert inspect(source).source.task.labels == ("B", "I", "O")
    named = [row.values["ner_tags"] for row in hub_data.hub_rows("owner/notes", "train")]
    assert named == [["B", "I", "O"], ["O"]]


def test_configurations_are_chosen_by_name(cache: Path) -> None:
    configs = b"""---
configs:
- config_name: small
  data_files: [{split: train, path: small.jsonl}]
- config_name: large
  data_files: [{split: train, path: large.jsonl}]
---
"""
    files = {"README.md": configs, "small.jsonl": _lines("a", "b", "a", "b"), "large.jsonl": _lines(*"abab" * 3)}
    _data_set(cache, files)
    assert len(inspect(_custom("owner/notes/large", folds=2)).data.train) == 12  # type: ignore[union-attr]
    assert _problems(_custom("owner/notes/lage")) == [
        "hf://owner/notes/lage: data set 'owner/notes' has no configuration 'lage'; did you mean 'large'?"
    ]
    assert _problems(_custom()) == [
        "hf://owner/notes: data set 'owner/notes' has several configurations; add one of: large, small (hf://owner/notes/...)"
    ]


def test_a_blurb_task_may_have_its_data_on_the_hub(cache: Path) -> None:
    pairs = {"sentence1": ["a", "b"], "sentence2": ["c", "d"], "label": [0.5, 4.0]}
    _data_set(cache, {"train.parquet": pairs, "validation.parquet": pairs | {"label": [1.0, 5.0]}, "test.parquet": None})
    assert _problems(find_source(TASKS["biosses"], "hf://owner/notes")) == [
        "hf://owner/notes, validation row 2: `label` must be a number from 0 to 4, but got 5.0"
    ]
    _data_set(cache, {"train.parquet": pairs}, "owner/half")
    assert _problems(find_source(TASKS["biosses"], "hf://owner/half")) == [
        "hf://owner/half: there is no split 'validation' or 'dev' or 'valid' or 'val'"
    ]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"train.parquet": b"nonsense"}, "data set 'owner/notes' cannot be read: "),
        ({"train.jsonl": b"{nonsense\n"}, "data set 'owner/notes' cannot be read: "),
        ({"train.parquet": {"nte": ["a", "b"], "urgent": ["x", "y"]}}, "there is no column 'note'; did you mean 'nte'?"),
    ],
)
def test_what_cannot_be_read_is_told(cache: Path, files: dict[str, bytes], expected: str) -> None:
    _data_set(cache, files)  # type: ignore[arg-type]
    (problem,) = inspect(_custom()).problems
    assert problem.what.startswith(expected)


def test_a_data_set_that_is_not_in_the_cache_cannot_be_had_offline() -> None:
    (problem,) = inspect(_custom("owner/unknown")).problems
    assert problem.what.startswith("data set 'owner/unknown' is not complete in the local cache and the hub cannot be reached")
    (problem,) = inspect(_custom("no name at all")).problems
    assert problem.what.startswith("there is no data set 'no name at all' on the hub")
    with pytest.raises(BlurbTuneError):
        hub_data.hub_splits("owner/unknown")
    with pytest.raises(InputError):
        _custom("owner/unknown").splits.problems()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of somebody who takes every call and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("is_silent", [True, False])
def test_without_an_answer_of_the_hub_the_cache_is_read(
    is_silent: bool, silent: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", silent if is_silent else "http://127.0.0.1:9")
    monkeypatch.setattr("blurb_tune.core.hub.TIMEOUT_SECONDS", 0.2)
    (problem,) = inspect(_custom("owner/unknown")).problems
    assert "is not complete in the local cache and the hub cannot be reached" in problem.what
    _data_set(cache, {"train.jsonl": _lines("a", "b", "a", "b")})
    assert inspect(_custom(folds=2)).problems == ()


MAIN, EXPORT = "main", "refs/convert/parquet"
Revisions = dict[str, dict[str, bytes]]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[Revisions]:
    """What a small server that speaks the hub's protocol has of the data set owner/notes: its files by revision."""
    from huggingface_hub import constants

    revisions: Revisions = {}

    def commit(revision: str) -> str:
        return hashlib.sha1(revision.encode()).hexdigest()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            revision = next((name for name in revisions if f"/{name}" in path or f"/{commit(name)}" in path), None)
            files, sha = (revisions[revision], commit(revision)) if revision else ({}, "")
            status, headers, body = 200, {"Content-Type": "application/json"}, b"{}"
            if revision is None:
                status, headers["X-Error-Code"] = 404, "RevisionNotFound"
            elif "/tree/" in path:
                listed = [{"type": "file", "path": name, "size": len(c), "oid": COMMIT} for name, c in files.items()]
                body = json.dumps(listed).encode()
            elif "/api/" in path:
                body = json.dumps({"id": "owner/notes", "sha": sha, "siblings": [{"rfilename": f} for f in files]}).encode()
            else:
                body = files[path.partition(sha)[2].removeprefix("/")]
                headers = {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": sha}
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        )
        yield revisions
        server.shutdown()


def _go_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    hub_data._folder.cache_clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def test_tables_are_fetched_once_and_scripts_never(published: Revisions, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published[MAIN] = {"train.jsonl": _lines("a", "b", "a", "b"), "test.jsonl": _lines("a"), "run.py": b"raise SystemExit"}
    found = inspect(_custom(folds=2))
    assert found.problems == ()
    assert found.source.has_test
    assert [path.name for path in cache.rglob("*.py")] == []
    _go_offline(monkeypatch)
    assert inspect(_custom(folds=2)) == found


def _parquet(rows: dict[str, list[object]], features: dict[str, object]) -> bytes:
    """A table with its features beside it, as the hub writes it."""
    from datasets import Dataset, Features

    buffer = io.BytesIO()
    Dataset.from_dict(rows, features=Features(features)).to_parquet(buffer)
    return buffer.getvalue()


def test_of_a_script_the_tables_are_read_that_the_hub_made_by_it(
    published: Revisions, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import ClassLabel, Sequence, Value

    features = {"tokens": Sequence(Value("string")), "ner_tags": Sequence(ClassLabel(names=["O", "B", "I"]))}
    rows = {"tokens": [["Down", "syndrome", "is"], ["no"]], "ner_tags": [[1, 2, 0], [0]]}
    table = _parquet(rows, features)
    published[MAIN] = {"notes.py": b"raise SystemExit", "README.md": b"Notes."}
    splits = {"train": table, "validation": table, "test": b"nobody reads this"}
    published[EXPORT] = {f"{name}/{split}/0000.parquet": t for name in ("bc2gm", "jnlpba") for split, t in splits.items()}
    source = find_source(TASKS["bc2gm"], "hf://owner/notes/bc2gm")
    found = inspect(source)
    assert found.problems == ()
    assert found.data is not None
    assert [e.label for e in found.data.train] == [(0, 1, 2), (2,)], "indices are those of our labels"
    assert "train: 1 mentions, published 15197" in found.notes
    assert source.has_test
    fetched = {path.parent.name for path in cache.rglob("*.parquet")}
    assert {path.parent.parent.name for path in cache.rglob("*.parquet")} == {"bc2gm"}, "and no other configuration"
    assert fetched == {"train", "validation", "test"}
    assert _problems(_custom()) == [
        "hf://owner/notes: data set 'owner/notes' has several configurations; add one of: bc2gm, jnlpba (hf://owner/notes/...)"
    ]
    assert _problems(_custom("owner/notes/bc2gn")) == [
        "hf://owner/notes/bc2gn: data set 'owner/notes' has no configuration 'bc2gn'; did you mean 'bc2gm'?"
    ]
    _go_offline(monkeypatch)
    assert inspect(source) == found
    (problem,) = _problems(find_source(TASKS["jnlpba"], "hf://owner/notes/jnlpba"))
    assert "has no configuration 'jnlpba'" in problem or "is not complete in the local cache" in problem


@pytest.mark.parametrize("files", [{"notes.py": b"raise SystemExit"}, {"train.pkl": b"nonsense"}])
def test_scripts_and_pickles_without_tables_are_refused(files: dict[str, bytes], published: Revisions, cache: Path) -> None:
    published[MAIN] = files
    (problem,) = _problems(_custom())
    assert problem.startswith("hf://owner/notes: data set 'owner/notes' has no table (Parquet, JSON, CSV or TSV)")
    assert not list(cache.rglob("*.p*"))


COPIES = {
    "gad": {"text": ["@GENE$ and @DISEASE$", "@GENE$ or @DISEASE$"], "labels": [["1"], ["0"]]},
    "biosses": {"text_1": ["a", "b"], "text_2": ["c", "d"], "label": ["2.2", "0.0"]},
    "pubmedqa": {"question": ["a?", "b?", "c?"], "context": ["a", "b", "c"], "answer": [["yes"], ["no"], ["maybe"]]},
    "bc5-chem": {"tokens": [["a", "b"], ["c"]], "ner_tags": [["B", "I"], ["O"]], "type": ["x", "y"]},
}


@pytest.mark.parametrize("name", COPIES)
def test_the_hub_s_copy_of_a_task_is_read_under_its_own_names(
    name: str, published: Revisions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copies' columns are those of BigBIO's schemas; the server has them under a name of its own."""
    task = TASKS[name]
    assert task.data_set.hub_copy is not None
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    data_set = replace(task.data_set, hub_copy=replace(task.data_set.hub_copy, name="owner/notes/config"))
    copy = replace(task, data_set=data_set)
    buffer = io.BytesIO()
    pq.write_table(pa.table(COPIES[name]), buffer)
    published[MAIN] = {"README.md": b"Notes.", "notes.py": b""}
    published[EXPORT] = {f"config/{split}/0000.parquet": buffer.getvalue() for split in ("train", "validation", "test")}
    source = find_source(copy)
    found = inspect(source)
    assert (found.problems, source.describe()) == ((), "hf://owner/notes/config")
    assert found.data is not None
    expected = {
        "gad": [(("@GENE$ and @DISEASE$",), 1), (("@GENE$ or @DISEASE$",), 0)],
        "biosses": [(("a", "c"), 2.2), (("b", "d"), 0.0)],
        "pubmedqa": [(("a?", "a"), 2), (("b?", "b"), 1), (("c?", "c"), 0)],
        "bc5-chem": [(("a", "b"), (0, 1)), (("c",), (2,))],
    }[name]
    assert [(e.texts, e.label) for e in found.data.train] == expected
    assert [(e.texts, e.label) for e in load_test(source, SelectionMade(configuration="c", reference=None))] == expected


def test_without_folder_and_hub_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    first, second = _problems(find_source(TASKS["gad"]))
    assert first.startswith("task 'gad': no data folder is given")
    assert second.startswith(
        "hf://bigbio/gad/gad_blurb_bigbio_text: data set 'bigbio/gad/gad_blurb_bigbio_text' is not complete in"
    )
