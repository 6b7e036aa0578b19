"""Runs a sweep on Ray, from the plan to the last event."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence

import optuna
from ray import tune
from ray.tune.experimental.output import IS_NOTEBOOK

from blurb_tune.core.errors import BlurbTuneError, ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.pulse import Onlooker
from blurb_tune.core.versions import versions
from blurb_tune.execution.adapters import AVOIDED, InterruptStopper, NoProgress, SweepScheduler, SweepSearcher
from blurb_tune.execution.capacity import count_nodes, count_room, count_slots
from blurb_tune.execution.cleanup import CheckpointCleanup, WeightsCleanup
from blurb_tune.execution.cluster import ClusterWatch, ray_cluster
from blurb_tune.execution.final_test import run_final_test
from blurb_tune.execution.halt import Halt
from blurb_tune.execution.nodes import slot
from blurb_tune.execution.pulses import PulseWatch
from blurb_tune.execution.remote import Prepared, precision_of, prepare
from blurb_tune.execution.shares import SlotShare
from blurb_tune.execution.slot_settings import SlotSettings
from blurb_tune.execution.sweep_folder import check_folder, first_event, storage_of, tell_earlier, write_spec
from blurb_tune.execution.trainable import TrialActor
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import EventLog, read_events
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import Plan
from blurb_tune.search.study import ConfigurationStudy
from blurb_tune.search.study_mirror import mirrored
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.sweep.sweep import Sweep

Listener = Callable[[ev.Event], None]
_logger = logging.getLogger(__name__)
_SECONDS_TO_NOTICE = 3.0
_CLUSTER_SECONDS = 1200.0


def run_sweep(
    plan: Plan,
    paths: SweepPaths,
    *,
    listeners: Sequence[Listener] = (),
    interrupted: threading.Event | None = None,
    started: float | None = None,
    extension: ev.SweepExtended | None = None,
    abandon: Callable[[], None] = lambda: os._exit(ExitCode.CLUSTER_LOST),
    onlooker: Onlooker | None = None,
    is_lost: Callable[[], bool] = lambda: False,
) -> SweepRecord:
    """Run the sweep, or what an earlier driver left of it, until it is finished or `interrupted` is set.

    extension: the plan is larger than what the folder holds, which the caller has checked. abandon: ends this process once the
    log says that the cluster is lost, for which Ray goes on waiting. onlooker: hears what is done between the events. is_lost:
    whether another driver has taken the sweep over.

    Listeners hear every event of this driver. The sweep's wall time counts from `started`, a
    time.monotonic(), or else from this call. Raises InputError when the folder holds another sweep or the cluster cannot run
    the trials, KeyboardInterrupt where `interrupted` is set before the cluster, or a slot of it, has answered; nothing is
    written then.
    """
    if extension is None:
        check_folder(plan, paths)
    started = time.monotonic() if started is None else started
    interrupted, onlooker = interrupted or threading.Event(), onlooker or Onlooker()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    patience = _CLUSTER_SECONDS if paths.events.exists() else 0.0
    onlooker.on_phase(f"connecting to the Ray cluster at {plan.spec.cluster}" if plan.spec.cluster else "starting Ray")
    with ray_cluster(plan.spec, patience=patience, interrupted=interrupted), _share(plan.spec) as share:
        prepared = prepare(plan, count_nodes(), share.most, onlooker.on_phase)
        precision = _logged_precision(paths) or precision_of(plan.spec, prepared, share, interrupted, onlooker.on_phase)
        paths.root.mkdir(parents=True, exist_ok=True)
        with EventLog(paths.events, paths.lock, is_lost=is_lost) as log:
            for listener in listeners:
                log.observe(listener)
            study = ConfigurationStudy(plan.spec, prepared.facts.blocks)
            sweep = _open(plan, paths, log, prepared, precision, share.most, extension, study)
            settings = _settings(plan, paths, precision, sweep.record.header)
            if settings.weights is not None and plan.spec.keep_weights == "winner":
                log.observe(WeightsCleanup(settings.weights, sweep.record).on_event)
            if settings.checkpoints is not None:
                log.observe(CheckpointCleanup(settings.checkpoints).on_event)
            is_done = False
            lost = threading.Event()

            def leave() -> None:
                lost.set()
                interrupted.set()
                time.sleep(_SECONDS_TO_NOTICE)
                # The thread that runs the sweep still waits for an answer, and will do so until Ray aborts it.
                try:
                    sweep.close(interrupted=True, started=started)
                finally:
                    abandon()

            url, name = plan.spec.tracking.study_url, sweep.record.header.sweep_id
            try:
                with ClusterWatch(leave), mirrored(study.study, url, name, log.observe):
                    is_done = _run(plan, sweep, prepared, settings, share, interrupted, onlooker)
            finally:
                if lost.is_set():
                    threading.Event().wait()  # `leave` ends the process
                sweep.close(interrupted=not is_done, started=started)
            if not is_done and not interrupted.is_set():
                abort_reason = sweep.abort_reason or "Ray Tune ended before the sweep did"
                raise BlurbTuneError(f"{abort_reason}; run the same command again to go on")
            return sweep.record


def _share(spec: SweepSpec) -> SlotShare:
    """The sweep's share of the cluster that is connected. Raises InputError when not one trial fits."""
    return SlotShare(spec.priority, count_room(spec), count_slots(spec))


