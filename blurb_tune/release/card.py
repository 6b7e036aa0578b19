"""The card of a released model, from the record of the sweep that it comes from, in the format of the Hugging Face hub."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from blurb_tune.core.numbers import duration, plural
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import Plan
from blurb_tune.release.choice import Choice
from blurb_tune.release.combined_card import beside_single, origin, short_name
from blurb_tune.release.data_card import data_set_of, of_the_data
from blurb_tune.release.folder import Facts
from blurb_tune.release.usage import pipeline_of, usage
from blurb_tune.report.answer import answer_of
from blurb_tune.report.blocks import Code, Paragraph
from blurb_tune.report.final_scores import FinalResult, final_results
from blurb_tune.report.hyperparameters import NAMES, settings_in_words
from blurb_tune.report.provenance import Provenance
from blurb_tune.report.sections.methods import methods
from blurb_tune.report.summary import notes_of
from blurb_tune.stats.intervals import t_interval, wilson_interval
from blurb_tune.stats.stability import summarize_scores
from blurb_tune.tasks.blurb.definitions import TASKS

# What the hub calls those of our metrics that it knows by another name.
_METRICS_OF_THE_HUB = {
    "pearson": "pearsonr",
    "spearman": "spearmanr",
    "entity_f1": "f1",
    "micro_f1": "f1",
    "macro_f1": "f1",
    "word_macro_f1": "f1",
}


def write_card(folder: Path, record: SweepRecord, plan: Plan, choice: Choice, facts: Facts) -> None:
    """Write `README.md`: what the hub reads, then what people do."""
    head = _metadata(record, plan, choice, facts).to_yaml()
    text = "\n\n".join(_body(record, plan, choice, facts))
    (folder / "README.md").write_text(f"---\n{head}\n---\n\n{text}\n", encoding="utf-8")


def _metadata(record: SweepRecord, plan: Plan, choice: Choice, facts: Facts) -> ModelCardData:
    header, pipeline, data_set = record.header, pipeline_of(plan), data_set_of(record)
    base = plan.models[record.configurations[choice.trial.configuration_id].configuration.model].hub_id
    scores = [("dev", _dev_score(record, choice)), ("test", _test_score(record, choice))]
    results = [
        EvalResult(
            task_type=pipeline,
            dataset_type=data_set or facts.task,
            dataset_name=facts.task,
            dataset_split=split,
            metric_type=_METRICS_OF_THE_HUB.get(header.metric, header.metric),
            metric_name=f"{header.metric} ({split})",
            metric_value=score,
        )
        for split, score in scores
        if score is not None
    ]
    return ModelCardData(
        language="en" if facts.task in TASKS else None,
        library_name="transformers",
        pipeline_tag=pipeline,
        datasets=[data_set] if data_set else None,
        metrics=sorted({result.metric_type for result in results}),
        tags=["blurb-tune", "biomedical"],
        model_name=f"{header.name}-{short_name(choice)}",
        eval_results=results,
        base_model=base,
    )


def _dev_score(record: SweepRecord, choice: Choice) -> float | None:
    return choice.combination.dev_score if choice.combination else record.score(choice.trial)


def _test_score(record: SweepRecord, choice: Choice) -> float | None:
    if choice.combination:
        return None if math.isnan(choice.combination.score) else choice.combination.score
    test = record.tests.get(choice.trial.trial_id)
    score = test.metrics.get(record.header.metric, math.nan) if test and test.metrics else math.nan
    return None if math.isnan(score) else score


def _body(record: SweepRecord, plan: Plan, choice: Choice, facts: Facts) -> Iterator[str]:
    header, trial = record.header, choice.trial
    configuration = record.configurations[trial.configuration_id].configuration
    label, model = record.label(trial.configuration_id), configuration.model
    yield f"# {facts.task}: {model}, {label}"
    yield (
        f"{model} fine-tuned on {facts.task} ({facts.kind}) with the strategy **{label}**. It is {origin(choice)}, of the "
        f"sweep `{header.sweep_id}`, which looked for the strategy that is good with every seed, not once."
    )
    yield "## What the sweep says of the strategy"
    yield "\n".join(f"- {sentence}" for sentence in answer_of(record).sentences)
    yield _scores(record, choice)
    yield "## Data"
    yield of_the_data(record, facts)
    yield "## Settings"
    yield f"{settings_in_words(configuration, NAMES)}; precision {facts.precision}, at most {facts.max_length} tokens."
    yield "## Intended use and limits"
    yield "\n".join(f"- {limit}" for limit in _limits(record, plan, choice))
    yield "## Use"
    yield usage(plan, facts)
    yield "## Compute and carbon"
    yield _compute(record, plan, choice)
    yield "## Methods and citation"
    for block in methods(record, Provenance(), frozenset()):
        if isinstance(block, Paragraph):
            yield block.text
        elif isinstance(block, Code):
            yield f"```bibtex\n{block.text.strip()}\n```"


def _scores(record: SweepRecord, choice: Choice) -> str:
    """This model's, and those of all runs of its strategy, which say what to expect of another seed."""
    header, name = record.header, choice.trial.configuration_id
    of_model = _dev_score(record, choice)
    assert of_model is not None, "a run with a model has a score"
    scores = list(record.seed_scores(record.quoted_trials(name)).get(name, {}).values())
    of_all, (low, high) = summarize_scores(scores), t_interval(scores)
    ended = [trial for trial in record.quoted_trials(name) if trial.outcome not in (None, Outcome.ERRORED)]
    failed = sum(trial.outcome is not None and trial.outcome.is_failed for trial in ended)
    bounds = " to ".join(f"{100 * bound:.0f}" for bound in wilson_interval(failed, len(ended)))
    interval = "" if math.isnan(low) else f", 95 % interval of the mean {low:.3f} to {high:.3f}"
    std = "" if math.isnan(of_all.std) else f" ± {of_all.std:.3f}"
    lines = [f"| {header.metric} | this {'model' if choice.combination else 'run'} | its strategy |", "|---|---|---|"]
    lines.append(
        f"| dev | {of_model:.3f} | {of_all.mean:.3f}{std} over {plural(of_all.n, 'seed')}{interval}; "
        f"{failed} of {len(ended)} failed (95 % interval {bounds} %) |"
    )
    tested = {result.configuration: result for result in final_results(record)}.get(name)
    if tested is not None:
        own = _test_score(record, choice)
        lines.append(f"| test | {'not tested' if own is None else f'{own:.3f}'} | {_of_test(tested)} |")
    if choice.combination and choice.combination.examples:
        lines += ["", beside_single(choice.combination)]
    return "\n".join(lines)


