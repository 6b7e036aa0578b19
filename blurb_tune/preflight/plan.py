"""The plan of a sweep that can start, or all that stands in its way, at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from blurb_tune.core.errors import BlurbTuneError, Problem
from blurb_tune.core.paths import expand_home
from blurb_tune.models.catalog import ModelInfo
from blurb_tune.preflight.digests import settings_digest, spec_digest
from blurb_tune.preflight.machine_checks import check_addresses, check_gpus, check_storage, notes_on_secrets
from blurb_tune.preflight.model_checks import check_checkpointing, check_files, check_length, check_strategies, describe_models
from blurb_tune.preflight.setting_checks import check_early_stopping, check_grid, check_metric, check_smoothing
from blurb_tune.search.combinations import count, planned_configurations
from blurb_tune.search.warm_start import Earlier, read_earlier
from blurb_tune.spec import LoadedSpec, SweepSpec
from blurb_tune.spec.dimensions import Range, bounds_of
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.checking.inspection import Inspection, TaskData
from blurb_tune.tasks.checking.task_data import inspect
from blurb_tune.tasks.encoding.cache import cache_folder
from blurb_tune.tasks.sources.custom import fill_defaults, note_kind
from blurb_tune.tasks.sources.data_source import DataSource
from blurb_tune.tasks.sources.named import attach_spec_lines, spec_source
from blurb_tune.tasks.task import Task

Purpose = Literal["start", "resume", "export"]


@dataclass(frozen=True)
class Plan:
    """A sweep that can start.

    spec: with the labels of a custom task filled in. models: by the names that the spec gives them, in its order.
    train_examples and dev_examples: None where the data have not been looked at and nobody published them; with folds, those
    of the smallest. has_test: there is a test split; None where nobody has looked. max_epochs and max_steps: of all trials
    together, if nothing is pruned. notes: non-fatal findings about the data. earlier: what sweeps before it tell the sampler.
    earlier_problems: why some of them cannot be read, of a plan to resume; without them no sweep can begin.
    digest: of everything that decides the numbers. base: the folder that files of the spec are relative to.
    warnings: what is amiss and keeps nothing from starting. data_digest: of train and dev, empty where nobody has looked.
    settings_digest: of what trials have in common besides.
    """

    spec: SweepSpec
    task: Task
    models: Mapping[str, ModelInfo]
    source: DataSource
    metric: str
    train_examples: int | None
    dev_examples: int | None
    has_test: bool | None
    configurations: int
    combinations: int | None
    max_epochs: int
    max_steps: int | None
    notes: tuple[str, ...]
    earlier: tuple[Earlier, ...]
    digest: str
    base: Path
    warnings: tuple[str, ...] = ()
    earlier_problems: tuple[Problem, ...] = ()
    data_digest: str = ""
    settings_digest: str = ""

    @property
    def blocks(self) -> dict[str, int]:
        """Encoder blocks (L) by model name."""
        return {name: info.blocks for name, info in self.models.items()}

    @property
    def trials(self) -> int:
        return self.configurations * len(self.spec.seeds) * max(1, self.source.folds)


def make_plan(loaded: LoadedSpec, *, check_machine: bool = True, purpose: Purpose = "start") -> Plan:
    """Check a spec against task, model, data, and (with `check_machine`) weights, data files, GPUs and tracking server.

    purpose: to `resume` what may have begun, whose log has what earlier sweeps told it, these need not be there any more; to
    `export`, what runs trials need besides is not asked for: GPUs, storage, tracking server, earlier sweeps.

    Raises InputError with every problem of the spec and of what it names.
    """
    spec, for_trials = loaded.spec, purpose != "export"
    problems, warnings = list(loaded.problems), list[str]()
    data, faults = spec_source(loaded)
    models = describe_models(loaded, problems)
    found = None
    if data is not None:
        found = inspect(data, cache=cache_folder()) if check_machine else Inspection(data)
    problems += faults
    if found is not None:
        problems += attach_spec_lines(loaded, found.problems)
        problems += check_metric(loaded, found.source.task)
        problems += check_smoothing(loaded, found.source.task)
    has_all_models = models.keys() == set(spec.models)
    if has_all_models:
        problems += check_strategies(loaded, models)
    problems += check_length(loaded, models)
    problems += check_checkpointing(loaded, models)
    problems += check_early_stopping(loaded)
    if check_machine:
        for info in models.values():
            problems += check_files(loaded, info, found)
    problems += check_grid(loaded)
    problems += check_addresses(loaded, warnings, check_machine=check_machine and for_trials)
    problems += check_storage(loaded, check_machine and for_trials)
    if check_machine and for_trials:
        problems += check_gpus(loaded)
    earlier, unread = list[Earlier](), list[Problem]()
    if found is not None and has_all_models and for_trials:
        earlier = list(_earlier(loaded, found.source.task, models, unread))
    if problems or found is None or not has_all_models or (unread and purpose == "start"):
        raise loaded.error([*problems, *unread])
    plan = _plan(spec, found, models, loaded.base, earlier)
    return replace(plan, warnings=tuple(filter(None, warnings)), earlier_problems=tuple(unread))


def _earlier(loaded: LoadedSpec, task: Task, models: Mapping[str, ModelInfo], problems: list[Problem]) -> Iterator[Earlier]:
    blocks = {name: info.blocks for name, info in models.items()}
    for index, folder in enumerate(loaded.spec.search.warm_start):
        place = loaded.base / expand_home(folder)
        try:
            yield read_earlier(place, loaded.spec, blocks, loaded.spec.metric or task.metric)
        except (BlurbTuneError, OSError) as error:
            problems.append(loaded.source.problem(("search", "warm_start", index), str(error)))


def _plan(spec: SweepSpec, found: Inspection, models: Mapping[str, ModelInfo], base: Path, earlier: Sequence[Earlier]) -> Plan:
    task, space, search = found.source.task, spec.space, spec.search
    notes = list(found.notes)
    if isinstance(spec.task, TaskSpec):
        notes = [*note_kind(spec.task), *notes]
        spec = spec.model_copy(update={"task": fill_defaults(spec.task, task)})
    task = replace(task, metric=spec.metric or task.metric)
    train, dev = _sizes(task, found.data)
    blocks = {name: info.blocks for name, info in models.items()}
    configurations = planned_configurations(space, blocks, search.sampler, search.configurations)
    epochs = int(bounds_of(space.epochs)[1])
    trials = configurations * len(spec.seeds) * max(1, found.source.folds)
    steps = trials * epochs * math.ceil(train / int(bounds_of(space.batch_size)[0])) if train is not None else None
    return Plan(
        spec=spec,
        task=task,
        models=models,
        source=found.source,
        metric=task.metric,
        train_examples=train,
        dev_examples=dev,
        has_test=found.source.has_test if found.data is not None else None,
        configurations=configurations,
        combinations=count(space, blocks),
        max_epochs=trials * epochs,
        max_steps=steps,
        notes=(*notes, *_notes_on_ranges(space), *(_note_on_earlier(sweep) for sweep in earlier), *notes_on_secrets(spec)),
        earlier=tuple(earlier),
        digest=spec_digest(spec, found.digest),
        data_digest=found.digest,
        settings_digest=settings_digest(spec),
        base=base,
    )


def _notes_on_ranges(space: SpaceSpec) -> Iterator[str]:
    """Ranges whose upper bound no step reaches."""
    for name in type(space).model_fields:
        dimension = getattr(space, name)
        if isinstance(dimension, Range) and dimension.unreached_bound:
            yield f"space.{name}: {dimension.unreached_bound}"


def _note_on_earlier(earlier: Earlier) -> str:
    return (
        f"warm start: {len(earlier.configurations)} of {earlier.of} configurations of sweep {earlier.name} lie in this space, "
        "and the sampler begins with them"
    )


def _sizes(task: Task, data: TaskData | None) -> tuple[int | None, int | None]:
    """Examples of train and dev, as far as they are known; those of the smallest fold, where there are folds."""
    if data is None:
        return task.data_set.sizes.get("train"), task.data_set.sizes.get("dev")
    dev = min(map(len, data.folds)) if data.folds else len(data.dev)
    return len(data.train) - (dev if data.folds else 0), dev