def _run(
    plan: Plan,
    sweep: Sweep,
    prepared: Prepared,
    settings: SlotSettings,
    share: SlotShare,
    interrupted: threading.Event,
    onlooker: Onlooker,
) -> bool:
    """Search, then the final test; whether both are through."""
    if not sweep.is_finished and not interrupted.is_set():
        _run_trials(plan.spec, sweep, prepared, settings, share, interrupted, onlooker)
    if sweep.is_finished and plan.spec.final_test:
        onlooker.on_phase("running the final test")
    return sweep.is_finished and run_final_test(plan, sweep, prepared, settings, share, interrupted)


def _open(
    plan: Plan,
    paths: SweepPaths,
    log: EventLog,
    prepared: Prepared,
    precision: str,
    slots: int,
    extension: ev.SweepExtended | None,
    study: ConfigurationStudy,
) -> Sweep:
    facts = prepared.facts
    if extension is not None:
        log.append(extension)
        write_spec(plan, paths)
        log.append(ev.SweepResumed(slots=slots, versions=versions()))
    elif check_folder(plan, paths) is None:
        write_spec(plan, paths)
        log.append(first_event(plan, facts, slots, precision, prepared.notes))
    else:
        log.append(ev.SweepResumed(slots=slots, versions=versions()))
    tell_earlier(plan, paths, log)
    past = [event for event, _ in read_events(paths.events)]
    return Sweep(plan.spec, facts, log, past, study=study, nodes=count_nodes())


def _logged_precision(paths: SweepPaths) -> str:
    """What the sweep's first event says; empty for a new sweep, and for one that was begun before events said it."""
    events = read_events(paths.events) if paths.events.exists() else ()
    return next((event.precision for event, _ in events if isinstance(event, ev.SweepStarted)), "")


def _settings(plan: Plan, paths: SweepPaths, precision: str, header: ev.SweepStarted) -> SlotSettings:
    """Where the sweep's files go, and in what precision its trials run."""
    spec, storage = plan.spec, storage_of(plan.spec.storage, paths)
    checkpoints, hang = spec.recovery.checkpoint_minutes, spec.recovery.hang_minutes
    return SlotSettings(
        precision=precision,
        halt=Halt(f"{header.sweep_id}/{uuid.uuid4().hex}"),
        weights=storage.child("weights") if spec.keeps_weights else None,
        checkpoints=None if checkpoints is None else storage.child("checkpoints"),
        checkpoint_seconds=60 * (checkpoints or 0),
        hang_seconds=None if hang is None else 60 * hang,
        logs=storage.child("logs/trials"),
        versions=versions(),
    )


def _run_trials(
    spec: SweepSpec,
    sweep: Sweep,
    prepared: Prepared,
    settings: SlotSettings,
    share: SlotShare,
    interrupted: threading.Event,
    onlooker: Onlooker,
) -> None:
    onlooker.on_phase("starting the processes of the trials")
    needs = {"CPU": float(spec.resources.cpus), "GPU": float(spec.resources.gpus)}
    actor = tune.with_parameters(TrialActor, shared=(prepared.environment, settings))
    trainable = tune.with_resources(actor, lambda config: slot(needs, config.get(AVOIDED, ())))
    share.announce(share.most)
    if share.others:
        others = f"{len(share.others)} other sweep{'s' if len(share.others) > 1 else ''}"
        _logger.warning("the cluster is shared with %s; this one gets %d of %d slots", others, share.slots, share.most)
    with tempfile.TemporaryDirectory(prefix="blurb-tune-") as scratch:
        searcher, halt = SweepSearcher(sweep, share, needs), settings.halt
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=SweepScheduler(sweep, searcher, halt, onlooker),
                num_samples=-1,
                max_concurrent_trials=share.most,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=spec.name,
                storage_path=scratch,
                verbose=0,
                # In a notebook Tune shows an output of its own all the same.
                progress_reporter=NoProgress() if IS_NOTEBOOK else None,
                stop=InterruptStopper(sweep, interrupted, halt),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        with PulseWatch(halt, onlooker):
            tuner.fit()
