"""What `validate` prints: the sweep that would run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from blurb_tune.core.numbers import plural
from blurb_tune.core.secrets import redact
from blurb_tune.preflight import Plan
from blurb_tune.search.combinations import pairs_left_out
from blurb_tune.spec.budget import BudgetSpec, format_duration
from blurb_tune.spec.dimensions import Choice, Range
from blurb_tune.spec.pruning import NoPruner
from blurb_tune.stats.race import first_possible_stop
from blurb_tune.stopping.instability import can_fire

_MANY = 10


def print_plan(plan: Plan, *, as_json: bool = False) -> None:
    """The plan on stdout."""
    if as_json:
        print(json.dumps(plain_plan(plan), indent=2, allow_nan=False))
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in _rows(plan):
        table.add_row(Text(name, style="bold"), Text(text))
    Console(highlight=False).print(table)


def plain_plan(plan: Plan) -> dict[str, Any]:
    """The plan as plain data, and the whole spec with every default written out, without secrets."""
    first = _first_stop(plan)
    return {
        "name": plan.spec.name,
        "task": plan.task.name,
        "metric": plan.metric,
        "models": dict(plan.blocks),
        "examples": {"train": plan.train_examples, "dev": plan.dev_examples},
        "has_test": plan.has_test,
        "configurations": plan.configurations,
        "combinations": plan.combinations,
        "seeds": list(plan.spec.seeds),
        "folds": plan.source.folds,
        "trials": plan.trials,
        "max_epochs": plan.max_epochs,
        "max_steps": plan.max_steps,
        "race_stops_from_seed": first,
        "notes": list(plan.notes),
        "warnings": list(plan.warnings),
        "spec_digest": plan.digest,
        "spec": _redact_all(plan.spec.model_dump(mode="json")),
    }


def _redact_all(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _redact_all(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_redact_all(item) for item in value]
    return redact(value) if isinstance(value, str) else value


def _rows(plan: Plan) -> Iterator[tuple[str, str]]:
    spec, search = plan.spec, plan.spec.search
    yield "sweep", f"{spec.name} is valid"
    yield "task", f"{plan.task.name}, {_examples(plan)}, {plan.metric} on dev"
    yield from (("note", note) for note in plan.notes)
    models = [f"{name}, {blocks} blocks" for name, blocks in plan.blocks.items()]
    yield from (("model" if index == 0 else "", line) for index, line in enumerate(models))
    of = f" of {plan.combinations}" if plan.combinations else " of infinitely many"
    yield "configurations", f"{plan.configurations}{of}, by {search.sampler}"
    crossed = f", {spec.crossed[0]} of the initialization crossed with {spec.crossed[1]} of the order" if spec.crossed else ""
    yield "seeds", f"{len(spec.seeds)} each: {_join_values(spec.seeds)}{crossed}"
    if plan.source.folds:
        yield "folds", f"{plan.source.folds} for each seed"
    yield "objective", f"{spec.objective} of the {spec.score} scores"
    yield "trials", str(plan.trials)
    yield "at most", f"{plan.max_epochs:,} epochs" + (f", {plan.max_steps:,} steps" if plan.max_steps is not None else "")
    yield from (("space" if index == 0 else "", line) for index, line in enumerate(_space(plan)))
    yield from (("pruning" if index == 0 else "", line) for index, line in enumerate(_pruning(plan)))
    if spec.confirm:
        yield "confirmation", f"{plural(spec.confirm, 'fresh seed')} of the winner and of vanilla, when all is decided"
    if budget := list(_budget(spec.budget)):
        yield "budget", f"the search ends with {' or '.join(budget)}"
    yield "each trial", f"{spec.resources.cpus} CPU, {spec.resources.gpus:g} GPU, precision {spec.training.precision}"
    if (patience := spec.training.early_stopping_patience) is not None:
        yield "", f"ends early after {plural(patience, 'evaluation')} without improvement"
    yield "final test", _final_test(plan)
    yield "tracking", redact(spec.tracking.uri) if spec.tracking.uri else "SQLite in the sweep's folder"
    yield from (("warning", warning) for warning in plan.warnings)


def _budget(budget: BudgetSpec) -> Iterator[str]:
    if budget.trials is not None:
        yield plural(budget.trials, "trial")
    if budget.wall_time is not None:
        yield f"{format_duration(budget.wall_time)} of wall time"
    if budget.training_time is not None:
        yield f"{format_duration(budget.training_time)} of training"
    if budget.settled:
        yield "a race that is decided"


def _join_values(values: Sequence[object]) -> str:
    shown = [*values[:_MANY], "...", values[-1]] if len(values) > _MANY + 1 else values
    return ", ".join(map(str, shown))


def _final_test(plan: Plan) -> str:
    if not plan.spec.final_test or plan.has_test is False:
        return "none"
    return "the best configuration and vanilla, once, at the end" + (
        ", if there is a test split" if plan.has_test is None else ""
    )


def _examples(plan: Plan) -> str:
    if plan.train_examples is None or plan.dev_examples is None:
        return "data not looked at"
    return f"{plan.train_examples} train and {plan.dev_examples} dev examples"


def _space(plan: Plan) -> Iterator[str]:
    space = plan.spec.space
    if space.strategy is not None:
        yield f"strategy: {_join_values([item.strategy.label for item in space.strategy])}"
        left_out = pairs_left_out(space, plan.blocks)
        if left_out:
            yield f"left out: {plural(left_out, 'pair')} of model and strategy, too deep for the model"
    for name in type(space).model_fields:
        match getattr(space, name):
            case Choice(choice=values):
                yield f"{name}: one of {_join_values(values)}"
            case Range(low=low, high=high, step=step, log=log):
                how = " (log)" if log else f" in steps of {step}" if step else ""
                yield f"{name}: {low} to {high}{how}"


def _pruning(plan: Plan) -> Iterator[str]:
    """What may be stopped, and from when on; a rule that cannot fire is said to be one."""
    pruning = plan.spec.pruning
    evaluations = _evaluations(plan)
    if not pruning.instability.enabled:
        yield "unstable runs run on, unless their loss is not finite"
    elif evaluations is not None and not can_fire(pruning.instability, evaluations):
        yield f"unstable runs: evaluated {plural(evaluations, 'time')} each, too seldom to be stopped before their end"
    else:
        yield f"unstable runs stop after {pruning.instability.grace:.0%} of their steps, if they are at the trivial level"
    yield f"race: {_race(plan)}"
    if not isinstance(pruning.pruner, NoPruner):
        yield f"stock pruner over configurations: {pruning.pruner.kind}"
    if pruning.control_share:
        yield f"{pruning.control_share:.0%} of what is stopped runs on, to measure the stops by"


def _race(plan: Plan) -> str:
    """From which seed on a configuration can be stopped."""
    race, seeds = plan.spec.pruning.race, len(plan.spec.seeds)
    if plan.spec.crossed is not None:
        return "none, crossed seeds are no independent replicates"
    if race.method == "none":
        return "none, every configuration runs all its seeds"
    if plan.configurations < 2:
        return "none, there is one configuration"
    first = _first_stop(plan)
    if first is None:
        return f"{plural(seeds, 'seed')} are too few to stop a configuration early"
    return f"configurations that have lost stop, from seed {first} of {seeds} on, at the level {race.alpha:g}"


def _first_stop(plan: Plan) -> int | None:
    """The seed after which the race can stop a configuration; None where it cannot."""
    race, seeds = plan.spec.pruning.race, len(plan.spec.seeds)
    last = min(seeds, race.max_seeds or seeds)
    if plan.spec.crossed is not None or race.method == "none" or plan.configurations < 2 or last < race.min_seeds:
        return None
    first = first_possible_stop(planned=last, first=race.min_seeds, alpha=race.alpha, m=plan.configurations)
    return None if first is None or first >= seeds else first


def _evaluations(plan: Plan) -> int | None:
    """Of the longest trial; None where its steps are not known."""
    every = plan.spec.training.eval_every
    if every == "epoch":
        return plan.max_epochs // plan.trials
    return max(1, plan.max_steps // plan.trials // every) if plan.max_steps is not None else None
