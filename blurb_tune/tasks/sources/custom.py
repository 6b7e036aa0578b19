"""A user's own task: from the `task:` mapping of a spec to a `Task` and the source of its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from blurb_tune.core.errors import did_you_mean
from blurb_tune.core.paths import home_expanded
from blurb_tune.spec.dimensions import repeated
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.examples import normalize_label
from blurb_tune.tasks.sources.hub import PREFIX
from blurb_tune.tasks.sources.readers import FORMATS
from blurb_tune.tasks.sources.source import DataSource
from blurb_tune.tasks.sources.tables import SPLITS, FileTables, HubTables, Split, Tables
from blurb_tune.tasks.task import BINARY_METRICS, LOWER_IS_BETTER, METRICS, Kind, Task

# A constant prediction looks well in accuracy where classes are uneven; macro F1 shows what it is.
DEFAULT_METRICS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.REGRESSION: "pearson",
        Kind.CLASSIFICATION: "macro_f1",
        Kind.MULTI_LABEL: "micro_f1",
        Kind.TOKEN_CLASSIFICATION: "entity_f1",
    }
)
# With a fault in one of these there are no data to look at.
KEYS_OF_DATA = ("", *SPLITS, "hub", "folds", "dev_share")
_CAN_LEAVE_OUT = (Kind.CLASSIFICATION, Kind.MULTI_LABEL)


def own_source(spec: TaskSpec, base: Path) -> DataSource:
    """The task that a spec's mapping describes, with its data; files are relative to `base`.

    The task has no labels yet where the spec lists none: `data.inspect` takes them from the data.
    """
    kind = Kind(spec.kind)
    task = Task(
        name=spec.title,
        kind=kind,
        metric=spec.metric or DEFAULT_METRICS[kind],
        description="a task of one's own",
        max_length=spec.max_length,
        labels=tuple(map(normalize_label, spec.labels or ())),
        label_center=spec.label_center,
        label_scale=spec.label_scale,
        left_out=tuple(map(normalize_label, spec.left_out)),
        fields=tuple(spec.text),
        label_field=spec.label,
        id_field=spec.id,
        markers=tuple(spec.markers),
    )
    return DataSource(task, _tables(spec, base), is_own=True, dev_share=spec.dev_share, folds=spec.folds or 0)


def fill_defaults(spec: TaskSpec, task: Task) -> TaskSpec:
    """The mapping with what was left to the data and to defaults."""
    found = {"name": task.name, "labels": list(task.labels) or None, "metric": task.metric}
    return spec.model_copy(update={**found, "label_center": task.label_center, "label_scale": task.label_scale})


def check_own(spec: TaskSpec, base: Path = Path()) -> Iterator[tuple[str, str]]:
    """What is wrong with the mapping before any file is read: the key, empty for the whole, and the fault.

    Files are relative to `base`.
    """
    yield from _file_faults(spec, base)
    yield from _column_faults(spec)
    yield from _score_faults(spec)
    if spec.folds and spec.dev_share:
        yield "dev_share", "folds stand for a dev split; leave one of `folds` and `dev_share` out"
    for key in ("folds", "dev_share"):
        if spec.dev and getattr(spec, key):
            yield key, "this cuts dev from train, but `dev` names a file; leave one of them out"


def _tables(spec: TaskSpec, base: Path) -> Tables:
    if spec.hub is not None:
        return HubTables(spec.hub.removeprefix(PREFIX), "hub", needs_dev=False)
    return FileTables({split: base / home_expanded(file) for split, file in _files(spec).items()}, {s: s for s in SPLITS})


def _files(spec: TaskSpec) -> dict[Split, str]:
    named: dict[Split, str | None] = {"train": spec.train, "dev": spec.dev, "test": spec.test}
    return {split: file for split, file in named.items() if file is not None}


def _file_faults(spec: TaskSpec, base: Path) -> Iterator[tuple[str, str]]:
    files = _files(spec)
    if spec.hub is not None:
        yield from ((split, "the hub data set has its own splits; leave this out, or `hub`") for split in files)
        return
    if spec.train is None:
        yield "", "expected `train`, a file, or `hub`, a data set on the hub"
    paths = {split: (base / home_expanded(file)).resolve() for split, file in files.items()}
    for split, file in files.items():
        if Path(file).suffix.lower() not in FORMATS:
            yield split, f"expected a file that ends with {', '.join(FORMATS)}, but got {file!r}"
        same = next((other for other in SPLITS[: SPLITS.index(split)] if paths.get(other) == paths[split]), None)
        if same:
            yield split, f"{file!r} is the {same} file already"


def _column_faults(spec: TaskSpec) -> Iterator[tuple[str, str]]:
    if len(set(spec.text)) < len(spec.text):
        yield "text", f"the two columns of a pair must differ, but both are {spec.text[0]!r}"
    if Kind(spec.kind) is Kind.TOKEN_CLASSIFICATION and len(spec.text) > 1:
        yield "text", "words to tag stand in one column, but two are named"
    if spec.label in spec.text:
        yield "label", f"{spec.label!r} is the text's column already"


def _score_faults(spec: TaskSpec) -> Iterator[tuple[str, str]]:
    kind = Kind(spec.kind)
    for key in ("label_center", "label_scale"):
        if getattr(spec, key) is not None and kind is not Kind.REGRESSION:
            yield key, f"this is of scores, of which {spec.kind} has none"
    usable = [name for name in METRICS[kind] if name not in LOWER_IS_BETTER]
    usable += BINARY_METRICS if kind is Kind.CLASSIFICATION else ()
    if spec.metric in LOWER_IS_BETTER:
        yield "metric", f"{spec.metric!r} cannot be maximised; expected one of: {', '.join(usable)}"
    elif spec.metric is not None and spec.metric not in usable:
        yield "metric", f"there is no metric {spec.metric!r} for {spec.kind}{did_you_mean(spec.metric, usable)}"
    if kind is Kind.REGRESSION and spec.labels:
        yield "labels", "numbers have no labels; leave this out, or name another `kind`"
    for label in islice(repeated(map(normalize_label, spec.labels or ())), 1):
        yield "labels", f"labels must differ, but {label!r} stands more than once"
    if spec.left_out and kind not in _CAN_LEAVE_OUT:
        yield "left_out", f"labels are left out of the F1 of {' and '.join(_CAN_LEAVE_OUT)} alone"
