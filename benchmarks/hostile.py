"""What comes from outside and means no good: specs, overrides, event logs, bookmarks, curves, data files.

Usage: python benchmarks/hostile.py [--specs N] [--overrides N] [--logs N] [--folders N] [--bookmarks N] [--tables N]

Each case must be answered within a second, by an error that a user can act on or as something valid; never by a traceback.
README.md beside this file says what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import json
import math
import os
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import typer
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from blurb_tune.cli.errors import exit_codes
from blurb_tune.cli.extend import Growth, extend_command
from blurb_tune.cli.plan import print_plan
from blurb_tune.cli.tracking import spec_of, tracking_target
from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.execution.sweep_folder import check_folder
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import find_events
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import Plan, make_plan
from blurb_tune.replay.curves import read_curves
from blurb_tune.report.summary import summarize
from blurb_tune.spec import load_spec
from blurb_tune.tasks.sources.readers import FORMATS, read_conll, read_table
from blurb_tune.tracking.backlog import Backlog
from blurb_tune.tracking.bookmark import Bookmark
from blurb_tune.tracking.server import dashboard_command, dashboard_url

ROOT = Path(__file__).parent.parent
LOGS = sorted((ROOT / "tests/log/fixtures").glob("*.jsonl"))
CURVES = sorted((ROOT / "benchmarks/curves").glob("*.csv"))
LIMIT, HANG = 1.0, 20.0
_CONTROL = {chr(code) for code in (*range(32), *range(127, 160))} - {"\n"}


# Values that stand where others are expected.

TEXTS = [
    "", " ", "\0", "\x1b[2J\x1b]0;x\a", "\u202e", "\ud800", "\x85", "\u2028", "x" * 9_999, "x" * 20_000, "../../../etc/passwd",
    "/etc/shadow", "/dev/zero", "/dev/null", "/proc/self/mem", "~root", "~nobody-at-all/x", "a/../../b", ".", "..", "-rf", "~",
    "nul", "%00", "%s%n", "{0.__class__}", "${HOME}", "$(id)", "`id`", "'; DROP TABLE x", "[bold]x[/]", "[/]", "NaN", "inf",
    "-.inf", "1e999", "1e-999", "0x10", "1_000", "\uff11", "true", "null", "é" * 50, "🎉", "a\nb", "a\rb", "http://[::1",
    "file:///",
    "sqlite://", "sqlite:///", "sqlite:////etc/passwd", "postgresql://u:p@127.0.0.1:1/x", "http://127.0.0.1:1/\n", "hf://",
    "hf://a/b",
    "http://127.0.0.1:99999", "org/model", "quantile(q=nan)", "quantile(q=1e999)", "cvar(share=0)", "pareto", "grid", "gp",
    "hyperband",
    "9" * 400, "1d " * 500, "1" * 400 + "d", "vanilla", "token classification", "regression", "a.csv", "../a.tsv",
    "/dev/zero.csv",
]  # fmt: skip
NUMBERS = [
    0, -0.0, -1, 1, 2, 7, 63, 64, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 10**400, 0.1, 0.5, 1.0,
    1.5,
    1e-5, 1e-300, 5e-324, 1e300, 1.7976931348623157e308, math.inf, -math.inf, math.nan, True, False, None, 9_999, 10_000,
    10_001, 100_000,
]  # fmt: skip
SPEC: dict[str, Any] = {
    "name": "s", "task": "demo", "model": "tiny", "data": None, "metric": None, "score": "final",
    "objective": "mean_minus_std",
    "max_failed_share": 0.0, "seeds": 3, "confirm": 0, "retries": 1, "stop_after_errors": 5,
    "search": {"sampler": "tpe", "configurations": 5, "seed": 0, "warm_start": [], "startup_configurations": 3,
    "vanilla_first": True},
    "space": {
        "freeze_depth": {"low": 0, "high": 3}, "decay_rate": [0.9, 1.0], "reinit_count": {"low": 0, "high": 2, "step": 1},
        "learning_rate": {"low": 1.0e-5, "high": 1.0e-3, "log": True}, "batch_size": [8, 16], "epochs": 3, "warmup_share": 0.1,
        "weight_decay": {"low": 0.0, "high": 0.1, "step": 0.01}, "bias_correction": [True, False], "max_grad_norm": [1.0,
        None],
    },
    "pruning": {
        "pruner": {"kind": "percentile", "percentile": 25.0, "n_startup_trials": 5}, "control_share": 0.1,
        "keep_vanilla": True,
        "instability": {"enabled": True, "grace": 0.5, "window": 0.1, "waking": 0.05, "exploding_gradient": 1000.0},
        "race": {"method": "permutation", "alpha": 0.1, "min_seeds": 3, "max_seeds": None},
    },
    "budget": {"trials": 50, "wall_time": "8h", "training_time": 3600, "settled": False},
    "training": {"precision": "auto", "eval_every": "epoch", "max_length": 32, "micro_batch_size": 4, "eval_batch_size": 8},
    "resources": {"cpus": 1, "gpus": 0.0, "concurrency": 2}, "tracking": {"uri": None, "experiment": "e", "study_url": None},
    "final_test": True, "storage": "runs", "priority": 1.0, "notify": None, "cluster": None,
}  # fmt: skip
CUSTOM = {
    "name": "own", "train": "train.csv", "dev": "dev.csv", "test": None, "text": ["a"], "label": "b", "kind": "classification",
    "labels": ["0", "1"], "metric": "macro_f1", "left_out": [], "markers": ["@X$"], "max_length": 32, "folds": None,
    "dev_share": None,
}  # fmt: skip


def bomb(levels: int, width: int, around: str = "[{}]") -> str:
    names = [f"a{level}" for level in range(levels + 1)]
    inner = around.format(", ".join(["x"] * width)) if around == "[{}]" else "{k: 1}"
    lines = [f"{names[0]}: &{names[0]} {inner}"]
    for below, name in pairwise(names):
        lines.append(f"{name}: &{name} " + around.format(", ".join([f"*{below}"] * width)))
    return "\n".join(lines) + "\n"


def snippet(random: Random) -> str:
    """YAML that is trouble by itself."""
    size = random.choice([10, 100, 1_000, 20_000, 300_000])
    return random.choice(
        [
            lambda: bomb(random.randint(2, 12), random.randint(2, 12)),
            lambda: bomb(random.randint(2, 12), random.randint(2, 9), "{{<<: [{}]}}"),
            lambda: "a: &a [*a]\n",
            lambda: "<<: *x\n",
            lambda: "<<: {task: demo}\n<<: {model: tiny}\n",
            lambda: "<<: [1, 2]\n",
            lambda: "<<: 5\n",
            lambda: "space: " + "[" * size,
            lambda: "space: " + "{a: " * size,
            lambda: "space: " + "{a: " * 15 + "1" + "}" * 15,
            lambda: "".join(" " * depth + "a:\n" for depth in range(min(size, 900))),
            lambda: "- " * min(size, 300_000) + "x",
            lambda: "? " * min(size, 300_000) + "x",
            lambda: "x" * size + ": 1\n",
            lambda: "? " + "x" * size + "\n: 1\n",
            lambda: "x: " + "9" * size,
            lambda: "seeds: 0x" + "f" * size,
            lambda: "seeds: " + "1:" * size + "1",
            lambda: "seeds: [" + "1, " * size + "1]",
            lambda: "search: {warm_start: [" + "a, " * min(size, 50_000) + "a]}",
            lambda: "space: {strategy: [" + "{freeze_depth: 1}, " * min(size, 50_000) + "vanilla]}",
            lambda: "space: {decay_rate: [" + ", ".join(f"0.{k:06d}" for k in range(1, min(size, 9_000))) + "]}",
            lambda: "model: [" + ", ".join(f"m{k}" for k in range(min(size, 3_000))) + "]",
            lambda: "x: !!python/object/apply:os.system ['false']",
            lambda: "x: !!python/name:os.system",
            lambda: "x: !!python/object/new:object {}",
            lambda: "!!python/object:blurb_tune.core.paths.SweepPaths {root: x}",
            lambda: "x: !<tag:yaml.org,2002:python/object/apply:eval> ['1']",
            lambda: "x: !!binary " + "!" * 10,
            lambda: "x: !!binary " + "A" * size,
            lambda: "name: !!binary AAAA",
            lambda: "x: !!set {a, b}",
            lambda: "task: !!set {a, b}",
            lambda: "seeds: !!omap [a: 1]",
            lambda: "seeds: !!pairs [a: 1, a: 2]",
            lambda: "seeds: !!float x",
            lambda: "seeds: !!int ''",
            lambda: "seeds: !!bool maybe",
            lambda: "seeds: !!null x",
            lambda: "seeds: !!timestamp 2024-02-30",
            lambda: "name: 2024-01-01 00:00:00 +99:99",
            lambda: "name: 2024-01-01",
            lambda: "%YAML 9.9\n---\na: 1",
            lambda: "%TAG ! tag:x,2000:\n---\na: !y 1",
            lambda: "--- a\n--- b",
            lambda: "task: demo\ntask: demo\nmodel: tiny\nmodel: x",
            lambda: "a: b: c",
            lambda: "\ta: 1",
            lambda: "a: 'x",
            lambda: 'a: "\\x00"',
            lambda: 'name: "\\ud800"',
            lambda: 'model: "\\udcff/x"',
            lambda: 'data: "\\ud800"',
            lambda: 'weights: "\\udc80"',
            lambda: 'tracking: {uri: "http://\\udc80/"}',
            lambda: '"\\e[31m": 1',
            lambda: "a: |\n" + "  x\n" * size,
            lambda: "#" * size,
            lambda: "\n" * size,
            lambda: "a: " + "&x " * 100,
            lambda: "a: " + "!!str " * 100,
            lambda: "[]",
            lambda: "5",
            lambda: "",
            lambda: "~",
            lambda: "{}",
            lambda: "on: 1\nyes: 2\nnull: 3\n1: 4\n1.5: 5",
            lambda: "{a: 1, [b]: 2, {c: d}: 3}",
            lambda: "space: {learning_rate: {low: 5.0e-324, high: 1.7e308, step: 5.0e-324}}",
            lambda: "space: {weight_decay: {low: 0.0, high: 1.7e308, step: 1.0e-300}}",
            lambda: "space: {freeze_depth: {low: 0, high: 9007199254740992}, reinit_count: {low: 0, high: 9007199254740992}}",
            lambda: "space: {batch_size: {low: 1, high: 9007199254}, epochs: {low: 1, high: 99999}}\nsearch: {sampler: grid}",
            lambda: "search: {sampler: grid}\nspace: {learning_rate: {low: 0.1, high: 1.0}}",
            lambda: "search: {configurations: 9223372036854775807}",
            lambda: "seeds: {init: 100, order: 100}",
            lambda: "seeds: 10000\nconfirm: 1000\nobjective: pareto",
            lambda: "seeds: 10000\npruning: {race: {min_seeds: 2, alpha: 1.0e-300}}",
            lambda: "seeds: 10000\nsearch: {configurations: 100000}",
            lambda: "budget: {wall_time: '" + "1d " * size + "'}",
            lambda: "budget: {wall_time: '" + "1" * size + "d'}",
            lambda: "budget: {wall_time: '" + " " * size + "'}",
            lambda: "objective: " + "a" * min(size, 9_000) + "(" * 50,
            lambda: "task: {train: /dev/zero, text: a, label: b, kind: classification}",
            lambda: "task: {train: /dev/zero.csv, text: a, label: b, kind: classification}",
            lambda: "task: {hub: ../../x, text: a, label: b, kind: classification}",
            lambda: "task: {train: fifo.csv, dev: fifo.csv, text: a, label: b, kind: classification}",
            lambda: "task: {train: zero.csv, text: a, label: b, kind: classification}",
            lambda: "data: /dev\ntask: biosses",
            lambda: "data: /proc/self/fd\ntask: biosses",
            lambda: "data: ../../../../..\ntask: biosses",
            lambda: "model: /proc/self",
            lambda: "model: /",
            lambda: "model: model-zero",
            lambda: "search: {warm_start: [warm-zero, /proc/self, /dev/zero]}",
        ]
    )()  # fmt: skip


def value(random: Random, depth: int = 0) -> Any:
    kind = random.random()
    if kind < 0.4:
        return random.choice(NUMBERS)
    if kind < 0.75 or depth > 4:
        return random.choice(TEXTS)
    if kind < 0.85:
        return [value(random, depth + 1) for _ in range(random.choice([0, 1, 2, 3, 50]))]
    if kind < 0.9:
        return {
            key: value(random, depth + 1) for key in random.sample(["low", "high", "step", "log", "choice", "kind", "x"], 3)
        }
    return {str(random.choice(TEXTS))[:300]: value(random, depth + 1) for _ in range(random.randint(0, 3))}


def paths_of(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, item in items:
        yield from paths_of(item, (*path, key))


def mutated(data: Any, random: Random, times: int) -> Any:
    data = json.loads(json.dumps(data))
    for _ in range(times):
        path = random.choice(list(paths_of(data)) or [()])
        if not path:
            return value(random)
        holder = data
        for key in path[:-1]:
            holder = holder[key]
        action = random.random()
        if action < 0.7:
            holder[path[-1]] = value(random)
        elif action < 0.85:
            del holder[path[-1]]
        elif isinstance(holder, dict):
            holder[str(random.choice(TEXTS))[:200]] = value(random)
    return data


def garbled(content: bytes, random: Random) -> bytes:
    """Damaged as disks, editors and networks do, and as nobody does."""
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(content) + 1)
        action = random.randrange(12)
        if action == 0:
            content = content[:place]
        elif action == 1 and content:
            spot = min(place, len(content) - 1)
            content = content[:spot] + bytes([content[spot] ^ (1 << random.randrange(8))]) + content[spot + 1 :]
        elif action == 2:
            content = content[:place] + random.randbytes(random.randint(1, 20)) + content[place:]
        elif action == 3:
            content = (
                content[:place]
                + random.choice([b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\x1a", b"\xed\xa0\x80"])
                + content[place:]
            )
        elif action == 4:
            content = content[place:] + content[:place]
        elif action == 5:
            other = random.randrange(len(content) + 1)
            content = content + content[min(place, other) : max(place, other)]
        elif action == 6:
            content = b"\xef\xbb\xbf" + content
        elif action == 7:
            with contextlib.suppress(UnicodeDecodeError):
                content = content.decode().encode(
                    random.choice(["utf-16", "utf-32", "utf-16-le", "utf-7", "cp037"]), "replace"
                )
        elif action == 8:
            content = content.replace(b"\n", random.choice([b"\r\n", b"\r", b"", b"\n\n"]))
        elif action == 9:
            content = (
                content[:place]
                + random.choice([b"{", b"}", b"[", b"]", b'"', b":", b"&a ", b"*a ", b"!!x ", b"\t"])
                + content[place:]
            )
        elif action == 10:
            content = content[:place] + b"x" * random.choice([1_000, 100_000, 2_000_000]) + content[place:]
        else:
            content = content[:place] + b"[" * random.choice([100, 5_000, 200_000]) + content[place:]
    return content


def spec(random: Random) -> bytes:
    kind = random.random()
    if kind < 0.3:
        custom = {**SPEC, "task": CUSTOM} if random.random() < 0.4 else SPEC
        data = mutated(custom, random, random.randint(1, 4))
        return json.dumps(data).encode() if random.random() < 0.5 else _yaml(data)
    if kind < 0.6:
        base = "task: demo\nmodel: tiny\n"
        found = snippet(random)
        keys = {line.split(":")[0] for line in found.splitlines()[:3]}
        kept = "".join(line for line in base.splitlines(keepends=True) if line.split(":")[0] not in keys)
        return (kept + found if random.random() < 0.6 else found).encode("utf-8", "surrogatepass")
    if kind < 0.9:
        return garbled(_yaml(SPEC if random.random() < 0.7 else {**SPEC, "task": CUSTOM}), random)
    return garbled(snippet(random).encode("utf-8", "surrogatepass"), random)


def _yaml(data: Any) -> bytes:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


def override(random: Random) -> str:
    path = ".".join(map(str, random.choice(list(paths_of({**SPEC, "task": CUSTOM})))))
    if random.random() < 0.3:
        path = random.choice(["", ".", "..", "a..b", "space.strategy.1.freeze_depth", "space.0", "seeds.99999999999",
        "x" * 5_000,
                              "a." * 5_000 + "b", "-1", "\0", "\x1b[2J", "\udcff", "space.\udcff", "٣", "task.text.٣",
                              "tracking.uri.0.0"])  # fmt: skip
    kind = random.random()
    if kind < 0.4:
        text = json.dumps(value(random))
    elif kind < 0.7:
        text = str(random.choice(TEXTS + NUMBERS))
    else:
        text = snippet(random)
    return path + random.choice(["=", "=", "=", "", "==", " = "]) + text


# Event logs.


def log(random: Random) -> bytes:
    lines = random.choice(_LOG_LINES)
    lines = list(lines)
    kind = random.random()
    if kind < 0.25:
        return garbled(b"".join(lines), random)
    if kind < 0.75:
        for _ in range(random.randint(1, 3)):
            index = random.randrange(len(lines))
            lines[index] = _event_line(lines[index], random)
        return b"".join(lines)
    if kind < 0.9:
        for _ in range(random.randint(1, 4)):
            index, other = random.randrange(len(lines)), random.randrange(len(lines))
            action = random.randrange(4)
            if action == 0:
                lines.insert(other, lines[index])
            elif action == 1:
                lines.pop(index)
            elif action == 2:
                lines[index], lines[other] = lines[other], lines[index]
            else:
                random.shuffle(lines)
            if not lines:
                break
        return b"".join(lines)
    strange = random.choice(
        [b"", b"\n", b"\n\n\n", b"{}\n{}\n", b"[]\n[]\n", b"null\nnull\n", b"5\n5\n", b"[" * 100_000 + b"\n{}\n",
        b'{"a":' * 100_000 + b"\n{}\n",
         b'"' + b"x" * 3_000_000 + b'"\n{}\n', b"\0" * 1_000_000, b"\0" * 1_000 + b"\n{}\n", b"\xff\xfe\n\n",
         b'{"kind": "sweep_started"}\n{}\n',
         b'{"kind": ["sweep_started"]}\n{}\n', b'{"kind": {"a": 1}}\n{}\n', b"1" * 5_000 + b"\n{}\n",
         b'{"kind": "measured", "measurement": 5}\n{}\n',
         b"PK\x03\x04" + b"\0" * 500 + b"\n{}\n", b"SQLite format 3\0\n{}\n", b"-1e999\n{}\n", b'{"float": "x"}\n{}\n',
         b'{"kind": {"float": "1"}}\n{}\n']
    )  # fmt: skip
    return strange + (b"".join(lines) if random.random() < 0.5 else b"")


def _event_line(line: bytes, random: Random) -> bytes:
    """With other values in known fields, and a checksum that fits."""
    data = json.loads(line)
    data.pop("crc", None)
    for _ in range(random.randint(1, 2)):
        path = random.choice(list(paths_of(data)))
        holder = data
        with contextlib.suppress(KeyError, IndexError, TypeError):
            for key in path[:-1]:
                holder = holder[key]
            action = random.random()
            if action < 0.75:
                holder[path[-1]] = _other(holder[path[-1]], random)
            elif action < 0.9:
                del holder[path[-1]]
            elif isinstance(holder, dict):
                holder[random.choice(["x", "float", "trial", "measurement", "kind"])] = value(random)
    text = json.dumps(data, ensure_ascii=random.random() < 0.5)
    raw = text.encode("utf-8", "surrogatepass")
    return raw[:-1] + f', "crc": "{zlib.crc32(raw):08x}"}}\n'.encode()


def _other(old: Any, random: Random) -> Any:
    kind = random.random()
    if kind < 0.2 and isinstance(old, int | float):
        return random.choice([str(old), -old, old * 10**20, {"float": "nan"}, {"float": "x"}, {"float": "inf"}, [old]])
    if kind < 0.3:
        return {"float": random.choice(["nan", "inf", "-inf", "1e999", "x", "", "0x1"])}
    if kind < 0.4:
        return random.choice(list(ev.EVENT_TYPES))
    return value(random)


_LOG_LINES = [file.read_bytes().splitlines(keepends=True) for file in LOGS]


def bookmark(random: Random) -> bytes:
    whole = {"uri": "sqlite:///x", "experiment": "e", "sweep_id": "s", "experiment_id": "1", "offset": 0, "files": {"a": "b"}}
    if random.random() < 0.6:
        return json.dumps(mutated(whole, random, random.randint(1, 3))).encode()
    if random.random() < 0.3:
        return random.choice([b"", b"[" * 200_000, b"{" * 9, b"null", b"5", b"1" * 5_000, b"\xff", b"\0", b'{"a":' * 100_000])
    return garbled(json.dumps(whole).encode(), random)


# Tables.


def table(random: Random) -> tuple[str, bytes]:
    ending = random.choice([*FORMATS, ".conll"])
    rows = [{"text": f"a{k}", "label": str(k % 2), "id": k} for k in range(20)]
    if ending in (".json", ".jsonl"):
        rows = [mutated(row, random, 1) if random.random() < 0.2 else row for row in rows]
        text = json.dumps(rows) if ending == ".json" and random.random() < 0.5 else "\n".join(map(json.dumps, rows)) + "\n"
    else:
        mark = "\t" if ending == ".tsv" else ","
        text = f"text{mark}label\n" + "".join(f"{row['text']}{mark}{row['label']}\n" for row in rows)
    content = text.encode("utf-8", "surrogatepass")
    if ending == ".parquet":
        content = random.choice(_PARQUET)
    strange = random.choice(
        [
            b"[" * 200_000,
            b'{"a":' * 100_000,
            b"1" * 5_000,
            b'"' + b"x" * 2_000_000,
            b"\0" * 1_000_000,
            b"",
            b"{}\n" * 9,
            b'"a,b\n' * 9,
        ]
    )
    return ending, strange if random.random() < 0.1 else garbled(content, random)


def curves(random: Random) -> tuple[bytes, bytes]:
    file = random.choice(CURVES)
    content, about = b"".join(file.read_bytes().splitlines(keepends=True)[:60]), file.with_suffix(".json").read_bytes()
    if random.random() < 0.5:
        about = json.dumps(mutated(json.loads(about), random, random.randint(1, 3))).encode()
    elif random.random() < 0.5:
        about = garbled(about, random)
    kind = random.random()
    if kind < 0.3:
        content = garbled(content, random)
    elif kind < 0.8:
        lines = [line.split(b",") for line in content.split(b"\n")]
        for _ in range(random.randint(1, 3)):
            line = random.choice(lines)
            line[random.randrange(len(line))] = str(random.choice(TEXTS + NUMBERS)).encode("utf-8", "replace")
        content = b"\n".join(b",".join(line) for line in lines)
    return content, about


def _parquet() -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for columns in (
        {"text": ["a", None], "label": [1, 2]},
        {"text": [["a"], []], "label": [{"x": 1}, None]},
        {"a": [b"\xff", b""]},
    ):
        stream = io.BytesIO()
        pq.write_table(pa.table(columns), stream)
        yield stream.getvalue()


_PARQUET = list(_parquet())


# Counting.


@dataclass
class Tally:
    """What has come of the cases of one kind."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)
    slowest: list[tuple[float, str]] = field(default_factory=list)

    def run(self, label: str, case: Callable[[], object]) -> None:
        """Count a case; seconds are those of this process's CPU, for others may have the machine."""
        verdict, took = self._tried(label, case)
        if took > LIMIT:
            self._fault(f"took {took:.1f} s", label)
        self.counts[verdict] += 1
        self.slowest = sorted([*self.slowest, (took, label)], reverse=True)[:3]

    def _tried(self, label: str, case: Callable[[], object]) -> tuple[str, float]:
        faulthandler.dump_traceback_later(HANG, exit=True)
        started = time.process_time()
        output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), exit_codes():
                case()
            verdict = "valid"
        except typer.Exit as end:
            verdict = f"exit {end.exit_code}"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            verdict = "FAULT"
            last = traceback.extract_tb(error.__traceback__)[-1]
            ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "blurb_tune" in frame.filename]
            near = ours[-1] if ours else last
            self._fault(f"{type(error).__name__}: {str(error)[:150]!r} at {Path(near.filename).name}:{near.lineno}", label)
        took = time.process_time() - started
        faulthandler.cancel_dump_traceback_later()
        output.flush()
        said = output.buffer.getvalue().decode("utf-8", "replace")  # type: ignore[attr-defined]
        if _CONTROL & set(said):
            self._fault(f"control characters are printed: {sorted(_CONTROL & set(said))[:5]}", label)
        if verdict != "valid" and len(said) > 200_000:
            self._fault("a message of more than 200,000 characters", label)
        return verdict, took

    def _fault(self, what: str, label: str) -> None:
        key = what if "took" not in what else "took more than a second"
        count, first = self.faults.get(key, (0, f"{label} ({what})"))
        self.faults[key] = (count + 1, first)

    def show(self) -> bool:
        total = sum(self.counts.values())
        slow = ", ".join(f"{took * 1000:.0f} ms ({label})" for took, label in self.slowest)
        print(f"{self.name:10} {total:6,} cases: {dict(sorted(self.counts.items()))}; slowest {slow}")
        for what, (count, first) in sorted(self.faults.items(), key=lambda item: -item[1][0]):
            print(f"  {count:5} x {what}; first {first}")
        return bool(self.faults)


