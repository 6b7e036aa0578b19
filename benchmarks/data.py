"""Examples into tokens, and the padding of batches: what both cost here and the usual way, side by side.

Usage: python benchmarks/data.py [--data DIR] [--rounds N]

README.md beside this file says what is measured. Only train and dev are read.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

MAX_LENGTH = 256
BATCH_SIZE = 32
EPOCHS = 3
PACKAGES = ("tokenizers", "transformers", "datasets", "numpy", "torch")
OURS, THEIRS = "blurb-tune", "datasets"
Measured = dict[str, float]


def make_tokenizer(task: str) -> Any:
    """minilm's, with the task's markers as tokens of their own."""
    from blurb_tune.models.catalog import describe_model
    from blurb_tune.models.encoder import load_tokenizer
    from blurb_tune.tasks.blurb.definitions import TASKS

    tokenizer = load_tokenizer(describe_model("minilm"))
    tokenizer.add_tokens(list(TASKS[task].markers))
    return tokenizer


def our_tokens(data: str, cache: Path, tokenizer: Any) -> tuple[Any, int]:
    """All of DDI's train and dev, from its files; and the number of tokens, having looked at each."""
    from blurb_tune.tasks.blurb.definitions import TASKS
    from blurb_tune.tasks.checking.task_data import load_data
    from blurb_tune.tasks.encoding.cache import cached_encode
    from blurb_tune.tasks.sources.data_source import find_source

    loaded = load_data(find_source(TASKS["ddi"], data), cache=cache)
    kept = [cached_encode(split, tokenizer, MAX_LENGTH, TASKS["ddi"], cache=cache) for split in (loaded.train, loaded.dev)]
    return kept, sum(int(encoded.input_ids.astype(bool).size) for encoded in kept)


def their_tokens(data: str, cache: Path, tokenizer: Any) -> tuple[Any, int]:
    """The same with `load_dataset` and `map`, as the examples of transformers do it."""
    import datasets

    datasets.disable_progress_bars()
    files = {split: str(Path(data) / "DDI" / f"{split}.jsonl") for split in ("train", "dev")}
    raw = datasets.load_dataset("json", data_files=files, cache_dir=str(cache))

    def tokenize(batch: dict[str, list[str]]) -> Any:
        return tokenizer(batch["sentence"], truncation=True, max_length=MAX_LENGTH)

    kept = raw.map(tokenize, batched=True, remove_columns=["id", "sentence"])
    chunks = [chunk for split in kept.values() for chunk in split.data.column("input_ids").chunks]
    return kept, sum(int(chunk.flatten().to_numpy().astype(bool).size) for chunk in chunks)


WAYS: dict[str, Callable[[str, Path, Any], tuple[Any, int]]] = {OURS: our_tokens, THEIRS: their_tokens}


def measure_here(way: str, data: str, cache: Path) -> tuple[Any, Measured]:
    """The tokens, got in this process; seconds and memory (MB) from the files to them. Imports and tokenizer come before."""
    tokenizer = make_tokenizer("ddi")
    tokenizer("a first call")
    if way == THEIRS:
        import datasets  # noqa: F401

    gc.collect()
    process, before, cpu = psutil.Process(), memory(psutil.Process()), cpu_seconds()
    started = time.perf_counter()
    kept, tokens = WAYS[way](data, cache, tokenizer)
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    gc.collect()
    grown = {name: after - before[name] for name, after in memory(process).items()}
    return kept, {"seconds": seconds, "cpu": cpu, "tokens": tokens, **grown}


def memory(process: psutil.Process) -> Measured:
    """uss: its own alone. pss: its own, and its part of what it shares. peak: the most it ever had. All in MB."""
    full = process.memory_full_info()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rss": full.rss / 2**20, "pss": full.pss / 2**20, "uss": full.uss / 2**20, "peak": peak}


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def child(way: str, data: str, cache: Path) -> list[str]:
    return [sys.executable, __file__, "--measure", way, "--data", data, "--cache", str(cache)]


