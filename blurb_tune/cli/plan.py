"""What `validate` prints: the sweep that would run."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from blurb_tune.preflight import Plan
from blurb_tune.spec.dimensions import Choice, Range
from blurb_tune.spec.pruning import MedianPruner, NoPruner, PercentilePruner, SuccessiveHalvingPruner


def print_plan(plan: Plan) -> None:
    """The plan on stdout."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in _rows(plan):
        table.add_row(Text(name, style="bold"), Text(text))
    Console(highlight=False).print(table)


def _rows(plan: Plan) -> Iterator[tuple[str, str]]:
    spec, search = plan.spec, plan.spec.search
    yield "sweep", f"{spec.name} is valid"
    yield "task", f"{plan.task.name}, {plan.train_examples} train and {plan.dev_examples} dev examples, {plan.metric} on dev"
    yield "model", f"{plan.model.name}, {plan.model.blocks} blocks"
    of = f" of {plan.combinations}" if plan.combinations else " of endlessly many"
    yield "configurations", f"{plan.configurations}{of}, by {search.sampler}"
    yield "seeds", f"{len(spec.seeds)} each: {', '.join(map(str, spec.seeds))}"
    yield "objective", f"{spec.objective} of the {spec.score} scores"
    yield "trials", str(plan.trials)
    yield "at most", f"{plan.max_epochs:,} epochs, {plan.max_steps:,} steps"
    yield from (("space" if index == 0 else "", line) for index, line in enumerate(_space(plan)))
    yield from (("pruning" if index == 0 else "", line) for index, line in enumerate(_pruning(plan)))
    yield "each trial", f"{spec.resources.cpus} CPU, {spec.resources.gpus:g} GPU, precision {spec.training.precision}"
    yield "tracking", spec.tracking.uri or "SQLite in the sweep's folder"


def _space(plan: Plan) -> Iterator[str]:
    space = plan.spec.space
    if space.strategy is not None:
        yield "strategy: " + ", ".join(item.strategy.label for item in space.strategy)
    for name in type(space).model_fields:
        match getattr(space, name):
            case Choice(choice=values):
                yield f"{name}: one of {', '.join(map(str, values))}"
            case Range(low=low, high=high, step=step, log=log):
                how = " (log)" if log else f" in steps of {step}" if step else ""
                yield f"{name}: {low} to {high}{how}"


def _pruning(plan: Plan) -> Iterator[str]:
    """What may be saved: how much of a trial is left when a pruner can first stop it."""
    pruning = plan.spec.pruning
    if pruning.instability.enabled:
        saved = f"{1 - pruning.instability.grace:.0%}"
        yield f"unstable runs stop after {pruning.instability.grace:.0%} of their steps: up to {saved} of each is saved"
    else:
        yield "unstable runs run on, unless their loss is not finite"
    first = _first_look(plan)
    if first is None:
        yield f"dominated runs: {pruning.pruner.kind}"
    elif first:
        evaluations = _evaluations(plan)
        when, saved = f"from evaluation {first} of {evaluations}", f"{max(0.0, 1 - first / evaluations):.0%}"
        yield f"dominated runs: {pruning.pruner.kind}, {when}: up to {saved} of each is saved"
    if not isinstance(pruning.pruner, NoPruner) or pruning.instability.enabled:
        yield f"{pruning.control_share:.0%} of the stopped trials run on, to measure the pruners by"


def _first_look(plan: Plan) -> int | None:
    match plan.spec.pruning.pruner:
        case MedianPruner(n_warmup_steps=warmup) | PercentilePruner(n_warmup_steps=warmup):
            return max(1, warmup)
        case SuccessiveHalvingPruner(min_resource=first):
            return first
        case _:
            return None


def _evaluations(plan: Plan) -> int:
    """Of the longest trial."""
    every = plan.spec.training.eval_every
    longest = plan.max_epochs if every == "epoch" else plan.max_steps // every
    return max(1, longest // plan.trials)