def _validate(file: Path, overrides: list[str]) -> None:
    print_plan(make_plan(load_spec(file, overrides)))


def _read_log(folder: Path) -> None:
    paths = SweepPaths(folder)
    find_events(paths.events, ev.SweepExtended)
    record = SweepRecord.read(paths.events)
    if record.started is not None:
        summarize(record)
    backlog = Backlog(paths.events)
    if backlog.size:
        backlog.sweep_id()
    while backlog.next_piece() is not None:
        backlog.advance()


def _read_bookmark(folder: Path) -> None:
    paths = SweepPaths(folder)
    mark = Bookmark.load(paths.delivered)
    dashboard_url(paths, "http://127.0.0.1:5000")
    if mark is not None:
        Backlog(paths.events).skip_to(mark.offset)
        if mark.is_for(mark, "s"):
            mark.save(folder / "again.json")


def _readers(folder: Path, plan: Plan) -> dict[str, Callable[[], object]]:
    """What `ui` and `sync`, `run --output`, and `extend` read of a folder before they do anything."""
    paths = SweepPaths(folder)
    growth = Growth(seeds=None, configurations=None, confirm=None, budget=(), only=None)
    return {
        "ui": lambda: dashboard_command(paths, tracking_target(paths, spec_of(paths))[0], "127.0.0.1", 5000),
        "run": lambda: check_folder(plan, paths),
        "extend": lambda: extend_command(paths, growth, quiet=True, as_json=False),
    }


