"""The final numbers: the test split is read once, when the search is over, for the winner and for vanilla."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

import ray

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.execution.cleanup import drop_weights, weights_name
from blurb_tune.execution.messages import EndedTrial
from blurb_tune.execution.remote import Prepared, TestSplit, read_test, test_trial
from blurb_tune.execution.shares import SlotShare
from blurb_tune.execution.slot_settings import SlotSettings
from blurb_tune.log import events as ev
from blurb_tune.preflight import Plan
from blurb_tune.report.final_scores import untested_trials
from blurb_tune.sweep.sweep import Sweep

# A Ctrl-C does not wait for the next result.
_POLL_SECONDS = 0.5


def run_final_test(
    plan: Plan,
    sweep: Sweep,
    prepared: Prepared,
    settings: SlotSettings,
    share: SlotShare,
    interrupted: threading.Event,
) -> bool:
    """Test what has not been tested yet of the winner's and the reference's trials; whether all of it is done.

    Those of the confirmation seeds, where there are any: the other seeds were part of the choice. Where an earlier test
    failed it is done again: what made it fail may have been mended since.

    In the end only the winner's weights are left, and those of trials whose test failed, unless the spec keeps all. Raises
    BlurbTuneError when the test split cannot be read.
    """
    selection = sweep.select()
    if selection is None or settings.weights is None or not plan.spec.final_test:
        return True
    record = sweep.record
    trials = untested_trials(record)
    if trials and plan.has_test:
        ended = [EndedTrial(sweep.config_of(trial), trial.outcome, len(trial.measurements)) for trial in trials]
        model = record.configurations[selection.configuration].configuration.model
        test = _test_split(plan, prepared, selection, model)
        for event in _test_all(plan, prepared, settings, test, ended, share, interrupted):
            sweep.report_test(event)
        if interrupted.is_set():
            return False
    settings.weights.drop_unfinished()
    if plan.spec.keep_weights == "all":
        return True
    winners = [*record.trials_of(selection.configuration), *record.confirmations_of(selection.configuration)]
    kept = [*winners, *(trial for trial in untested_trials(record) if trial.trial_id in record.tests)]
    drop_weights(settings.weights, {weights_name(trial.trial_id, trial.attempt) for trial in kept})
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
    share: SlotShare,
    interrupted: threading.Event,
) -> Iterator[ev.Tested]:
    """Each trial's result as it comes in, from as many processes as the sweep has slots, until `interrupted` is set.

    A sweep whose share is no slot at all waits for any that is free: a test needs it for a short time only.
    """
    resources = plan.spec.resources
    tester = ray.remote(test_trial).options(
        num_cpus=resources.cpus, num_gpus=resources.gpus, max_retries=1, retry_exceptions=True
    )
    waiting = deque(trials)
    running: dict[ray.ObjectRef, str] = {}
    share.announce(len(waiting))
    while (waiting or running) and not interrupted.is_set():
        while waiting and len(running) < max(1, share.slots):
            ended = waiting.popleft()
            running[tester.remote(prepared.environment, settings, test.encoded, ended)] = ended.trial.trial_id
        done, _ = ray.wait(list(running), timeout=_POLL_SECONDS)
        share.request_slots(len(waiting) + len(running) - len(done))
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
