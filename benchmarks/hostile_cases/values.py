"""Values that stand where others are expected, and content damaged on purpose."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from random import Random
from typing import Any

import yaml

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


def as_yaml(data: Any) -> bytes:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")
