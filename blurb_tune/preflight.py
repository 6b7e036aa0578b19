"""Everything that is looked at before a sweep starts: the plan, or all that stands in its way, at once.

Imports neither Ray nor torch nor MLflow, so that `validate` answers at once.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from blurb_tune.errors import BlurbTuneError, InputError, Problem, did_you_mean
from blurb_tune.models.catalogue import ModelInfo, check_weights, describe_model
from blurb_tune.search.combinations import count, is_feasible, planned_configurations
from blurb_tune.spec import LoadedSpec, SweepSpec
from blurb_tune.spec.dimensions import bounds_of, values_of
from blurb_tune.spec.load import UNKNOWN, in_order
from blurb_tune.tasks.data import check_data, data_folder, fingerprint, load_split
from blurb_tune.tasks.task import Task, find_task
from blurb_tune.tracking.server import check_server
from blurb_tune.trial import Strategy

_LOWER_IS_BETTER = frozenset({"mse"})
_STORAGES = ("sqlite:///", "postgresql", "mysql")
# What does not change a sweep's numbers may be changed when it is taken up again.
_NOT_IN_DIGEST = {"resources", "tracking", "storage", "cluster", "retries"}


@dataclass(frozen=True)
class Plan:
    """A sweep that can start.

    max_epochs and max_steps: of all trials together, if nothing is pruned. digest: of everything that decides the numbers.
    """

    spec: SweepSpec
    task: Task
    model: ModelInfo
    folder: Path | None
    metric: str
    train_examples: int
    dev_examples: int
    configurations: int
    combinations: int | None
    max_epochs: int
    max_steps: int
    digest: str

    @property
    def trials(self) -> int:
        return self.configurations * len(self.spec.seeds)


def make_plan(loaded: LoadedSpec, *, check_machine: bool = True) -> Plan:
    """Check a spec against task, model, data, and (with `check_machine`) weights, data files, GPUs and tracking server.

    Raises InputError with every problem of the spec and of what it names.
    """
    spec, source = loaded.spec, loaded.source
    problems = list(loaded.problems)
    task, model = _task(loaded, problems), _model(loaded, problems)
    if task is not None:
        problems += _check_metric(loaded, task)
    if model is not None:
        problems += _check_depths(loaded, model)
        problems += _check_length(loaded, task, model)
        if check_machine:
            problems += _complaint(loaded, "model", lambda: check_weights(model))
    problems += _check_grid(loaded)
    if spec.storage is not None and not spec.storage.startswith(_STORAGES):
        problems.append(source.problem(("storage",), f"expected a URL that starts with one of {', '.join(_STORAGES)}"))
    folder = data_folder(task, _data_root(loaded)) if task else None
    if check_machine:
        problems += _check_data(loaded, task, folder) if task else []
        problems += _check_gpus(loaded)
        if spec.tracking.uri is not None:
            problems += _complaint(loaded, "tracking.uri", lambda: check_server(spec.tracking.uri or ""))
    if problems or task is None or model is None:
        raise InputError(in_order(problems))
    return _plan(spec, task, model, folder, has_data=check_machine)


def _plan(spec: SweepSpec, task: Task, model: ModelInfo, folder: Path | None, *, has_data: bool) -> Plan:
    examples = {split: task.counts[split] for split in ("train", "dev")}
    if has_data:
        examples = {"train": len(load_split(task, folder, "train")), "dev": len(load_split(task, folder, "dev"))}
    space, search = spec.space, spec.search
    configurations = planned_configurations(space, model.blocks, search.sampler, search.configurations)
    epochs = int(bounds_of(space.epochs)[1])
    steps = epochs * math.ceil(examples["train"] / int(bounds_of(space.batch_size)[0]))
    trials = configurations * len(spec.seeds)
    return Plan(
        spec=spec,
        task=task,
        model=model,
        folder=folder,
        metric=spec.metric or task.metric,
        train_examples=examples["train"],
        dev_examples=examples["dev"],
        configurations=configurations,
        combinations=count(space, model.blocks),
        max_epochs=trials * epochs,
        max_steps=trials * steps,
        digest=_digest(spec, fingerprint(task, folder) if has_data else ""),
    )


def _digest(spec: SweepSpec, data: str) -> str:
    content = spec.model_dump(mode="json", exclude=_NOT_IN_DIGEST | {"data"})
    return hashlib.sha256(json.dumps([content, data], sort_keys=True).encode()).hexdigest()


def _data_root(loaded: LoadedSpec) -> Path | None:
    if loaded.spec.data is None:
        return None
    return loaded.source.file.parent / Path(loaded.spec.data).expanduser()


def _check_data(loaded: LoadedSpec, task: Task, folder: Path | None) -> Iterator[Problem]:
    """What is wrong with the data; a folder that is not there is the fault of the line that names it."""
    for problem in check_data(task, folder):
        is_named = loaded.spec.data is not None and problem.where == str(folder)
        yield loaded.source.problem(("data",), f"{folder}: {problem.what}") if is_named else problem


def _complaint(loaded: LoadedSpec, name: str, check: Callable[[], None]) -> Iterator[Problem]:
    """The error of a check as a problem at the setting that `name` spells out."""
    try:
        check()
    except BlurbTuneError as error:
        yield loaded.source.problem(tuple(name.split(".")), str(error))


def _task(loaded: LoadedSpec, problems: list[Problem]) -> Task | None:
    if loaded.spec.task == UNKNOWN:
        return None
    try:
        return find_task(loaded.spec.task)
    except BlurbTuneError as error:
        problems.append(loaded.source.problem(("task",), str(error)))
        return None


def _model(loaded: LoadedSpec, problems: list[Problem]) -> ModelInfo | None:
    if loaded.spec.model == UNKNOWN:
        return None
    try:
        return describe_model(loaded.spec.model)
    except BlurbTuneError as error:
        problems.append(loaded.source.problem(("model",), str(error)))
        return None


def _check_metric(loaded: LoadedSpec, task: Task) -> Iterator[Problem]:
    metric = loaded.spec.metric
    usable = [name for name in task.metrics if name not in _LOWER_IS_BETTER]
    if metric in _LOWER_IS_BETTER:
        yield loaded.source.problem(("metric",), f"{metric!r} cannot be maximised; expected one of: {', '.join(usable)}")
    elif metric is not None and metric not in usable:
        yield loaded.source.problem(("metric",), f"task {task.name!r} has no metric {metric!r}{did_you_mean(metric, usable)}")


def _check_depths(loaded: LoadedSpec, model: ModelInfo) -> Iterator[Problem]:
    space, blocks, has = loaded.spec.space, model.blocks, f"{model.name} has {model.blocks} blocks"
    for index, item in enumerate(space.strategy or []):
        if not is_feasible(item.strategy, blocks):
            yield loaded.source.problem(
                ("space", "strategy", index), f"`freeze_depth + reinit_count <= {blocks}` must hold ({has})"
            )
    if space.strategy is not None:
        return
    names = ("freeze_depth", "reinit_count")
    too_deep = [name for name in names if bounds_of(getattr(space, name))[1] > blocks]
    for name in too_deep:
        deepest = bounds_of(getattr(space, name))[1]
        yield loaded.source.problem(("space", name), f"{deepest} is beyond the model's blocks; {has}")
    least = Strategy(freeze_depth=bounds_of(space.freeze_depth)[0], reinit_count=bounds_of(space.reinit_count)[0])
    if not too_deep and not is_feasible(least, blocks):
        yield loaded.source.problem(("space",), f"no configuration has `freeze_depth + reinit_count <= {blocks}` ({has})")


def _check_length(loaded: LoadedSpec, task: Task | None, model: ModelInfo) -> Iterator[Problem]:
    length = loaded.spec.training.max_length
    if length is not None and length > model.max_length:
        yield loaded.source.problem(
            ("training", "max_length"), f"{length} tokens are more than {model.name} can read, which is {model.max_length}"
        )


def _check_grid(loaded: LoadedSpec) -> Iterator[Problem]:
    if loaded.spec.search.sampler != "grid":
        return
    space = loaded.spec.space
    for name in type(space).model_fields:
        if name != "strategy" and values_of(getattr(space, name)) is None:
            yield loaded.source.problem(
                ("space", name), "a grid needs values that can be counted out; give the range a `step`"
            )


def _check_gpus(loaded: LoadedSpec) -> Iterator[Problem]:
    wanted, here = loaded.spec.resources.gpus, local_gpus()
    if loaded.spec.cluster is None and wanted > here:
        yield loaded.source.problem(("resources", "gpus"), f"a trial asks for {wanted:g} GPU, but this machine has {here}")


def local_gpus() -> int:
    """NVIDIA devices of this machine that CUDA_VISIBLE_DEVICES lets through, counted without CUDA."""
    devices = sum(path.name[6:].isdigit() for path in Path("/dev").glob("nvidia[0-9]*"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return devices
    return min(devices, len([entry for entry in visible.split(",") if entry.strip() not in ("", "-1")]))
