"""The final numbers: the test split is read once, when the search is over, for the winner and for vanilla."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import ray

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.execution.cleanup import drop_weights, weights_name
from blurb_tune.execution.messages import EndedTrial
from blurb_tune.execution.remote import Prepared, TestSplit, read_test, test_trial
from blurb_tune.execution.slot_settings import SlotSettings
from blurb_tune.log import events as ev
from blurb_tune.preflight import Plan
from blurb_tune.sweep.sweep import Sweep

# A Ctrl-C does not wait for the next result.
_POLL_SECONDS = 0.5


def run_final_test(plan: Plan, sweep: Sweep, prepared: Prepared, settings: SlotSettings, interrupted: threading.Event) -> bool:
    """Test what has not been tested yet of the winner's and the reference's trials; whether all of it is done.

    Those of the confirmation seeds, where there are any: the other seeds were part of the choice.

    In the end only the winner's weights are left, unless the spec keeps all. Raises BlurbTuneError when the test split cannot
    be read.
    """
    selection = sweep.select()
    if selection is None or settings.weights is None or not plan.spec.final_test:
        return True
    names = [name for name in (selection.configuration, selection.reference) if name]
    trials = [
        EndedTrial(sweep.config_of(trial), trial.outcome, len(trial.measurements))
        for name in names
        for trial in sweep.record.quoted_trials(name)
        if sweep.record.score(trial) is not None and trial.trial_id not in sweep.record.tests
    ]
    if trials and plan.has_test:
        model = sweep.record.configurations[selection.configuration].configuration.model
        test = _test_split(plan, prepared, selection, model)
        for event in _test_all(plan, prepared, settings, test, trials, interrupted):
            sweep.report_test(event)
        if interrupted.is_set():
            return False
    settings.weights.drop_unfinished()
    if plan.spec.keep_weights == "all":
        return True
    winners = [*sweep.record.trials_of(selection.configuration), *sweep.record.confirmations_of(selection.configuration)]
    drop_weights(settings.weights, {weights_name(trial.trial_id, trial.attempt) for trial in winners})
    return True


def _test_split(plan: Plan, prepared: Prepared, selection: ev.SelectionMade, model: str) -> TestSplit:
    try:
        return read_test(plan, prepared, selection, model)
    except InputError as error:
        raise BlurbTuneError(
            f"the test split cannot be read:\n{error}\nThe search is over and nothing is lost: mend the data and run the same "
            "command again, or leave the test out with --set final_test=false"
        ) from None


def _test_all(
    plan: Plan,
    prepared: Prepared,
    settings: SlotSettings,
    test: TestSplit,
    trials: list[EndedTrial],
    interrupted: threading.Event,
) -> Iterator[ev.Tested]:
    """Each trial's result as it comes in, from as many processes as there is room for, until `interrupted` is set."""
    resources = plan.spec.resources
    tester = ray.remote(test_trial).options(
        num_cpus=resources.cpus, num_gpus=resources.gpus, max_retries=1, retry_exceptions=True
    )
    running = {tester.remote(prepared.environment, settings, test.encoded, ended): ended.trial.trial_id for ended in trials}
    while running and not interrupted.is_set():
        done, _ = ray.wait(list(running), timeout=_POLL_SECONDS)
        for reference in done:
            trial_id = running.pop(reference)
            try:
                yield ray.get(reference)
            except ray.exceptions.RayError as error:
                cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
                yield ev.Tested(trial=trial_id, examples=test.examples, error=_in_a_line(cause))


def _in_a_line(error: BaseException) -> str:
    """What an error says, or its type where it says nothing, as a MemoryError does."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
