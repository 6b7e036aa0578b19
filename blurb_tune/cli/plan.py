"""What `validate` prints: the sweep that would run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from blurb_tune.cli.formatting import counted
from blurb_tune.preflight import Plan
from blurb_tune.search.combinations import pairs_left_out
from blurb_tune.spec.dimensions import Choice, Range
from blurb_tune.spec.pruning import MedianPruner, NoPruner, PercentilePruner, SuccessiveHalvingPruner

_MANY = 10


def print_plan(plan: Plan) -> None:
    """The plan on stdout."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in _rows(plan):
        table.add_row(Text(name, style="bold"), Text(text))
    Console(highlight=False).print(table)


def _rows(plan: Plan) -> Iterator[tuple[str, str]]:
    spec, search = plan.spec, plan.spec.search
    yield "sweep", f"{spec.name} is valid"
    yield "task", f"{plan.task.name}, {_examples(plan)}, {plan.metric} on dev"
    yield from (("note", note) for note in plan.notes)
    models = [f"{name}, {blocks} blocks" for name, blocks in plan.blocks.items()]
    yield from (("model" if index == 0 else "", line) for index, line in enumerate(models))
    of = f" of {plan.combinations}" if plan.combinations else " of endlessly many"
    yield "configurations", f"{plan.configurations}{of}, by {search.sampler}"
    yield "seeds", f"{len(spec.seeds)} each: {_listed(spec.seeds)}"
    if plan.source.folds:
        yield "folds", f"{plan.source.folds} for each seed"
    yield "objective", f"{spec.objective} of the {spec.score} scores"
    yield "trials", str(plan.trials)
    yield "at most", f"{plan.max_epochs:,} epochs" + (f", {plan.max_steps:,} steps" if plan.max_steps is not None else "")
    yield from (("space" if index == 0 else "", line) for index, line in enumerate(_space(plan)))
    yield from (("pruning" if index == 0 else "", line) for index, line in enumerate(_pruning(plan)))
    yield "each trial", f"{spec.resources.cpus} CPU, {spec.resources.gpus:g} GPU, precision {spec.training.precision}"
    yield "final test", _final_test(plan)
    yield "tracking", spec.tracking.uri or "SQLite in the sweep's folder"


def _listed(values: Sequence[object]) -> str:
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
        yield f"strategy: {_listed([item.strategy.label for item in space.strategy])}"
        left_out = pairs_left_out(space, plan.blocks)
        if left_out:
            yield f"left out: {counted(left_out, 'pair')} of model and strategy, too deep for the model"
    for name in type(space).model_fields:
        match getattr(space, name):
            case Choice(choice=values):
                yield f"{name}: one of {_listed(values)}"
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
        when, saved = f"from evaluation {first}", ""
        if evaluations is not None:
            of_each = f"up to {1 - first / evaluations:.0%} of each is saved"
            when, saved = f"{when} of {evaluations}", f": {of_each if first < evaluations else 'too late to stop any run'}"
        yield f"dominated runs: {pruning.pruner.kind}, {when}{saved}"
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


def _evaluations(plan: Plan) -> int | None:
    """Of the longest trial; None where its steps are not known."""
    every = plan.spec.training.eval_every
    if every == "epoch":
        return plan.max_epochs // plan.trials
    return max(1, plan.max_steps // plan.trials // every) if plan.max_steps is not None else None
