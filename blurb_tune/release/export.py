"""Runs of a sweep as a folder that Hugging Face's `from_pretrained` and `pipeline` load without a word of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blurb_tune.core.combination import Method
from blurb_tune.core.errors import InputError, Problem
from blurb_tune.core.numbers import plural
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log.events import CombinationTested
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import make_plan
from blurb_tune.release.card import write_card
from blurb_tune.release.choice import Choice, choose
from blurb_tune.release.combining import combined
from blurb_tune.release.folder import FACTS, Facts, new_folder
from blurb_tune.release.loading import load_models, mean_outputs
from blurb_tune.release.onnx_file import ONNX_FILE, write_onnx
from blurb_tune.release.run_models import RunModels, check_written
from blurb_tune.release.soup import mean_weights
from blurb_tune.spec import load_spec
from blurb_tune.training.batch_runner import BatchRunner


@dataclass(frozen=True)
class Exported:
    """trial: the run, or of which runs what is made. score: on dev, as the sweep's log has it. found: the same, by the folder
    that was written; None where it was there already. combination: what several runs are worth as one model, None for one
    run's."""

    folder: Path
    trial: str
    why: str
    metric: str
    score: float
    found: float | None
    combination: CombinationTested | None = None

    @property
    def first_run(self) -> str:
        """The run, or the best of them."""
        return self.combination.members[0] if self.combination else self.trial


def export(
    paths: SweepPaths,
    to: Path,
    *,
    trial: str | None = None,
    median: bool = False,
    method: Method = Method.SINGLE,
    onnx: bool = False,
    again: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Exported:
    """Write a run's model to the new folder `to`, with tokenizer, labels and a card; see `choice.choose` for which run.

    method: several runs of the winner as one model, whose members are chosen on dev and which is tested beside the best single
    run (`combining.combined`). An ensemble is a folder with a model in a folder for each member.

    A regression's head gives scores in the unit of the data. The folder is read back and scored on dev before it is put in
    its place: it is what the sweep has measured, or it is not there. onnx: write an ONNX file of each model too (`onnx_file`).
    again: where `to` holds this very model, leave it as it is, card and all, and export nothing.

    Raises InputError where the spec's data or model are gone, `to` is taken, or a run is named beside a method of several; and
    BlurbTuneError where the weights are gone or the runs do not allow the method.
    """
    if method is not Method.SINGLE and (trial is not None or median):
        what = f"chooses one run; the {method} is of all that the winner has"
        raise InputError([Problem("--trial" if trial is not None else "--median", what)])
    record = SweepRecord.read(paths.events)
    choice = choose(record, trial, median=median)
    if again and (to / FACTS).exists():
        known = record.combinations.get(method)
        several = None if known is None else _combination(known, record)
        return _find_exported(to, record, choice if method is Method.SINGLE else several, onnx=onnx)
    say("checking the spec and its data")
    plan = make_plan(load_spec(paths.spec, is_kept=True), purpose="export")
    with new_folder(to) as folder:
        models = RunModels(plan, paths, record, choice.trial, say)
        if method is Method.SINGLE:
            score = models.measured(choice.trial)
        else:
            of = combined(models, paths, choice.trial, method, say)
            choice, score = _combination(of, record), of.dev_score
        say("writing the folder")
        facts, outputs = _write(folder, models, choice)
        models.check(facts.trial, outputs, score)
        write_card(folder, record, plan, choice, facts)
        say("reading it back")
        found = _score_of(folder, models)
        check_written(facts.trial, found, models.score(outputs, models.dev))
        for name in (facts.members or (".",)) if onnx else ():
            say("writing an ONNX file")
            write_onnx(folder / name, models.dev, plan.spec.training.eval_batch_size)
    return Exported(to, facts.trial, choice.why, plan.metric, score, found, choice.combination)


def _find_exported(to: Path, record: SweepRecord, choice: Choice | None, *, onnx: bool) -> Exported:
    """The model that an earlier call has written to `to`. choice: None where the log does not know it.

    Raises InputError where that is another one, or lacks the ONNX file.
    """
    facts = Facts.read(to)
    if choice is None or (facts.sweep, facts.trial) != (record.header.sweep_id, _name(choice)):
        what = f"{to} holds another model already, {facts.trial} of the sweep {facts.sweep}; name a new folder"
        raise InputError([Problem("--to", what)])
    if onnx and not all((to / name / ONNX_FILE).exists() for name in facts.members or (".",)):
        raise InputError([Problem("--onnx", f"{to} holds the model already, without an ONNX file; name a new folder")])
    score = choice.combination.dev_score if choice.combination else record.score(choice.trial)
    assert score is not None, "a run with a model has been measured"
    return Exported(to, facts.trial, choice.why, record.header.metric, score, None, choice.combination)


def _name(choice: Choice) -> str:
    """As `Facts.trial` has it."""
    of = choice.combination
    return choice.trial.trial_id if of is None else f"{of.method} of {', '.join(of.members)}"


def _combination(of: CombinationTested, record: SweepRecord) -> Choice:
    why = f"the {of.method} of {plural(len(of.members), 'run')} of the winning strategy"
    return Choice(record.trials[of.members[0]], why, of)


def _write(folder: Path, models: RunModels, choice: Choice) -> tuple[Facts, np.ndarray]:
    """The model or models of a choice; the facts of all, and what they say of dev."""
    of, name = choice.combination, _name(choice)
    members = [models.record.trials[run] for run in of.members] if of else [choice.trial]
    if of is None or of.method != Method.ENSEMBLE:
        models.put(mean_weights(map(models.weights, members)) if of else models.weights(choice.trial))
        outputs = models.outputs(models.dev)
        return models.write(folder, outputs, name), outputs
    of_members: list[np.ndarray] = []
    for run in members:
        models.put(models.weights(run))
        of_members.append(models.outputs(models.dev))
        facts = models.write(folder / run.trial_id, of_members[-1], run.trial_id)
    outputs = mean_outputs(of_members)
    of_all = replace(facts, trial=name, members=tuple(of.members), temperature=models.temperature(outputs))
    of_all.write(folder)
    return of_all, outputs


def _score_of(folder: Path, models: RunModels) -> float:
    """The sweep's metric on dev, by the folder alone."""
    plan, dev = models.plan, models.dev
    loaded, tokenizer, _ = load_models(folder)
    for model in loaded:
        models.to_the_unit_of_training(model)
    runners = [
        BatchRunner(
            model,
            plan.task,
            tokenizer.pad_token_id,
            precision=models.precision,
            micro_batch_size=1,
            eval_batch_size=plan.spec.training.eval_batch_size,
        )
        for model in loaded
    ]
    return models.score(mean_outputs([runner.outputs(dev) for runner in runners]), dev)
