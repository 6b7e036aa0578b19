"""Data sets of the Hugging Face hub, read by the `datasets` library: tables only, no scripts, nothing pickled.

Of a data set that a script makes, the tables are read that the hub itself has made by it and keeps on a branch of their own. A
data set is downloaded once; without a connection the copy in the cache is read. A split's files are opened when that split is
asked for. `datasets` is imported inside the functions: it takes longer to import than everything else, and few sweeps need it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from blurb_tune.core.errors import BlurbTuneError, did_you_mean
from blurb_tune.core.hub import Repository, first_line, readable_errors
from blurb_tune.tasks.examples import Row, is_list

PREFIX = "hf://"
SPLIT_NAMES: Mapping[str, tuple[str, ...]] = {
    "train": ("train",),
    "dev": ("validation", "dev", "valid", "val"),
    "test": ("test",),
}
_TABLES = (".parquet", ".csv", ".tsv", ".json", ".jsonl")
_FILES = [*(f"*{ending}" for ending in _TABLES), "README.md"]
_EXPORT = "refs/convert/parquet"  # a folder for each configuration, and in it one for each split


def hub_splits(name: str) -> dict[str, str]:
    """What a data set's train, dev and test splits are called there, of those it has.

    `name` is `owner/name` or `owner/name/config`. Raises BlurbTuneError when the data set cannot be had.
    """
    found = _builder(name).config.data_files or {}
    return {split: known for split, names in SPLIT_NAMES.items() for known in names[::-1] if known in found}


def hub_rows(name: str, split: str) -> Iterator[Row]:
    """The rows of a split, by its name there; class indices are replaced by the names that the data set gives them."""
    from datasets import load_dataset

    folder, config = _folder(name)
    with _readable_errors(name):
        data = load_dataset(str(folder), name=config, split=split, streaming=True)
        names = {column: found for column, kind in (data.features or {}).items() if (found := _class_names(kind))}
        for number, record in enumerate(data, start=1):
            values = {
                column: _spell_classes(value, names[column]) if column in names else value for column, value in record.items()
            }
            yield Row(f"{PREFIX}{name}, {split} row {number}", values)


def _parts(name: str) -> tuple[str, str | None]:
    owner, _, rest = name.partition("/")
    repository, _, config = rest.partition("/")
    return f"{owner}/{repository}", config or None


def _builder(name: str) -> Any:
    from datasets import get_dataset_config_names, load_dataset_builder

    for name_of_logger in ("datasets", "huggingface_hub"):  # what goes wrong is said in the error
        logging.getLogger(name_of_logger).setLevel(logging.CRITICAL)
    folder, config = _folder(name)
    with _readable_errors(name):
        known = get_dataset_config_names(str(folder))
        if config is not None or "default" not in known:
            config = _config(name, known)
        return load_dataset_builder(str(folder), name=config)


def _config(name: str, known: Collection[str]) -> str:
    """The configuration that `name` means. Raises BlurbTuneError where there is no such one, or no choice was made."""
    repository, config = _parts(name)
    if config is None and len(known) == 1:
        return next(iter(known))
    if config is None:
        names = ", ".join(sorted(known))
        raise BlurbTuneError(f"data set {name!r} has several configurations; add one of: {names} ({PREFIX}{name}/...)")
    if config not in known:
        raise BlurbTuneError(f"data set {repository!r} has no configuration {config!r}{did_you_mean(config, known)}")
    return config


@cache
def _folder(name: str) -> tuple[Path, str | None]:
    """The data set's tables on this machine, the same ones as long as this process runs, and which configuration of them."""
    repository, config = _parts(name)
    with _readable_errors(name):
        found = Repository(repository, "dataset").newest(lambda files: _FILES)
        if found is not None and any(file.suffix in _TABLES for file in found[0].rglob("*.*")):
            return found[0], config
        return _export_folder(name), None


def _export_folder(name: str) -> Path:
    """The folder with the tables that the hub has made of a configuration by the data set's script."""
    repository, _ = _parts(name)

    def folder_of(files: Iterable[str]) -> str:
        return _config(name, {file.partition("/")[0] for file in files if file.endswith(".parquet")})

    found = Repository(repository, "dataset").newest(lambda files: [f"{folder_of(files)}/*"], _EXPORT)
    if found is None:
        raise BlurbTuneError(
            f"data set {repository!r} has no table (Parquet, JSON, CSV or TSV) on the hub; one that a script makes cannot be "
            "read, since nothing of the hub's code is run here"
        )
    folder, files = found
    return folder / folder_of(files)


def _class_names(kind: Any) -> Callable[[int], str] | None:
    """How a column of class indices, or of lists of them, spells them out; None for other columns."""
    from datasets import ClassLabel

    kind = getattr(kind, "feature", kind)
    return kind.int2str if isinstance(kind, ClassLabel) else None


def _spell_classes(value: Any, spell: Callable[[int], str]) -> Any:
    """An index outside the classes, as -1 for no label, stays as it is."""
    if is_list(value):
        return [_spell_classes(item, spell) for item in value]
    try:
        return spell(value)
    except (TypeError, ValueError):
        return value


@contextmanager
def _readable_errors(name: str) -> Iterator[None]:
    """Translate errors of the hub, the network and the file readers into messages for the user."""
    from datasets.exceptions import DatasetsError

    what = f"data set {name!r}"
    try:
        with readable_errors(
            Repository(_parts(name)[0], "dataset"),
            what,
            missing=f"there is no {what} on the hub (a private one needs `hf auth login`)",
            without_hub="a folder or a table on this machine works without the hub",
        ):
            yield
    except (DatasetsError, OSError, ValueError, TypeError, KeyError) as error:
        raise BlurbTuneError(f"{what} cannot be read: {first_line(error)}") from None
