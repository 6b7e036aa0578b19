"""Runs a sweep on Ray, from the plan to the last event."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

import optuna
import ray
from ray import tune

from blurb_tune.core.errors import BlurbTuneError, ExitCode
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.pulse import Onlooker
from blurb_tune.core.versions import versions
from blurb_tune.execution.actor import TrialActor
from blurb_tune.execution.adapters import AVOIDED, InterruptStopper, SweepScheduler, SweepSearcher
from blurb_tune.execution.checkpoints import CheckpointKeeper, Checkpoints
from blurb_tune.execution.cluster import ClusterWatch, count_nodes, count_room, count_slots, ray_cluster
from blurb_tune.execution.environment import TrialEnvironment
from blurb_tune.execution.final import run_final_test
from blurb_tune.execution.folder import check_folder, first_event, write_spec
from blurb_tune.execution.halt import Halt
from blurb_tune.execution.nodes import slot
from blurb_tune.execution.prepare import facts_of, notes_of, prepare_environment, storage_of
from blurb_tune.execution.pulses import PulseWatch
from blurb_tune.execution.shares import SlotShare
from blurb_tune.execution.weights import WeightsKeeper
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import EventLog, read_events
from blurb_tune.log.record import SweepRecord
from blurb_tune.preflight import Plan
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.sweep.sweep import Sweep
from blurb_tune.training.precision import resolve_precision

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
    log says that the cluster is lost, for which Ray goes on waiting. onlooker: told what is done between the events. is_lost:
    whether another driver has taken the sweep over.

    Listeners hear every event of this driver. The sweep's wall time counts from `started`, a
    time.monotonic(), or else from this call. Raises InputError when the folder holds another sweep or the cluster cannot run
    the trials; nothing is written then.
    """
    if extension is None:
        check_folder(plan, paths)
    started = time.monotonic() if started is None else started
    interrupted, onlooker = interrupted or threading.Event(), onlooker or Onlooker()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    patience = _CLUSTER_SECONDS if paths.events.exists() else 0.0
    onlooker.on_phase(f"connecting to the Ray cluster at {plan.spec.cluster}" if plan.spec.cluster else "starting Ray")
    with ray_cluster(plan.spec, patience=patience, interrupted=interrupted):
        slots = count_slots(plan.spec)
        environment = prepare_environment(plan, onlooker.on_phase)
        paths.root.mkdir(parents=True, exist_ok=True)
        with EventLog(paths.events, paths.lock, is_lost=is_lost) as log:
            for listener in listeners:
                log.observe(listener)
            sweep = _open(plan, paths, log, environment, slots, extension)
            environment = _settled(plan, paths, environment, sweep.record.header)
            if environment.weights is not None:
                log.observe(WeightsKeeper(environment.weights, sweep.record).on_event)
            if environment.checkpoints is not None:
                log.observe(CheckpointKeeper(environment.checkpoints, sweep.record).on_event)
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

            try:
                with ClusterWatch(leave):
                    is_done = _run(plan, sweep, environment, slots, interrupted, onlooker)
            finally:
                if lost.is_set():
                    threading.Event().wait()  # `leave` ends the process
                sweep.close(interrupted=not is_done, started=started)
            if not is_done and not interrupted.is_set():
                trouble = sweep.trouble or "Ray Tune ended before the sweep did"
                raise BlurbTuneError(f"{trouble}; run the same command again to go on")
            return sweep.record


def _run(
    plan: Plan,
    sweep: Sweep,
    environment: TrialEnvironment,
    slots: int,
    interrupted: threading.Event,
    onlooker: Onlooker,
) -> bool:
    """Search, then the final test; whether both are through."""
    if not sweep.is_finished and not interrupted.is_set():
        _run_trials(plan.spec, sweep, environment, slots, interrupted, onlooker)
    if sweep.is_finished and plan.spec.final_test:
        onlooker.on_phase("running the final test")
    return sweep.is_finished and run_final_test(plan, sweep, environment, interrupted)


