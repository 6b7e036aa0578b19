"""Encoded examples on disk: found again when nothing has changed, never when something has, and never in the way."""

from __future__ import annotations

import dataclasses
import pickle
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from blurb_tune.models.tiny import tiny_tokenizer
from blurb_tune.tasks import kinds
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.encoding.cache import CACHE_VARIABLE, cache_folder, cached_encode, states_folder
from blurb_tune.tasks.encoding.features import Encoded, collate, encode
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.task import Task

CHEMPROT, NER, HOC = TASKS["chemprot"], TASKS["jnlpba"], TASKS["hoc"]
EXAMPLES = [Example(f"x{n}", (f"@GENE$ binds {'cells ' * (n % 9)}to @CHEMICAL$ {n}",), n % 6) for n in range(40)]
SENTENCES = [
    Example(f"s{n}", ("gene", "\x00", *"abcdefgh"[: n % 8]), tuple(k % 3 for k in range(n % 8 + 2))) for n in range(20)
]
DOCUMENTS = [Example(f"d{n}", ("apoptosis of cells",), (0, 1) * 5) for n in range(3)]
TOKENIZER = tiny_tokenizer()


def arrays(encoded: Encoded) -> dict[str, np.ndarray]:
    found = {name: value for name, value in vars(encoded).items() if isinstance(value, np.ndarray)}
    if encoded.words is not None:
        found |= {f"words.{name}": value for name, value in vars(encoded.words).items()}
    return found


def assert_same(one: Encoded, other: Encoded) -> None:
    assert one.truncated == other.truncated
    assert arrays(one).keys() == arrays(other).keys()
    for name, array in arrays(one).items():
        assert array.dtype == arrays(other)[name].dtype
        assert np.array_equal(array, arrays(other)[name])


def entries(cache: Path) -> dict[str, int]:
    """The files of the cache, and the inode of each, which changes when it is written anew."""
    return {str(file.relative_to(cache)): file.stat().st_ino for file in cache.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("task", "examples"),
    [(CHEMPROT, EXAMPLES), (NER, SENTENCES), (HOC, DOCUMENTS)],
    ids=lambda value: getattr(value, "name", ""),
)
def test_an_entry_is_what_encode_gives_mapped_from_its_files(tmp_path: Path, task: Task, examples: list[Example]) -> None:
    first = cached_encode(examples, TOKENIZER, 12, task, cache=tmp_path)
    before = entries(tmp_path)
    second = cached_encode(examples, TOKENIZER, 12, task, cache=tmp_path)
    for found in (first, second):
        assert_same(found, encode(examples, TOKENIZER, 12, task))
        assert all(isinstance(array.base, np.memmap) and not array.flags.writeable for array in arrays(found).values())
    assert entries(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 1


def test_an_entry_can_be_collated_and_crosses_to_other_processes_without_a_copy(tmp_path: Path) -> None:
    encoded = cached_encode(EXAMPLES, TOKENIZER, 64, CHEMPROT, cache=tmp_path)
    buffers: list[pickle.PickleBuffer] = []
    assert len(pickle.dumps(encoded, protocol=5, buffer_callback=buffers.append)) < 1500
    assert len(buffers) == len(arrays(encoded))
    batch = collate(encoded, [3, 1], 0)
    assert all(array.flags.writeable for array in batch.values())


def test_without_a_cache_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert_same(cached_encode(EXAMPLES, TOKENIZER, 64, CHEMPROT, cache=None), encode(EXAMPLES, TOKENIZER, 64, CHEMPROT))
    assert not entries(tmp_path)


def _without_types() -> object:
    tokenizer = tiny_tokenizer()
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    return tokenizer


def _cutting_the_left() -> object:
    tokenizer = tiny_tokenizer()
    tokenizer.truncation_side = "left"
    return tokenizer


def _with_a_token() -> object:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["@GENE$"])
    return tokenizer


