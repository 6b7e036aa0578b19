"""`replay` and `record`: a sweep's decisions on recorded curves, and the curves for it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table
from rich.text import Text

from blurb_tune.cli.run import run_command
from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError, Problem
from blurb_tune.core.numbers import duration, plural, score, share
from blurb_tune.core.paths import SweepPaths, expand_home, fault_of_folder, write_atomically
from blurb_tune.log.event_log import EventLog
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.curve_files import read_curves, write_curves
from blurb_tune.replay.replay import Arena, Replay, Stops
from blurb_tune.report.result_files import write_all
from blurb_tune.spec import SweepSpec, load_spec
from blurb_tune.spec.documents import dump
from blurb_tune.spec.task import TaskSpec
from blurb_tune.stopping.instability import RULES as RUN_RULES
from blurb_tune.sweep.race import RULES as CONFIGURATION_RULES

_UNSTOPPED = ("pruning.race=none", "pruning.pruner=none", "pruning.instability=false", "final_test=false", "confirm=0")
_NONE = Stops(0, 0)


def replay_command(
    files: Sequence[Path],
    spec_file: Path | None,
    overrides: Sequence[str],
    *,
    shuffles: int | None,
    seed: int,
    slots: int,
    as_json: bool,
    to: Path | None = None,
) -> ExitCode:
    """Replay each set of curves, and print what was decided. Returns the exit code.

    to: where each set gets a sweep's folder, which is read like any other.
    """
    if to is not None and shuffles is not None:
        raise InputError([Problem("--to", "keeps one replay of each set of curves, but --shuffles makes many")])
    spec, has_seeds = _spec(spec_file, overrides)
    arenas: list[Arena] = []
    problems: list[Problem] = []
    for file in files:
        try:
            arenas.append(Arena(read_curves(file), spec, has_seeds=has_seeds))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    if to is not None:
        _check_free(to, arenas)
    found = []
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for index, arena in enumerate(arenas):
        replays = list(_replays(arena, shuffles, seed, slots))
        found += [(arena.curves.name, replay) for replay in replays]
        if to is not None:
            _keep(replays[0], arena.spec, SweepPaths(to / arena.curves.name))
        if not as_json:
            if index:
                console.print()
            _show(console, arena, replays)
    if as_json:
        lines = (json.dumps(_plain(name, replay), allow_nan=False) for name, replay in found)
        print('{"replays": [\n' + ",\n".join(lines) + "\n]}")
    return ExitCode.DONE


def record_command(file: Path, overrides: Sequence[str], folder: Path, *, quiet: bool) -> ExitCode:
    """Run a sweep in which nothing is stopped, and write its curves. Returns the exit code of the run."""
    loaded = load_spec(file, overrides)
    spec = loaded.valid()
    paths, table = SweepPaths(folder / f"{spec.name}-sweep"), folder / f"{spec.name}.csv"
    problems = [Problem(str(folder), fault)] if (fault := fault_of_folder(folder)) else []
    if isinstance(spec.task, TaskSpec) and spec.task.folds:
        problems.append(Problem("task.folds", "a cross-validation has no curves by seed; give a dev split"))
    if isinstance(spec.task, TaskSpec):
        names = [name for name in (spec.task.train, spec.task.dev, spec.task.test) if name]
        read = {(loaded.base / expand_home(name)).resolve() for name in names}
        what = "the task reads this file, which the curves would replace; name another folder with --to"
        problems += [Problem(str(made), what) for made in (table, table.with_suffix(".json")) if made.resolve() in read]
    if spec.training.early_stopping_patience is not None:
        problems.append(Problem("training.early_stopping_patience", "curves are of whole runs; leave it out"))
    if problems:
        raise InputError(problems)
    code = run_command(file, [*overrides, *_UNSTOPPED], paths.root, quiet=quiet, as_json=False)
    if code not in (ExitCode.DONE, ExitCode.NO_RESULT):  # runs that fail are recorded like others
        return code
    try:
        write_curves(SweepRecord.read(paths.events), table)
    except InputError as error:
        raise BlurbTuneError(str(error)) from None
    print(f"Curves: {table}, and what they are in {table.with_suffix('.json').name}")
    return ExitCode.DONE


def _spec(file: Path | None, overrides: Sequence[str]) -> tuple[SweepSpec, bool]:
    """The spec to decide by, and whether it says something about seeds; that of five lines where none is given."""
    if file is not None:
        spec = load_spec(file, overrides).valid()
    else:
        spec = load_spec({"name": "replay", "task": "demo", "model": "tiny", "search": {"sampler": "grid"}}, overrides).valid()
    return spec, "seeds" in spec.model_fields_set


def _check_free(to: Path, arenas: Sequence[Arena]) -> None:
    taken = [to / arena.curves.name for arena in arenas if (to / arena.curves.name).exists()]
    faults = [Problem(str(folder), "is there already") for folder in taken]
    if fault := fault_of_folder(to):
        faults.append(Problem(str(to), fault))
    if faults:
        raise InputError(faults)


def _keep(replay: Replay, spec: SweepSpec, paths: SweepPaths) -> None:
    """Write the replayed sweep as if it had been run."""
    paths.root.mkdir(parents=True)
    data = spec.model_dump(mode="json") | {"name": paths.root.name, "task": replay.record.header.task}
    write_atomically(paths.spec, f"# {paths.root.name}: replayed\n" + dump(data))
    with EventLog(paths.events, paths.lock) as log:
        for event in replay.events:
            log.append(event)
    write_all(replay.record, paths)


def _replays(arena: Arena, shuffles: int | None, seed: int, slots: int) -> Iterator[Replay]:
    if shuffles is None:
        yield arena.once(slots)
        return
    console = Console(stderr=True)
    rounds = arena.shuffles(shuffles, seed, slots)
    yield from track(
        rounds, escape(f"{arena.curves.name}:"), shuffles, console=console, transient=True, disable=not console.is_terminal
    )


def _plain(name: str, replay: Replay) -> dict[str, Any]:
    return {
        "curves": name,
        "winner": replay.winner,
        "full_grid_winner": replay.full_grid_winner,
        "rank": replay.rank,
        "regret": replay.regret,
        "evaluations_used": replay.evaluations_used,
        "evaluations_all": replay.evaluations_all,
        "simulated_seconds": replay.seconds,
        "stopped": {
            "runs": {rule: asdict(replay.runs.get(rule, _NONE)) for rule in dict.fromkeys((*RUN_RULES, *replay.runs))},
            "configurations": {
                rule: asdict(replay.configurations.get(rule, _NONE))
                for rule in dict.fromkeys((*CONFIGURATION_RULES, *replay.configurations))
            },
        },
        "reopened": replay.reopened,
        "seeds": replay.seeds,
        "order": replay.order,
    }


def _show(console: Console, arena: Arena, replays: Sequence[Replay]) -> None:
    curves, first = arena.curves, replays[0]
    seeds = f"{len(first.seeds)} of {plural(len(curves.seeds), 'seed')}"
    console.print(f"{curves.name}: {plural(len(curves.runs), 'configuration')}, {seeds}, {curves.metric} on dev.")
    console.print(_one(arena, first) if len(replays) == 1 else _many(arena, replays))
    used, of = sum(r.evaluations_used for r in replays), sum(r.evaluations_all for r in replays)
    time = f", {duration(mean(r.seconds for r in replays))} of simulated time" if curves.has_seconds else ""
    console.print(f"Evaluations: {used:,} of {of:,} ({used / of:.0%}){time}.")
    for what, counts in (("run", [r.runs for r in replays]), ("configuration", [r.configurations for r in replays])):
        for rule in dict.fromkeys(rule for count in counts for rule in count):
            stopped, wrongly = (sum(getattr(c.get(rule, _NONE), name) for c in counts) for name in ("stopped", "wrongly"))
            meaning = "would not have failed" if what == "run" else "would have won"
            console.print(f"Stopped by {rule}: {plural(stopped, what)}, of which {wrongly} {meaning}.")
    if len(replays) == 1:
        console.print(_verdict(first), style="bold")
    else:
        right = sum(r.winner == r.full_grid_winner for r in replays)
        regret = [r.regret for r in replays if r.regret is not None]
        console.print(f"The same winner as with nothing stopped in {share(right, len(replays))} replays.", style="bold")
        if regret:
            console.print(
                f"Regret over all seeds of the file: {score(mean(regret))} on average, {score(max(regret))} at most."
            )


def _verdict(replay: Replay) -> str:
    if replay.winner is None:
        return "No configuration has a result."
    same = "as with nothing stopped" if replay.winner == replay.full_grid_winner else f"{replay.full_grid_winner} otherwise"
    regret = score(replay.regret or 0.0)
    return f"Winner: {replay.winner}, {same}; rank {replay.rank} over all seeds of the file, regret {regret}."


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("configuration")
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _one(arena: Arena, replay: Replay) -> Table:
    """What each configuration came to, the winner first, and why those were stopped that were."""
    table = _table("n", "mean", "std", "failed", "objective")
    table.add_column("stopped by")
    record = replay.record
    results = [(record.configurations[r.name], r) for r in record.by_configuration()]
    for configuration, result in sorted(results, key=lambda item: (item[0].is_out, item[1].excess, -item[1].objective)):
        why = configuration.stopped
        rule = "" if why is None else f"{why.rule} after {why.replicates}" + (", control group" if why.spared else "")
        table.add_row(
            Text(replay.order[int(result.name[1:])]),
            share(result.n, len(replay.seeds)),
            score(result.summary.mean),
            score(result.summary.std),
            share(result.failed, result.n),
            score(result.objective),
            rule + (", reopened" if configuration.reopened else ""),
            style="dim" if configuration.is_out else None,
        )
    return table


def _many(arena: Arena, replays: Sequence[Replay]) -> Table:
    """How often each configuration won, with and without stopping, by its objective over all seeds of the file."""
    table = _table("objective, all seeds", "won", "won, nothing stopped", "stopped")
    won, full = Counter(r.winner for r in replays), Counter(r.full_grid_winner for r in replays)
    stopped: Counter[str] = Counter()
    for replay in replays:
        for configuration in replay.record.configurations.values():
            stopped[replay.order[int(configuration.configuration_id[1:])]] += configuration.is_out
    for name, objective in sorted(arena.objectives.items(), key=lambda item: -item[1]):
        counts = (won[name], full[name], stopped[name])
        table.add_row(Text(name), score(objective), *(share(count, len(replays)) for count in counts))
    return table
