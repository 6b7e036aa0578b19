"""Whether the settings of a spec go together, and with its task."""

from __future__ import annotations

from collections.abc import Iterator

from blurb_tune.core.errors import Problem, did_you_mean
from blurb_tune.spec import LoadedSpec
from blurb_tune.spec.dimensions import bounds_of, values_of
from blurb_tune.tasks.kinds import KINDS
from blurb_tune.tasks.task import Task


def check_metric(loaded: LoadedSpec, task: Task) -> Iterator[Problem]:
    metric = loaded.spec.metric
    usable = [name for name in task.metrics if name in task.kind.usable_metrics]
    if metric in task.metrics and metric not in usable:
        yield loaded.source.problem(("metric",), f"{metric!r} cannot be maximized; expected one of: {', '.join(usable)}")
    elif metric is not None and metric not in usable:
        yield loaded.source.problem(("metric",), f"task {task.name!r} has no metric {metric!r}{did_you_mean(metric, usable)}")


def check_smoothing(loaded: LoadedSpec, task: Task) -> Iterator[Problem]:
    if bounds_of(loaded.spec.space.label_smoothing_factor)[1] > 0 and not task.kind.smooths_labels:
        able = ", ".join(name for name, kind in KINDS.items() if kind.smooths_labels)
        what = f"it is for kinds in which one of several classes is right ({able}), but that of task {task.name!r} is"
        yield loaded.source.problem(("space", "label_smoothing_factor"), f"{what} {task.kind.name}")


def check_early_stopping(loaded: LoadedSpec) -> Iterator[Problem]:
    if loaded.spec.training.early_stopping_patience is not None and loaded.spec.score != "best":
        what = "a trial that is stopped early ends with its best evaluation, not with its last: set `score: best`"
        yield loaded.source.problem(("training", "early_stopping_patience"), what)


def check_grid(loaded: LoadedSpec) -> Iterator[Problem]:
    if loaded.spec.search.sampler != "grid":
        return
    space = loaded.spec.space
    for name in type(space).model_fields:
        if name != "strategy" and values_of(getattr(space, name)) is None:
            yield loaded.source.problem(("space", name), "a grid needs finitely many values; give the range a `step`")
