"""Everything that is looked at before a sweep starts: the plan, or all that stands in its way, at once.

Imports neither Ray nor torch nor MLflow, so that `validate` answers at once.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError, Problem, did_you_mean
from blurb_tune.core.paths import home_expanded
from blurb_tune.core.secrets import faults_of, holds_secret, resolve
from blurb_tune.core.storage import fault_of_storage, fault_of_uri, open_storage
from blurb_tune.models.catalog import KNOWN_MODELS, ModelInfo, check_weights, describe_model
from blurb_tune.models.families import family_of
from blurb_tune.models.tokenizer_files import unknown_share
from blurb_tune.search.combinations import count, has_strategy, infeasible, planned_configurations, why_empty
from blurb_tune.search.warm_start import Earlier, read_earlier
from blurb_tune.spec import LoadedSpec, SweepSpec
from blurb_tune.spec.dimensions import Range, bounds_of, values_of
from blurb_tune.spec.earlier import STUDIES
from blurb_tune.spec.load import UNKNOWN
from blurb_tune.spec.source import KeyPath
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.checking.inspection import Inspection, TaskData
from blurb_tune.tasks.checking.task_data import inspect
from blurb_tune.tasks.encoding.cache import cache_folder
from blurb_tune.tasks.kinds import KINDS
from blurb_tune.tasks.sources.custom import fill_defaults, note_kind
from blurb_tune.tasks.sources.data_source import DataSource
from blurb_tune.tasks.sources.named import attach_spec_lines, spec_source
from blurb_tune.tasks.task import Task
from blurb_tune.tracking.server import check_server

# What does not change a sweep's numbers may be changed when it is taken up again; of the resources, all but the device.
_DATA_KEYS = {"train", "dev", "test", "hub"}
_NOT_IN_DIGEST = {
    "base",
    "cluster",
    "final_test",
    "keep_weights",
    "notify",
    "priority",
    "recovery",
    "resources",
    "retries",
    "stop_after_errors",
    "storage",
    "tracking",
}
# A tokenizer that knows less of the words than that is another model's.
_MOST_UNKNOWN = 0.5
# With data, configuration and seed these decide a trial's numbers.
_OF_A_TRIAL = {"score", "crossed", "training"}


@dataclass(frozen=True)
class Plan:
    """A sweep that can start.

    spec: with the labels of a custom task filled in. models: by the names that the spec gives them, in its order.
    train_examples and dev_examples: None where the data have not been looked at and nobody published them; with folds, those
    of the smallest. has_test: there is a test split; None where nobody has looked. max_epochs and max_steps: of all trials
    together, if nothing is pruned. notes: non-fatal findings about the data. earlier: what sweeps before it tell the sampler.
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
    data_digest: str = ""
    settings_digest: str = ""

    @property
    def blocks(self) -> dict[str, int]:
        """Encoder blocks (L) by model name."""
        return {name: info.blocks for name, info in self.models.items()}

    @property
    def trials(self) -> int:
        return self.configurations * len(self.spec.seeds) * max(1, self.source.folds)


def make_plan(loaded: LoadedSpec, *, check_machine: bool = True) -> Plan:
    """Check a spec against task, model, data, and (with `check_machine`) weights, data files, GPUs and tracking server.

    Raises InputError with every problem of the spec and of what it names.
    """
    spec = loaded.spec
    problems, warnings = list(loaded.problems), list[str]()
    data, faults = spec_source(loaded)
    models = _models(loaded, problems)
    found = None
    if data is not None:
        found = inspect(data, cache=cache_folder()) if check_machine else Inspection(data)
    problems += faults
    if found is not None:
        problems += attach_spec_lines(loaded, found.problems)
        problems += _check_metric(loaded, found.source.task)
        problems += _check_smoothing(loaded, found.source.task)
    has_all_models = models.keys() == set(spec.models)
    if has_all_models:
        problems += _check_strategies(loaded, models)
    problems += _check_length(loaded, models)
    problems += _check_checkpointing(loaded, models)
    problems += _check_early_stopping(loaded)
    if check_machine:
        for name, info in models.items():
            faults = list(_complaint(loaded, _model_paths(loaded)[name], partial(check_weights, info)))
            problems += faults or _check_words(loaded, info, found)
    problems += _check_grid(loaded)
    problems += _check_addresses(loaded, warnings, check_machine=check_machine)
    problems += _check_storage(loaded, check_machine)
    if check_machine:
        problems += _check_gpus(loaded)
    earlier = []
    if found is not None and has_all_models:
        earlier = list(_earlier(loaded, found.source.task, models, problems))
    if problems or found is None or not has_all_models:
        raise loaded.error(problems)
    plan = _plan(spec, found, models, loaded.base, earlier)
    return replace(plan, warnings=tuple(filter(None, warnings)))