def measure(way: str, data: str, cache: Path) -> Measured:
    """In a process of its own."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(child(way, data, cache), capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def another_process(way: str, data: str, cache: Path) -> Iterator[None]:
    """One that has the tokens in memory, for as long as the block runs."""
    keeper = subprocess.Popen([*child(way, data, cache), "--stay"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert keeper.stdout is not None
    keeper.stdout.readline()
    try:
        yield
    finally:
        keeper.communicate()


def compare_tokens(data: str, rounds: int) -> None:
    ways = [OURS, THEIRS] if find_spec("datasets") else [OURS]
    cold: dict[str, list[Measured]] = {way: [] for way in ways}
    warm: dict[str, list[Measured]] = {way: [] for way in ways}
    second: dict[str, Measured] = {}
    for _ in range(rounds):
        for way in ways:
            with tempfile.TemporaryDirectory() as cache:
                cold[way].append(measure(way, data, Path(cache)))
                warm[way].append(measure(way, data, Path(cache)))
                with another_process(way, data, Path(cache)):
                    second[way] = measure(way, data, Path(cache))
    print(f"\nDDI, train and dev, {cold[OURS][0]['tokens']:,} tokens at most {MAX_LENGTH} each; median of {rounds} rounds")
    show("cold, seconds", [median(cold[way], "seconds") for way in ways])
    show("cold, seconds of CPU", [median(cold[way], "cpu") for way in ways])
    show("cold, most memory, MB", [median(cold[way], "peak") for way in ways])
    show("warm, seconds", [median(warm[way], "seconds") for way in ways])
    show("warm, seconds of CPU", [median(warm[way], "cpu") for way in ways])
    for name, what in (("rss", "all"), ("pss", "its part"), ("uss", "its own")):
        show(f"a second process, MB, {what}", [second[way][name] for way in ways])


def median(measured: Sequence[Measured], name: str) -> float:
    return statistics.median(one[name] for one in measured)


def show(what: str, values: Sequence[float], best: Callable[..., float] = min) -> None:
    """Ours, theirs, and how many times one is the other; "behind" where ours is more than 1 % worse."""
    ratio = f"{max(values) / min(values):8.1f}" if len(values) > 1 and min(values) else ""
    is_behind = abs(values[0] - best(values)) > 0.01 * best(values)
    print(f"{what:36}" + "".join(f"{value:12.3f}" for value in values) + ratio + ("  behind" if is_behind else ""))


def compare_losses(data: str) -> None:
    """Examples of DDI's train and dev that lose a masked entity to the maximum length,"""
    import numpy as np

    from blurb_tune.tasks.blurb.definitions import TASKS
    from blurb_tune.tasks.checking.task_data import load_data
    from blurb_tune.tasks.encoding.features import encode
    from blurb_tune.tasks.sources.data_source import find_source

    tokenizer, task = make_tokenizer("ddi"), TASKS["ddi"]
    loaded = load_data(find_source(task, data))
    examples = [*loaded.train, *loaded.dev]
    markers = tokenizer.convert_tokens_to_ids(list(task.markers))
    expected = np.array([sum(example.texts[0].count(marker) for marker in task.markers) for example in examples])
    for length in (128, MAX_LENGTH):
        ours = encode(examples, tokenizer, length, task)
        theirs = tokenizer([example.texts[0] for example in examples], truncation=True, max_length=length)["input_ids"]
        found = np.split(np.isin(ours.input_ids, markers), ours.offsets[1:-1]), [np.isin(ids, markers) for ids in theirs]
        lost = [int(np.sum([row.sum() for row in rows] != expected)) for rows in found]
        show(f"lose an entity, of {len(examples):,}, at {length}", lost)


def compare_padding(data: str) -> None:
    """Real tokens among computed ones, in the mean of three epochs over ChemProt's training set."""
    import torch
    from torch.utils.data import DataLoader, RandomSampler
    from transformers import DataCollatorWithPadding
    from transformers.trainer_pt_utils import LengthGroupedSampler

    from blurb_tune.tasks.blurb.definitions import TASKS
    from blurb_tune.tasks.checking.task_data import load_data
    from blurb_tune.tasks.encoding.features import encode
    from blurb_tune.tasks.sources.data_source import find_source
    from blurb_tune.training.batching import epoch_batches, padding_efficiency

    tokenizer, task = make_tokenizer("chemprot"), TASKS["chemprot"]
    encoded = encode(load_data(find_source(task, data)).train, tokenizer, MAX_LENGTH, task)
    lengths = encoded.lengths
    features = [{"input_ids": ids.tolist()} for ids in torch.tensor(encoded.input_ids).split(lengths.tolist())]
    torch.manual_seed(0)

    def theirs(sampler: Any) -> float:
        loader = DataLoader(features, BATCH_SIZE, sampler=sampler, collate_fn=DataCollatorWithPadding(tokenizer))
        masks = [batch["attention_mask"] for _ in range(EPOCHS) for batch in loader]
        return float(sum(mask.sum() for mask in masks) / sum(mask.numel() for mask in masks))

    ours = [padding_efficiency(lengths, epoch_batches(lengths, BATCH_SIZE, seed=0, epoch=epoch)) for epoch in range(EPOCHS)]
    grouped = LengthGroupedSampler(BATCH_SIZE, lengths=lengths.tolist())
    print(f"\nChemProt, train, batches of {BATCH_SIZE}: share of real tokens among computed ones")
    show("Trainer's default", [statistics.mean(ours), theirs(RandomSampler(features))], max)
    show("Trainer's group_by_length", [statistics.mean(ours), theirs(grouped)], max)


def show_machine() -> None:
    model = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES if find_spec(name))
    print(f"{datetime.now(UTC):%Y-%m-%d}, commit {commit}, {os.cpu_count()} x {model[0]}, load {os.getloadavg()[0]:.1f}")
    print(f"Python {sys.version.split()[0]}, {versions}")
    print(f"\n{'':36}{'ours':>12}{'theirs':>12}{'ratio':>8}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("BLURB_DATA_DIR"), help="the folder with DDI and chemprot")
    parser.add_argument("--rounds", type=int, default=3)
    for name in ("--measure", "--cache"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    parser.add_argument("--stay", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.data is None:
        parser.error("set --data or BLURB_DATA_DIR to the folder with DDI and chemprot")
    if options.measure:
        kept, measured = measure_here(options.measure, options.data, Path(options.cache))
        print(json.dumps(measured), flush=True)
        if options.stay:
            sys.stdin.read()
        del kept
        return
    show_machine()
    compare_tokens(options.data, options.rounds)
    compare_losses(options.data)
    compare_padding(options.data)


if __name__ == "__main__":
    main()