def _read_tables(file: Path) -> None:
    content = file.read_bytes()
    if file.suffix == ".conll":
        list(read_conll(content, str(file), "text", "label"))
        return
    list(read_table(content, file))
    for kind in ("classification", "regression", "multi-label", "token classification"):
        task = {"train": file.name, "text": "text", "label": "label", "kind": kind}
        own = file.parent / "own.yaml"
        own.write_bytes(_yaml({"task": task, "model": "tiny"}))
        with contextlib.suppress(BlurbTuneError):
            make_plan(load_spec(own))


def _hypothetical(count: int, seed: int) -> Iterator[bytes]:
    """Specs that hypothesis makes up: any value at any place of a whole one."""
    texts = st.text(st.characters(codec="utf-8"), max_size=30)
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.sampled_from(TEXTS[:20])
    anything = st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
    )
    places = st.sampled_from(list(paths_of({**SPEC, "task": CUSTOM})))
    found: list[bytes] = []

    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(st.lists(st.tuples(places, anything), min_size=1, max_size=3), st.booleans())
    def collect(changes: list[tuple[tuple[Any, ...], Any]], is_custom: bool) -> None:
        data = json.loads(json.dumps({**SPEC, "task": CUSTOM} if is_custom else SPEC))
        for path, new in changes:
            holder = data
            with contextlib.suppress(KeyError, IndexError, TypeError):
                for key in path[:-1]:
                    holder = holder[key]
                holder[path[-1]] = new
        found.append(json.dumps(data).encode() if len(found) % 2 else _yaml(data))

    collect()
    yield from found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in {
        "specs": 20_000,
        "overrides": 2_000,
        "logs": 5_000,
        "folders": 1_000,
        "bookmarks": 1_000,
        "tables": 2_000,
        "seed": 0,
        "only": -1,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    wanted = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "COLUMNS": "200", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    warnings.simplefilter("ignore")
    has_failed = False
    with tempfile.TemporaryDirectory(prefix="blurb-tune-hostile-") as scratch:
        folder = Path(scratch)
        os.chdir(folder)
        os.mkfifo(folder / "fifo.csv")
        (folder / "zero.csv").symlink_to("/dev/zero")
        for trap, file in {"model-zero": "config.json", "warm-zero": "events.jsonl"}.items():
            (folder / trap).mkdir()
            (folder / trap / file).symlink_to("/dev/zero")
        file = folder / "s.yaml"

        def numbered(count: int) -> list[int]:
            return range(count) if wanted.only < 0 else [wanted.only] if count else []  # type: ignore[return-value]

        specs = Tally("specs")
        for number in numbered(wanted.specs * 3 // 4):
            file.write_bytes(spec(Random(f"{wanted.seed} spec {number}")))
            specs.run(f"spec {number}", lambda: _validate(file, []))
        for number, content in enumerate(
            _hypothetical(wanted.specs // 4, wanted.seed) if wanted.specs and wanted.only < 0 else ()
        ):
            file.write_bytes(content)
            specs.run(f"hypothesis {number}", lambda: _validate(file, []))
        overrides = Tally("overrides")
        file.write_bytes(_yaml(SPEC))
        for number in numbered(wanted.overrides):
            random = Random(f"{wanted.seed} override {number}")
            given_ones = [override(random) for _ in range(random.randint(1, 3))]
            overrides.run(f"override {number}", lambda given_ones=given_ones: _validate(file, given_ones))  # type: ignore[misc]
        logs = Tally("logs")
        for number in numbered(wanted.logs):
            (folder / "events.jsonl").write_bytes(log(Random(f"{wanted.seed} log {number}")))
            logs.run(f"log {number}", lambda: _read_log(folder))
        folders = Tally("folders")
        (folder / "good.yaml").write_bytes(_yaml(SPEC))
        plan = make_plan(load_spec(folder / "good.yaml"))
        shutil.copy(LOGS[0], folder / "events.jsonl")
        (folder / "spec.yaml").write_bytes(_yaml(SPEC))
        for read in _readers(folder, plan).values() if wanted.folders else ():
            with contextlib.suppress(BlurbTuneError):  # what they import is none of the cases' time
                read()
        for number in numbered(wanted.folders):
            (folder / "spec.yaml").write_bytes(spec(Random(f"{wanted.seed} folder {number}")))
            for name, read in _readers(folder, plan).items():
                folders.run(f"folder {number} {name}", read)
        bookmarks = Tally("bookmarks")
        shutil.copy(LOGS[0], folder / "events.jsonl")
        for number in numbered(wanted.bookmarks):
            (folder / "tracking.json").write_bytes(bookmark(Random(f"{wanted.seed} bookmark {number}")))
            bookmarks.run(f"bookmark {number}", lambda: _read_bookmark(folder))
        tables = Tally("tables")
        for number in numbered(wanted.tables):
            random = Random(f"{wanted.seed} table {number}")
            if number % 2:
                content, about = curves(random)
                (folder / "c.csv").write_bytes(content)
                (folder / "c.json").write_bytes(about)
                tables.run(f"curves {number}", lambda: read_curves(folder / "c.csv") and None)
            else:
                ending, content = table(random)
                (folder / f"t{ending}").write_bytes(content)
                tables.run(f"table {number}", lambda ending=ending: _read_tables(folder / f"t{ending}"))  # type: ignore[misc]
        for tally in (specs, overrides, logs, folders, bookmarks, tables):
            has_failed |= bool(tally.counts) and tally.show()
        os.chdir("/")
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main())