def _earlier(loaded: LoadedSpec, task: Task, models: Mapping[str, ModelInfo], problems: list[Problem]) -> Iterator[Earlier]:
    blocks = {name: info.blocks for name, info in models.items()}
    for index, folder in enumerate(loaded.spec.search.warm_start):
        place = loaded.base / home_expanded(folder)
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
        notes=(*notes, *_of_steps(space), *(_of_earlier(sweep) for sweep in earlier), *_of_secrets(spec)),
        earlier=tuple(earlier),
        digest=_digest(spec, found.digest),
        data_digest=found.digest,
        settings_digest=_settings_digest(spec),
        base=base,
    )


def _of_steps(space: SpaceSpec) -> Iterator[str]:
    """Ranges whose upper bound no step reaches."""
    for name in type(space).model_fields:
        dimension = getattr(space, name)
        if isinstance(dimension, Range) and dimension.unreached:
            yield f"space.{name}: {dimension.unreached}"


def _of_earlier(earlier: Earlier) -> str:
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


def _digest(spec: SweepSpec, data: str) -> str:
    content = spec.model_dump(mode="json", exclude=_NOT_IN_DIGEST | {"data"})
    content["space"], content["training"] = spec.space.digested(), spec.training.digested()
    if isinstance(spec.task, TaskSpec):
        content["task"] = spec.task.model_dump(mode="json", exclude=_DATA_KEYS)
    # A folder may have moved; what it held is in the log.
    content["search"]["warm_start"] = [Path(folder).name for folder in spec.search.warm_start]
    content["device"] = _device(spec)
    return hashlib.sha256(json.dumps([content, data], sort_keys=True).encode()).hexdigest()


def _settings_digest(spec: SweepSpec) -> str:
    content = spec.model_dump(mode="json", include=_OF_A_TRIAL)
    content["instability"] = spec.pruning.instability.model_dump(mode="json")
    content["training"] = spec.training.digested()
    del content["training"]["precision"]  # `auto` is settled when the sweep starts; its log says as what
    if isinstance(spec.task, TaskSpec):
        content["task"] = spec.task.model_dump(mode="json", exclude=_DATA_KEYS | {"name"})
    return hashlib.sha256(json.dumps([content, _device(spec)], sort_keys=True).encode()).hexdigest()


def _device(spec: SweepSpec) -> str:
    return "gpu" if spec.resources.gpus else "cpu"


def _complaint(loaded: LoadedSpec, path: KeyPath, check: Callable[[], None]) -> Iterator[Problem]:
    """The error of a check as a problem at the setting that it is about."""
    try:
        check()
    except BlurbTuneError as error:
        yield loaded.source.problem(path, str(error))


def _check_words(loaded: LoadedSpec, info: ModelInfo, found: Inspection | None) -> Iterator[Problem]:
    """Whether a model's tokenizer knows the words of the data."""
    if info.path is None or info.name in KNOWN_MODELS or found is None or not found.sample:
        return
    share = unknown_share(info.path, found.sample)
    if share > _MOST_UNKNOWN:
        what = (
            f"{share:.0%} of the words of train are unknown to its tokenizer: is that another model's, or of another language?"
        )
        yield loaded.source.problem(_model_paths(loaded)[info.name], f"{info.name}: {what}")


def _check_storage(loaded: LoadedSpec, check_machine: bool) -> Iterator[Problem]:
    uri = loaded.spec.storage
    if uri is None:
        return
    if (fault := fault_of_uri(uri)) or (check_machine and (fault := fault_of_storage(open_storage(uri)))):
        yield loaded.source.problem(("storage",), fault)


def _model_paths(loaded: LoadedSpec) -> dict[str, KeyPath]:
    """Where each model is named: in the spec's `model`, or in an item of its choice."""
    names, written = loaded.spec.models, loaded.source.data.get("model")
    if not isinstance(written, list | dict):
        return dict.fromkeys(names, ("model",))
    above: KeyPath = ("model",) if isinstance(written, list) else ("model", "choice")
    return {name: (*above, index) for index, name in enumerate(names)}


def _models(loaded: LoadedSpec, problems: list[Problem]) -> dict[str, ModelInfo]:
    """The models that can be described, by name."""
    found: dict[str, ModelInfo] = {}
    for name, path in _model_paths(loaded).items():
        if name == UNKNOWN:
            continue
        try:
            info = describe_model(name, loaded.base)
        except BlurbTuneError as error:
            problems.append(loaded.source.problem(path, str(error)))
            continue
        twin = next((n for n, i in found.items() if (i.path, i.hub_id) == (info.path, info.hub_id)), None)
        if twin is not None:
            problems.append(loaded.source.problem(path, f"{name!r} is the same model as {twin!r}"))
        found[name] = info
    return found


