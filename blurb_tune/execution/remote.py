"""What other processes do for the driver, which imports neither PyTorch nor transformers: that would take it seconds.

Each entry imports what it enters when it is called; in a process that was forked for a trial it is there already.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import ray

from blurb_tune.execution.local import warm_up
from blurb_tune.execution.phases import Phases
from blurb_tune.execution.shares import SlotShare
from blurb_tune.execution.slot_settings import SlotSettings

if TYPE_CHECKING:
    from blurb_tune.execution.environment import TrialEnvironment
    from blurb_tune.execution.messages import EndedTrial
    from blurb_tune.execution.testing import TestSet
    from blurb_tune.log import events as ev
    from blurb_tune.preflight import Plan
    from blurb_tune.spec.schema import SweepSpec
    from blurb_tune.sweep.facts import SweepFacts

# An interruption does not wait for a slot.
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Prepared:
    """A sweep's models and data, which lie in the cluster's store, and what the driver must know of them.

    environment: of a `TrialEnvironment`. precision: what the spec's means; None where a slot has to be asked.
    """

    environment: ray.ObjectRef
    facts: SweepFacts
    notes: Sequence[str]
    precision: str | None


@dataclass(frozen=True)
class TestSplit:
    """The test split in a model's tokens, a `TestSet` in the cluster's store, and how many examples it has."""

    encoded: ray.ObjectRef
    examples: int


def prepare(plan: Plan, nodes: int, slots: int, hear: Callable[[str], None]) -> Prepared:
    """Models and data of a sweep on a cluster of so many nodes and slots. `hear` gets the phases.

    Raises InputError with every model whose weights cannot be used.
    """
    meanwhile = partial(warm_up, slots, plan.spec.resources.cpus)
    environment, facts = _beside_the_driver(plan, _prepare, hear, plan, nodes, meanwhile=meanwhile)
    return Prepared(environment, *facts)


def read_test(plan: Plan, prepared: Prepared, selection: ev.SelectionMade, model: str) -> TestSplit:
    """The test split, for which a selection must have been made. Raises InputError when it cannot be read."""
    return TestSplit(*_beside_the_driver(plan, _read_test, lambda text: None, plan, prepared.environment, selection, model))


def test_trial(environment: TrialEnvironment, settings: SlotSettings, test: TestSet, ended: EndedTrial) -> ev.Tested:
    """A task: a trial's model on the test split."""
    from blurb_tune.execution import testing

    return testing.test_trial(environment.under(settings), test, ended)


def precision_of(
    spec: SweepSpec, prepared: Prepared, share: SlotShare, interrupted: threading.Event, hear: Callable[[str], None]
) -> str:
    """What the spec's precision means on a slot of this cluster. It is settled once, for slots may differ.

    Other sweeps may have all slots until one of their trials ends. `hear` is told what this waits for. Raises
    KeyboardInterrupt once `interrupted` is set.
    """
    if prepared.precision is not None:
        return prepared.precision
    hear("waiting for a slot, which says what precision it has")
    share.announce(1)
    on_a_slot = ray.remote(_resolve).options(num_cpus=spec.resources.cpus, num_gpus=spec.resources.gpus)
    precision = on_a_slot.remote(spec)
    while not ray.wait([precision], timeout=_POLL_SECONDS)[0]:
        if interrupted.is_set():
            raise KeyboardInterrupt
    return str(ray.get(precision))


def _beside_the_driver(
    plan: Plan,
    work: Callable[..., Any],
    hear: Callable[[str], None],
    *arguments: Any,
    meanwhile: Callable[[], None] = lambda: None,
) -> Any:
    """A reference to the first of the two results of `work(say, *arguments)`, and the second.

    It is done where the driver's files, caches and environment are: on a cluster in the driver itself. meanwhile: called once
    it has been begun elsewhere.
    """
    if plan.spec.cluster is not None:
        first, second = work(hear, *(ray.get(a) if isinstance(a, ray.ObjectRef) else a for a in arguments))
        return ray.put(first), second
    phases = Phases()
    # One call and no more: the process may have been forked before all was imported that a trial needs.
    task = ray.remote(num_cpus=0, num_returns=2, max_retries=0, max_calls=1)(work)
    reference, second = task.remote(phases.say, *arguments)
    meanwhile()
    return reference, phases.result(second, hear)


def _prepare(say: Callable[[str], None], plan: Plan, nodes: int) -> tuple[TrialEnvironment, tuple[Any, ...]]:
    from blurb_tune.execution.prepare import facts_of, notes_of, prepare_environment

    environment = prepare_environment(plan, say)
    is_open = plan.spec.training.precision == "auto" and environment.device != "cpu"
    precision = None if is_open else _resolve(plan.spec)
    return environment, (facts_of(plan, environment), notes_of(plan, environment, nodes), precision)


def _read_test(
    say: Callable[[str], None], plan: Plan, environment: TrialEnvironment, selection: ev.SelectionMade, model: str
) -> tuple[TestSet, int]:
    from blurb_tune.execution import testing

    test = testing.read_test(plan, environment, selection, model)
    return test, len(test.encoded)


def _resolve(spec: SweepSpec) -> str:
    from blurb_tune.training.precision import resolve_precision

    return resolve_precision(spec.training.precision, "cuda" if spec.resources.gpus else "cpu")
