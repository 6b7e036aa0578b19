"""What is swept: the spec for `blurb-tune run`, the same for those who know no spec, and the data."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]
_NEUTRAL = {"freeze_depth": 0, "decay_rate": 1.0, "reinit_count": 0}
_WORDS = {"freeze_depth": "freeze", "decay_rate": "decay", "reinit_count": "reinit"}


def spec_of(task: str, space: Row, **settings: Any) -> Row:
    space = {"strategy": ["vanilla"], "learning_rate": 5e-5} | space
    return {"name": task, "task": task, "model": "minilm", "space": space, "search": {"sampler": "grid"}, **settings}


def short_sweep(epochs: int) -> Row:
    """Eight runs: four strategies with two seeds, on BIOSSES."""
    strategies = ["vanilla", {"freeze_depth": 4}, {"decay_rate": 0.8}, {"reinit_count": 2}]
    return spec_of("biosses", {"strategy": strategies, "batch_size": 16, "epochs": epochs}, seeds=2)


def job_of(spec: Row, facts: Row, slots: int, seeds: int | None = None) -> Row:
    """A grid for a rival; with `seeds`, only so many of each strategy. facts: of the model, as `ours.py` says them."""
    space = spec["space"]
    strategies = [_NEUTRAL | (of if isinstance(of, dict) else {}) for of in space["strategy"]]
    return {
        "runs": [
            {"label": _label(of), "seed": seed, **of} for of in strategies for seed in range(seeds or spec["seeds"])
        ],
        **{name: space[name] for name in ("epochs", "learning_rate", "batch_size")},
        "warmup_share": 0.1,
        "weight_decay": 0.01,
        "max_length": facts["max_length"],
        "model": facts["model"],
        "slots": slots,
    }  # fmt: skip


def _label(strategy: Row) -> str:
    """As `Strategy.label` has it."""
    used = [f"{word} {strategy[name]}" for name, word in _WORDS.items() if strategy[name] != _NEUTRAL[name]]
    return " + ".join(used) or "vanilla"


def sample(source: Path, target: Path, most: Mapping[str, int]) -> None:
    """A task's folder with at most so many examples of train and dev, drawn at random; always the same ones."""
    target.mkdir()
    for file in source.iterdir():
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.stem in most else []
        if len(lines) > most.get(file.stem, 0):
            (target / file.name).write_text("".join(random.Random(0).sample(lines, most[file.stem])), encoding="utf-8")
        else:
            (target / file.name).symlink_to(file)