def _check_metric(loaded: LoadedSpec, task: Task) -> Iterator[Problem]:
    metric = loaded.spec.metric
    usable = [name for name in task.metrics if name in task.kind.usable_metrics]
    if metric in task.metrics and metric not in usable:
        yield loaded.source.problem(("metric",), f"{metric!r} cannot be maximized; expected one of: {', '.join(usable)}")
    elif metric is not None and metric not in usable:
        yield loaded.source.problem(("metric",), f"task {task.name!r} has no metric {metric!r}{did_you_mean(metric, usable)}")


def _check_smoothing(loaded: LoadedSpec, task: Task) -> Iterator[Problem]:
    if bounds_of(loaded.spec.space.label_smoothing_factor)[1] > 0 and not task.kind.smooths_labels:
        able = ", ".join(name for name, kind in KINDS.items() if kind.smooths_labels)
        what = f"it is for kinds in which one of several classes is right ({able}), but that of task {task.name!r} is"
        yield loaded.source.problem(("space", "label_smoothing_factor"), f"{what} {task.kind.name}")


def _check_early_stopping(loaded: LoadedSpec) -> Iterator[Problem]:
    if loaded.spec.training.early_stopping_patience is not None and loaded.spec.score != "best":
        what = "a trial that is stopped early ends with its best evaluation, not with its last: set `score: best`"
        yield loaded.source.problem(("training", "early_stopping_patience"), what)


def _check_strategies(loaded: LoadedSpec, models: Mapping[str, ModelInfo]) -> Iterator[Problem]:
    """What no model can have, or else the models that can have nothing of it."""
    space, blocks = loaded.spec.space, {name: info.blocks for name, info in models.items()}
    faults = list(infeasible(space, blocks))
    for path, what in faults:
        yield loaded.source.problem(("space", *path), what)
    for name, limit in blocks.items():
        if not faults and not has_strategy(space, limit):
            path = ("space",) if len(blocks) == 1 else _model_paths(loaded)[name]
            yield loaded.source.problem(path, why_empty(space, name, limit))


def _check_length(loaded: LoadedSpec, models: Mapping[str, ModelInfo]) -> Iterator[Problem]:
    task, named = loaded.spec.task, loaded.source.data.get("task")
    lengths: dict[KeyPath, int | None] = {("training", "max_length"): loaded.spec.training.max_length}
    if isinstance(task, TaskSpec) and isinstance(named, dict) and "max_length" in named:  # else it is the default
        lengths["task", "max_length"] = task.max_length
    for path, length in lengths.items():
        for name, info in models.items():
            if length is not None and length > info.max_length:
                yield loaded.source.problem(path, f"{length} tokens are more than {name} can read, which is {info.max_length}")


def _check_checkpointing(loaded: LoadedSpec, models: Mapping[str, ModelInfo]) -> Iterator[Problem]:
    if not loaded.spec.training.gradient_checkpointing:
        return
    for name, info in models.items():
        if not family_of(info.family).checkpointing:
            yield loaded.source.problem(
                ("training", "gradient_checkpointing"), f"the family of {name}, {info.family}, does not support it"
            )


def _check_grid(loaded: LoadedSpec) -> Iterator[Problem]:
    if loaded.spec.search.sampler != "grid":
        return
    space = loaded.spec.space
    for name in type(space).model_fields:
        if name != "strategy" and values_of(getattr(space, name)) is None:
            yield loaded.source.problem(("space", name), "a grid needs finitely many values; give the range a `step`")


def _check_addresses(loaded: LoadedSpec, warnings: list[str], *, check_machine: bool) -> Iterator[Problem]:
    """Of the study and of the tracking server; without a look at the machine, only where they name no variable of it."""
    tracking = loaded.spec.tracking
    for key, address in {"study_url": tracking.study_url, "uri": tracking.uri}.items():
        path = ("tracking", key)
        if address is None or ("${" in address and not check_machine):
            continue
        if faults := faults_of(address):
            yield from (loaded.source.problem(path, fault) for fault in faults)
        elif key == "study_url" and not resolve(address).startswith(STUDIES):
            yield loaded.source.problem(path, f"expected a URL that starts with one of {', '.join(STUDIES)}")
        elif key == "uri" and check_machine:
            yield from _complaint(loaded, path, partial(_look_at_server, resolve(address), warnings))


def _look_at_server(uri: str, warnings: list[str]) -> None:
    warnings.append(check_server(uri))


def _of_secrets(spec: SweepSpec) -> Iterator[str]:
    for key, address in {"study_url": spec.tracking.study_url, "uri": spec.tracking.uri}.items():
        if address is not None and holds_secret(address):
            yield (
                f"tracking.{key} holds a password; better write ${{NAME}} in its place, which stands for the environment "
                "variable NAME: spec and sweep are free of it then"
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