def _of_test(result: FinalResult) -> str:
    if math.isnan(result.summary.mean):
        return "undefined"
    low, high = result.interval
    interval = "" if math.isnan(low) else f"; one run's score has the 95 % interval {low:.3f} to {high:.3f}"
    std = "" if math.isnan(result.summary.std) else f" ± {result.summary.std:.3f}"
    runs, examples = plural(result.summary.n, "run"), plural(result.examples, "example")
    return f"{result.summary.mean:.3f}{std} over {runs}, {examples}{interval}"


def _compute(record: SweepRecord, plan: Plan, choice: Choice) -> str:
    """Time on which devices; of emissions what follows from it, for who knows power and grid."""
    gpus, cpus = plan.spec.resources.gpus, plan.spec.resources.cpus
    device = f"{gpus:g} GPU" if gpus else plural(cpus, "CPU core")
    runs, slots = plural(len(record.trials), "run"), plural(record.slots, "slot")
    own = [record.trials[name] for name in choice.combination.members] if choice.combination else [choice.trial]
    hours = record.train_seconds / 3600
    return (
        f"All {runs} of the sweep trained and were evaluated for {duration(record.train_seconds)} on {slots} of {device}; "
        f"{'this run' if len(own) == 1 else f'the {len(own)} runs of this model'} for "
        f"{duration(sum(run.train_seconds for run in own))}. The energy was not measured. Emissions are {hours:.3g} h, times "
        "the power of a slot, times the carbon intensity of the grid (Lacoste et al. 2019, arXiv 1910.09700)."
    )


def _limits(record: SweepRecord, plan: Plan, choice: Choice) -> Iterator[str]:
    yield "Research on texts like those of the data set. Not for decisions about patients without a check of its own."
    if choice.trial.outcome is not None and choice.trial.outcome.is_failed:
        yield f"This run counts as failed ({choice.trial.outcome}: {choice.trial.reason})."
    if choice.trial.fold is not None:
        yield "It was trained on the other folds of a cross-validation, not on all of the training data."
    if _test_score(record, choice) is None:
        yield "It has not been tested: the scores on dev were part of the choice and are too good."
    if plan.task.markers:
        yield f"Entities must be masked as in training: {', '.join(f'`{marker}`' for marker in plan.task.markers)}."
    yield from notes_of(record)
