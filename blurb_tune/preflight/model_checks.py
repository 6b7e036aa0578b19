"""Whether a spec's models can be had, and can do what it asks of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from blurb_tune.core.errors import BlurbTuneError, Problem
from blurb_tune.models.catalog import KNOWN_MODELS, ModelInfo, check_weights, describe_model
from blurb_tune.models.families import family_of
from blurb_tune.models.tokenizer_files import unknown_share
from blurb_tune.search.combinations import has_strategy, infeasible, why_empty
from blurb_tune.spec import LoadedSpec
from blurb_tune.spec.load import UNKNOWN
from blurb_tune.spec.source import KeyPath
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.checking.inspection import Inspection

# A tokenizer that knows less of the words than that is another model's.
_MOST_UNKNOWN = 0.5


def check_files(loaded: LoadedSpec, info: ModelInfo, found: Inspection | None) -> Iterator[Problem]:
    """Whether a model's weights are there, and then whether its tokenizer knows the words of the data."""
    try:
        check_weights(info)
        yield from _check_words(loaded, info, found)
    except BlurbTuneError as error:
        yield loaded.source.problem(_model_paths(loaded)[info.name], str(error))


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


def _model_paths(loaded: LoadedSpec) -> dict[str, KeyPath]:
    """Where each model is named: in the spec's `model`, or in an item of its choice."""
    names, written = loaded.spec.models, loaded.source.data.get("model")
    if not isinstance(written, list | dict):
        return dict.fromkeys(names, ("model",))
    above: KeyPath = ("model",) if isinstance(written, list) else ("model", "choice")
    return {name: (*above, index) for index, name in enumerate(names)}


def describe_models(loaded: LoadedSpec, problems: list[Problem]) -> dict[str, ModelInfo]:
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


def check_strategies(loaded: LoadedSpec, models: Mapping[str, ModelInfo]) -> Iterator[Problem]:
    """What no model can have, or else the models that can have nothing of it."""
    space, blocks = loaded.spec.space, {name: info.blocks for name, info in models.items()}
    faults = list(infeasible(space, blocks))
    for path, what in faults:
        yield loaded.source.problem(("space", *path), what)
    for name, limit in blocks.items():
        if not faults and not has_strategy(space, limit):
            path = ("space",) if len(blocks) == 1 else _model_paths(loaded)[name]
            yield loaded.source.problem(path, why_empty(space, name, limit))


def check_length(loaded: LoadedSpec, models: Mapping[str, ModelInfo]) -> Iterator[Problem]:
    task, named = loaded.spec.task, loaded.source.data.get("task")
    lengths: dict[KeyPath, int | None] = {("training", "max_length"): loaded.spec.training.max_length}
    if isinstance(task, TaskSpec) and isinstance(named, dict) and "max_length" in named:  # else it is the default
        lengths["task", "max_length"] = task.max_length
    for path, length in lengths.items():
        for name, info in models.items():
            if length is not None and length > info.max_length:
                yield loaded.source.problem(path, f"{length} tokens are more than {name} can read, which is {info.max_length}")


def check_checkpointing(loaded: LoadedSpec, models: Mapping[str, ModelInfo]) -> Iterator[Problem]:
    if not loaded.spec.training.gradient_checkpointing:
        return
    for name, info in models.items():
        if not family_of(info.family).checkpointing:
            yield loaded.source.problem(
                ("training", "gradient_checkpointing"), f"the family of {name}, {info.family}, does not support it"
            )
