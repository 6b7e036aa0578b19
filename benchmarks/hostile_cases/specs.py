"""Specs and overrides that mean no good."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Any

from hostile_cases.values import CUSTOM, NUMBERS, SPEC, TEXTS, as_yaml, garbled, mutated, paths_of, value
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st


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


def spec(random: Random) -> bytes:
    kind = random.random()
    if kind < 0.3:
        custom = {**SPEC, "task": CUSTOM} if random.random() < 0.4 else SPEC
        data = mutated(custom, random, random.randint(1, 4))
        return json.dumps(data).encode() if random.random() < 0.5 else as_yaml(data)
    if kind < 0.6:
        base = "task: demo\nmodel: tiny\n"
        found = snippet(random)
        keys = {line.split(":")[0] for line in found.splitlines()[:3]}
        kept = "".join(line for line in base.splitlines(keepends=True) if line.split(":")[0] not in keys)
        return (kept + found if random.random() < 0.6 else found).encode("utf-8", "surrogatepass")
    if kind < 0.9:
        return garbled(as_yaml(SPEC if random.random() < 0.7 else {**SPEC, "task": CUSTOM}), random)
    return garbled(snippet(random).encode("utf-8", "surrogatepass"), random)


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


def hypothetical(count: int, seed: int) -> Iterator[bytes]:
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
        found.append(json.dumps(data).encode() if len(found) % 2 else as_yaml(data))

    collect()
    yield from found
