"""Tables of what was measured, with medians over the rounds and ratios to ours."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from contenders.bench import RIVALS

Row = dict[str, Any]
Rounds = dict[str, list[Row]]
_ENDINGS = (None, "completed", "collapsed")


def in_turns(rounds: int, contenders: dict[str, Callable[[], Row]]) -> Rounds:
    """What each contender measured in each round; every round begins with another one."""
    found: Rounds = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(contenders[name]())
    return found


def median(rows: Sequence[Row], *names: str) -> float:
    def value(row: Any) -> Any:
        for name in names:
            row = row[name]
        return row

    return statistics.median(value(row) for row in rows)


def show_sweeps(title: str, found: Rounds) -> None:
    print(f"\n{title}; median of {len(found['ours'])}")
    print(f"{'':27}{'seconds':>9}{'ratio':>7}{'CPU s':>9}{'ratio':>7}{'1st step':>10}{'end':>7}{'runs':>6}{'processes':>11}")
    ours = median(found["ours"], "seconds"), median(found["ours"], "cpu")
    for name, rows in found.items():
        seconds, cpu, first, end = (median(rows, of) for of in ("seconds", "cpu", "first_step", "end"))
        print(
            f"{RIVALS.get(name, name):27}{seconds:9.1f}{seconds / ours[0]:7.2f}{cpu:9.1f}{cpu / ours[1]:7.2f}"
            f"{first:10.1f}{end:7.1f}{len(rows[-1]['runs']):6}{rows[-1]['processes']:11}"
        )
    for name, rows in found.items():
        runs = rows[-1]["runs"]
        stopped = sum(run["outcome"] not in _ENDINGS for run in runs)
        stops = f"; {stopped} of {len(runs)} stopped before their end" if stopped else ""
        print(f"  {RIVALS.get(name, name)}, mean dev score: {', '.join(_scores(runs))}{stops}")


def _scores(runs: Sequence[Row]) -> Iterator[str]:
    for name in dict.fromkeys(run["label"] for run in runs):
        scores = [run["score"] for run in runs if run["label"] == name and run["score"] is not None]
        yield f"{name} {statistics.fmean(scores):.3f}" if scores else f"{name} none"


def show_memory(found: Rounds) -> None:
    print("\na slot that trains MiniLM on BIOSSES, MB beyond its imports")
    print(f"{'':27}{'most':>9}{'ratio':>7}{'shared':>9}{'imports':>9}")
    for name, rows in found.items():
        peak, shared, imports = (median(rows, of) for of in ("peak", "shared", "imports"))
        print(f"{name:27}{peak:9.0f}{peak / median(found['ours'], 'peak'):7.2f}{shared:9.0f}{imports:9.0f}")


def show_steps(title: str, found: Rounds) -> None:
    print(f"\na training step, {title}; median of {len(found['ours'])}")
    print(f"{'':34}" + "".join(f"{name:>12}" for name in found) + (f"{'ratio':>8}" if len(found) > 1 else ""))

    def show(what: str, form: str, value: Callable[[list[Row]], float]) -> None:
        values = [value(rows) for rows in found.values()]
        ratio = f"{values[-1] / values[0]:8.2f}" if len(values) > 1 and values[0] else ""
        print(f"{what:34}" + "".join(f"{format(of, form):>12}" for of in values) + ratio)

    kinds = list(found["ours"][0]["seconds"])
    for kind in kinds:
        show(f"{kind}, ms of CPU", ".1f", lambda rows, kind=kind: 1000 * median(rows, "seconds", kind))
    for kind in kinds[1:]:
        show(f"{kind}, of vanilla", ".3f", lambda rows, kind=kind: _share(rows, kind))
    show("real tokens", ".0f", lambda rows: median(rows, "tokens"))
    show("nominal GFLOP", ".2f", lambda rows: median(rows, "nominal_flops") / 1e9)
    show("computed GFLOP", ".2f", lambda rows: median(rows, "computed_flops") / 1e9)
    show("peak of matrix products, GFLOP/s", ".1f", lambda rows: median(rows, "peak_flops") / 1e9)
    for kind in ("nominal", "computed"):
        show(f"share of the peak, {kind}", ".3f", lambda rows, kind=kind: _of_peak(rows, kind))
    for group in found["ours"][0]["profile"]:
        show(f"  time in {group}", ".3f", lambda rows, group=group: median(rows, "profile", group))


def _share(rows: Sequence[Row], kind: str) -> float:
    return statistics.median(row["seconds"][kind] / row["seconds"]["vanilla"] for row in rows)


def _of_peak(rows: Sequence[Row], kind: str) -> float:
    return statistics.median(row[f"{kind}_flops"] / row["seconds"]["vanilla"] / row["peak_flops"] for row in rows)