def _open(
    plan: Plan,
    paths: SweepPaths,
    log: EventLog,
    environment: TrialEnvironment,
    slots: int,
    extension: ev.SweepExtended | None,
) -> Sweep:
    facts = facts_of(plan, environment)
    if extension is not None:
        log.append(extension)
        write_spec(plan, paths)
        log.append(ev.SweepResumed(slots=slots, versions=versions()))
    elif check_folder(plan, paths) is None:
        write_spec(plan, paths)
        precision = _precision(plan.spec, environment.device)
        log.append(first_event(plan, facts, slots, precision, notes_of(plan, environment, count_nodes())))
        if plan.earlier:
            log.append(ev.WarmStarted(configurations=[of for sweep in plan.earlier for of in sweep.configurations]))
    else:
        log.append(ev.SweepResumed(slots=slots, versions=versions()))
    past = [event for event, _ in read_events(paths.events)]
    return Sweep(plan.spec, facts, log, past, nodes=count_nodes())


def _settled(plan: Plan, paths: SweepPaths, environment: TrialEnvironment, header: ev.SweepStarted) -> TrialEnvironment:
    """With where its files go, and the precision that the sweep's first event says."""
    settings = replace(environment.settings, precision=header.precision or environment.settings.precision)
    storage, minutes = storage_of(plan.spec.storage, paths), plan.spec.recovery.checkpoint_minutes
    return replace(
        environment,
        settings=settings,
        weights=storage.child("weights") if plan.spec.final_test else None,
        checkpoints=None if minutes is None else Checkpoints(storage.child("checkpoints"), 60 * minutes),
        halt=Halt(f"{header.sweep_id}/{uuid.uuid4().hex}"),
        hang_seconds=None if plan.spec.recovery.hang_minutes is None else 60 * plan.spec.recovery.hang_minutes,
        logs=storage.child("logs/trials") if plan.spec.storage else None,
        versions=versions(),
    )


def _precision(spec: SweepSpec, device: str) -> str:
    """What the spec's precision means on a slot of this cluster. It is settled once, for slots may differ."""
    if spec.training.precision != "auto" or device == "cpu":
        return resolve_precision(spec.training.precision, device)
    on_a_slot = ray.remote(resolve_precision).options(num_cpus=spec.resources.cpus, num_gpus=spec.resources.gpus)
    return str(ray.get(on_a_slot.remote(spec.training.precision, device)))


def _run_trials(
    spec: SweepSpec,
    sweep: Sweep,
    environment: TrialEnvironment,
    slots: int,
    interrupted: threading.Event,
    onlooker: Onlooker,
) -> None:
    onlooker.on_phase("starting the processes of the trials")
    needs = {"CPU": float(spec.resources.cpus), "GPU": float(spec.resources.gpus)}
    with_environment = tune.with_parameters(TrialActor, environment=environment)
    trainable = tune.with_resources(with_environment, lambda config: slot(needs, config.get(AVOIDED, ())))
    name = f"{sweep.record.header.sweep_id}-{uuid.uuid4().hex[:8]}"
    share = SlotShare(name, spec.priority, count_room(spec), slots)
    with tempfile.TemporaryDirectory(prefix="blurb-tune-") as scratch, share:
        if share.others:
            others = f"{len(share.others)} other sweep{'s' if len(share.others) > 1 else ''}"
            _logger.warning("the cluster is shared with %s; this one gets %d of %d slots", others, share.slots, slots)
        searcher, halt = SweepSearcher(sweep, share, needs), environment.halt or Halt("")
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=SweepScheduler(sweep, searcher, halt, onlooker),
                num_samples=-1,
                max_concurrent_trials=slots,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=spec.name,
                storage_path=scratch,
                verbose=0,
                stop=InterruptStopper(sweep, interrupted, halt),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        with PulseWatch(halt, onlooker):
            tuner.fit()