@pytest.mark.parametrize(
    "changed",
    [
        {"examples": [*EXAMPLES[:-1], dataclasses.replace(EXAMPLES[-1], texts=("another text",))]},
        {"examples": [*EXAMPLES[:-1], dataclasses.replace(EXAMPLES[-1], label=5)]},
        {"examples": EXAMPLES[:-1]},
        {"examples": EXAMPLES[::-1]},
        {"max_length": 13},
        {"task": dataclasses.replace(CHEMPROT, markers=("@GENE$",))},
        {"task": dataclasses.replace(CHEMPROT, labels=(*CHEMPROT.labels, "CPR:10"))},
        {"task": dataclasses.replace(CHEMPROT, kind=kinds.REGRESSION)},
        {"task": dataclasses.replace(CHEMPROT, fields=("text",))},
        {"tokenizer": _without_types()},
        {"tokenizer": _cutting_the_left()},
        {"tokenizer": _with_a_token()},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_whatever_makes_a_difference_makes_another_entry(tmp_path: Path, changed: dict[str, object]) -> None:
    same = {"examples": EXAMPLES, "tokenizer": TOKENIZER, "max_length": 12, "task": CHEMPROT}
    cached_encode(**same, cache=tmp_path)  # type: ignore[arg-type]
    assert_same(cached_encode(**same | changed, cache=tmp_path), encode(**same | changed))  # type: ignore[arg-type]
    assert len(list(tmp_path.iterdir())) == 2


def test_what_makes_no_difference_makes_none(tmp_path: Path) -> None:
    cached_encode(EXAMPLES, TOKENIZER, 12, CHEMPROT, cache=tmp_path)
    renamed = [dataclasses.replace(example, id=f"other {example.id}") for example in EXAMPLES]
    described = dataclasses.replace(CHEMPROT, description="another", max_length=77, metric="accuracy")
    used = tiny_tokenizer()
    used(["a b c"], truncation=True, padding="max_length", max_length=9)
    before = entries(tmp_path)
    cached_encode(renamed, used, 12, described, cache=tmp_path)
    assert entries(tmp_path) == before


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _flip(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize("damage", [_cut, _empty, _flip, Path.unlink])
def test_a_damaged_entry_is_made_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    expected = encode(SENTENCES, TOKENIZER, 12, NER)
    cached_encode(SENTENCES, TOKENIZER, 12, NER, cache=tmp_path)
    for name in entries(tmp_path):
        damage(tmp_path / name)
        assert_same(cached_encode(SENTENCES, TOKENIZER, 12, NER, cache=tmp_path), expected)
        repaired = entries(tmp_path)
        assert_same(cached_encode(SENTENCES, TOKENIZER, 12, NER, cache=tmp_path), expected)
        assert entries(tmp_path) == repaired
        assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", ["[]", "3", "{}", '{"input_ids.npy": 3}', '{"missing.npy": "00"}', '{"../x": "00"}'])
def test_a_manifest_of_something_else_is_made_anew(tmp_path: Path, content: str) -> None:
    cached_encode(EXAMPLES, TOKENIZER, 12, CHEMPROT, cache=tmp_path)
    manifest = next(tmp_path.glob("*/manifest.json"))
    good = manifest.read_text()
    manifest.write_text(content)
    assert_same(cached_encode(EXAMPLES, TOKENIZER, 12, CHEMPROT, cache=tmp_path), encode(EXAMPLES, TOKENIZER, 12, CHEMPROT))
    assert manifest.read_text() == good


def test_a_folder_that_cannot_be_made_costs_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match=r"cannot be kept in .*file/cache.*Not a directory"):
        found = cached_encode(EXAMPLES, TOKENIZER, 12, CHEMPROT, cache=tmp_path / "file" / "cache")
    assert_same(found, encode(EXAMPLES, TOKENIZER, 12, CHEMPROT))


@contextmanager
def small_files() -> Iterator[None]:
    """No file of this process may grow beyond 600 bytes, which fails as a full disk does; the test's own report neither."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_costs_a_warning(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="cannot be kept in"), small_files():
        found = cached_encode(EXAMPLES, TOKENIZER, 12, CHEMPROT, cache=tmp_path)
    assert_same(found, encode(EXAMPLES, TOKENIZER, 12, CHEMPROT))
    assert not list(tmp_path.iterdir())


_PROGRAM = """
import sys
from pathlib import Path
from types import SimpleNamespace
from tokenizers import Tokenizer
from blurb_tune.tasks.encoding.cache import cached_encode
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.examples import Example
backend = Tokenizer.from_file(sys.argv[1])
tokenizer = SimpleNamespace(backend_tokenizer=backend, model_input_names=["input_ids"], truncation_side="right")
examples = [Example("x", (f"@GENE$ binds cell {n}",), 1) for n in range(5000)]
encoded = cached_encode(examples, tokenizer, 12, TASKS["chemprot"], cache=Path(sys.argv[2]))
print(encoded.input_ids.sum(), encoded.input_ids.base.filename)
"""


def test_processes_that_race_share_one_entry(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(TOKENIZER.backend_tokenizer.to_str(), encoding="utf-8")
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path / "tokenizer.json"), str(tmp_path / "cache")]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = {run.communicate(timeout=120)[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    before = entries(tmp_path / "cache")
    late = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert outputs == {late.stdout}
    assert str(tmp_path) in late.stdout
    assert entries(tmp_path / "cache") == before
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_the_folder_is_the_variables_or_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    assert cache_folder() == Path("/home/someone/.cache/blurb-tune/encoded")
    assert states_folder() == Path("/home/someone/.cache/blurb-tune/states")
    monkeypatch.setenv(CACHE_VARIABLE, "~/elsewhere")
    assert cache_folder() == Path("/home/someone/elsewhere")
    assert states_folder() == Path("/home/someone/elsewhere/states")
