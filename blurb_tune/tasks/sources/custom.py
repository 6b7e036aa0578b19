"""A custom task: from the `task:` mapping of a spec to a `Task` and the source of its data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError, did_you_mean
from blurb_tune.core.paths import expand_home
from blurb_tune.spec.dimensions import duplicates
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.data_set import plain_name
from blurb_tune.tasks.examples import normalize_label
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.kinds import KINDS, MULTI_LABEL, find_kind
from blurb_tune.tasks.sources.data_source import DataSource
from blurb_tune.tasks.sources.hub_data import PREFIX
from blurb_tune.tasks.sources.readers import CONLL_ENDINGS, FORMATS, Layout
from blurb_tune.tasks.sources.splits import SPLITS, FileSplits, HubSplits, Split, Splits
from blurb_tune.tasks.task import ScoreScale, Task

# With a fault in one of these there are no data to look at.
_KEYS_OF_DATA = ("", "kind", *SPLITS, "hub", "columns", "encoding", "folds", "dev_share")


def custom_source(spec: TaskSpec, base: Path) -> DataSource:
    """The task that a spec's mapping describes, with its data; files are relative to `base`.

    The task has no labels yet where the spec lists none: `task_data.inspect` takes them from the data.
    """
    kind = find_kind(spec.kind)
    task = Task(
        name=spec.title,
        kind=kind,
        metric=spec.metric or kind.default_metric,
        description="a custom task",
        max_length=spec.max_length,
        labels=tuple(map(normalize_label, _label_names(spec))),
        label_aliases=_numbers_of(spec, kind),
        scores=ScoreScale(None, spec.label_center, spec.label_scale),
        left_out=tuple(map(normalize_label, spec.left_out)),
        fields=tuple(spec.text),
        label_field=_label_field(spec),
        id_field=spec.id,
        markers=tuple(spec.markers),
    )
    return DataSource(
        task,
        _splits(spec, base, task),
        is_custom=True,
        dev_share=spec.dev_share,
        folds=spec.folds or 0,
        flags=_flags(spec),
        separator=spec.label_separator,
        sentence=spec.sentence,
    )


def _flags(spec: TaskSpec) -> tuple[str, ...]:
    """The columns with 0 and 1, one for each label; none where one column has the label."""
    return () if isinstance(spec.label, str) else tuple(dict.fromkeys(spec.label))


def _label_names(spec: TaskSpec) -> Sequence[str]:
    """Those that are listed; the columns of flags where none are, or, which is a fault, not as many."""
    flags, labels = _flags(spec), spec.labels or ()
    return labels if labels and len(flags) in (0, len(labels)) else flags


def _numbers_of(spec: TaskSpec, kind: Kind) -> Mapping[str, str]:
    """The labels by their indices, by which data may name them instead; of several labels of a text 0 and 1 are flags."""
    labels = list(map(str, map(normalize_label, spec.labels or ())))
    if kind == MULTI_LABEL or any(map(str.isdecimal, labels)):
        return {}
    return {str(index): label for index, label in enumerate(labels)}


def _label_field(spec: TaskSpec) -> str:
    return spec.label if isinstance(spec.label, str) else ", ".join(spec.label)


def fill_defaults(spec: TaskSpec, task: Task) -> TaskSpec:
    """The mapping with what was left to the data and to defaults."""
    found = {"name": task.name, "kind": task.kind.name, "labels": list(task.labels) or None, "metric": task.metric}
    return spec.model_copy(update={**found, "label_center": task.scores.center, "label_scale": task.scores.unit})


def note_kind(spec: TaskSpec) -> Iterator[str]:
    """For which kind of task a word is taken that is not its name."""
    kind = find_kind(spec.kind)
    if spec.kind != kind.name:
        yield f"kind: {spec.kind!r} is taken as {kind.name}: the label is {kind.label}"


def check_custom_task(spec: TaskSpec, base: Path = Path()) -> Iterator[tuple[str, str]]:
    """What is wrong with the mapping before any file is read: the key, empty for the whole, and the fault.

    Files are relative to `base`.
    """
    yield from _file_faults(spec, base)
    yield from _column_faults(spec)
    try:
        yield from _kind_faults(spec, find_kind(spec.kind))
    except BlurbTuneError as error:
        yield "kind", str(error)
    if spec.folds and spec.dev_share:
        yield "dev_share", "folds stand for a dev split; leave one of `folds` and `dev_share` out"
    for key in ("folds", "dev_share"):
        if spec.dev and getattr(spec, key):
            yield key, "this cuts dev from train, but `dev` names a file; leave one of them out"


def has_data(spec: TaskSpec, faults: Iterable[tuple[str, str]]) -> bool:
    """Whether there are data to look at in spite of these faults, those of `check_custom_task`."""
    return not any(key in _KEYS_OF_DATA for key, _ in faults) and find_kind(spec.kind).fault_of_texts(spec.text) is None


def _splits(spec: TaskSpec, base: Path, task: Task) -> Splits:
    if spec.hub is not None:
        return HubSplits(spec.hub.removeprefix(PREFIX), "hub", needs_dev=False)
    layout = Layout(spec.encoding, None if spec.columns is None else tuple(spec.columns))
    listed = task.kind.word_list_fields(task)
    tagged = (listed[0], task.label_field) if listed else None
    files = {split: base / expand_home(file) for split, file in _files(spec).items()}
    return FileSplits(files, {split: split for split in SPLITS}, layout, tagged)


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
    paths = {split: (base / expand_home(file)).resolve() for split, file in files.items()}
    for split, file in files.items():
        if Path(file).suffix.lower() not in (endings := _endings(spec)):
            yield split, f"expected a file that ends with {', '.join(endings)}, but got {file!r}"
        same = next((other for other in SPLITS[: SPLITS.index(split)] if paths.get(other) == paths[split]), None)
        if same:
            yield split, f"{file!r} is the {same} file already"


def _endings(spec: TaskSpec) -> tuple[str, ...]:
    """How the names of files may end."""
    with suppress(BlurbTuneError):  # of which `kind` tells
        kind = find_kind(spec.kind)
        return (*FORMATS, *(CONLL_ENDINGS if kind.word_field is not None and not kind.splits_text else ()))
    return tuple(FORMATS)


def _is_encoding(name: str) -> bool:
    """Whether it is an encoding of text: each reads and writes zeros, unlike `hex` (of bytes) and `idna` (of hosts)."""
    try:
        bytes(64).decode(name).encode(name)  # for no bytes at all Python would not look the name up
    except (LookupError, ValueError):
        return False
    return True


def _column_faults(spec: TaskSpec) -> Iterator[tuple[str, str]]:
    if len(set(spec.text)) < len(spec.text):
        yield "text", f"the two columns of a pair must differ, but both are {spec.text[0]!r}"
    for column in (spec.label,) if isinstance(spec.label, str) else spec.label:
        if column in spec.text:
            yield "label", f"{column!r} is the text's column already"
    for name in duplicates(spec.columns or ()):
        yield "columns", f"the names of columns must differ, but {name!r} stands more than once"
    if spec.encoding is not None and not _is_encoding(spec.encoding):
        yield "encoding", f"unknown encoding {spec.encoding!r}; expected one such as utf-8, utf-16 or cp1252"


def _kind_faults(spec: TaskSpec, kind: Kind) -> Iterator[tuple[str, str]]:
    if fault := kind.fault_of_texts(spec.text):
        yield "text", fault
    for column in sorted(set(spec.text) & set(kind.added)):
        yield "text", f"rename the column {column!r}: `predict` adds one of that name to the texts"
    for key in ("label_center", "label_scale"):
        if getattr(spec, key) is not None and kind.has_labels:
            yield key, f"this is of scores, of which {kind.name} has none"
    if _flags(spec) and kind != MULTI_LABEL:
        yield "label", f"columns with 0 and 1 are of a {MULTI_LABEL.name} task, but `kind` is {kind.name}"
    else:
        yield from _flag_faults(spec)
    usable = kind.usable_metrics
    if spec.metric in {metric.name for metric in kind.metrics if metric.lower_is_better}:
        yield "metric", f"{spec.metric!r} cannot be maximized; expected one of: {', '.join(usable)}"
    elif spec.metric is not None and spec.metric not in usable:
        yield "metric", f"there is no metric {spec.metric!r} for {kind.name}{did_you_mean(spec.metric, usable)}"
    if not kind.has_labels and spec.labels:
        yield "labels", f"{kind.name} has no labels; leave this out, or name another `kind`"
    for label in islice(duplicates(map(normalize_label, spec.labels or ())), 1):
        yield "labels", f"labels must differ, but {label!r} stands more than once"
    if spec.left_out and not kind.can_leave_out:
        usable_kinds = [known.name for known in KINDS.values() if known.can_leave_out]
        yield "left_out", f"labels are left out of the F1 of {' and '.join(usable_kinds)} alone"


def _flag_faults(spec: TaskSpec) -> Iterator[tuple[str, str]]:
    """What is wrong with columns of 0 and 1, and with labels that are listed for them, which name them in their order."""
    flags, labels = _flags(spec), spec.labels
    if len(flags) not in (0, len(spec.label)):
        yield "label", f"columns must differ, but {next(duplicates(spec.label))!r} stands more than once"
    elif flags and labels and len(labels) != len(flags):
        yield "labels", f"expected one for each of the {len(flags)} columns in `label`, but got {len(labels)}"
    elif flags and labels:
        for column, label in zip(flags, labels, strict=True):
            if plain_name(label) != plain_name(column) and plain_name(label) in map(plain_name, flags):
                yield "labels", f"expected them in the order of the columns in `label`, but {label!r} stands for {column!r}"
