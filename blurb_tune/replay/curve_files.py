"""Learning curves of whole, unstopped runs as files: read, checked, and written from a sweep's log.

A set of curves is a table (CSV or Parquet) with a row for each evaluation of each run, and a JSON file of the same name beside
it that says what the numbers are.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from blurb_tune.core.errors import InputError, Problem, did_you_mean, visible
from blurb_tune.core.paths import read_file, write_atomically
from blurb_tune.core.trial import HYPERPARAMETER_NAMES, STRATEGY_NAMES, Configuration, Measurement, Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.curves import CurveSet, Run
from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.tasks.sources.readers import read_csv, read_parquet

COLUMNS = ("configuration", "seed", "evaluation", "step", "train_loss", "dev_loss", "dev_score")
MORE_COLUMNS = ("epoch", "learning_rate", "grad_norm", "prediction_spread", "seconds")
KEYS = ("metric", "trivial_score", "trivial_loss", "reference")
# The column `learning_rate` is that of an evaluation.
SETTINGS = {("peak_learning_rate" if name == "learning_rate" else name): name for name in HYPERPARAMETER_NAMES}
_WHOLE = frozenset({"seed", "evaluation", "step"})
_MAY_BE_UNDEFINED = frozenset({"train_loss", "dev_loss", "dev_score", *MORE_COLUMNS})
_TYPES = {field.name: str(field.type) for field in fields(Configuration)}
_FORMATS = {".csv": read_csv, ".parquet": read_parquet}
_MOST_PROBLEMS = 100


def read_curves(path: Path) -> CurveSet:
    """The curves in a table and the JSON file beside it. Raises InputError with everything that is wrong with them."""
    reader = _FORMATS.get(path.suffix.lower())
    if reader is None:
        raise InputError([Problem(str(path), f"expected a file that ends in {' or '.join(_FORMATS)}")])
    problems: list[Problem] = []
    about = _read_about(path.with_suffix(".json"), problems)
    try:
        content = read_file(path)
    except OSError as error:
        raise InputError([*problems, Problem(str(path), f"cannot be read: {error.strerror}")]) from None
    rows, told = [], len(problems)
    for item in reader(content, str(path)):
        if isinstance(item, Problem):
            problems.append(item)
        else:
            rows.append((item.location, item.values))
    if not rows and len(problems) == told:
        problems.append(Problem(str(path), "holds no evaluation"))
    missing = [name for name in COLUMNS if rows and name not in rows[0][1]]
    if missing:
        hints = ", ".join(f"{name!r}{_near(name, rows[0][1])}" for name in missing)
        problems.append(Problem(f"{path}:1", f"lacks the column{'s' * (len(missing) > 1)} {hints}"))
        rows = []
    table = _Table(rows, problems)
    reference = about.get("reference")
    reference = visible(reference) if isinstance(reference, str) else reference
    if table.names and reference is not None and reference not in list(table.names):
        problems.append(
            Problem(str(path.with_suffix(".json")), f"reference {reference!r} is no configuration of the table"
                    f"{did_you_mean(str(reference), table.names)}")
        )  # fmt: skip
    if problems:
        rest = len(problems) - _MOST_PROBLEMS
        more = [Problem(str(path), f"{rest:,} more problems are not listed")] if rest > 0 else []
        raise InputError([*problems[:_MOST_PROBLEMS], *more])
    score = about["trivial_score"]
    level = TrivialLevel(score, about.get("noise_bound", score), about["trivial_loss"])
    models = about.get("models")
    only = models[0] if isinstance(models, list) and len(models) == 1 else "recorded"
    model = visible(str(about.get("model") or only))
    configurations = {name: table.configuration(name, model, is_reference=name == reference) for name in table.runs}
    return CurveSet(
        name=path.stem,
        metric=visible(about["metric"]),
        level=level,
        reference=reference,
        configurations=configurations,
        runs=table.whole_runs(),
        has_seconds=table.has("seconds"),
        task=visible(str(about.get("task") or path.stem)),
    )


def write_curves(record: SweepRecord, table: Path) -> None:
    """Write the runs of a sweep in which nothing was stopped, and what they are beside them.

    Raises InputError when runs are missing, were stopped, or are of folds, and writes nothing then.
    """
    header = record.header
    trials = list(record.trials.values())
    faults = [
        *(f"{t.trial_id} was {t.outcome}" for t in trials if t.outcome in (Outcome.ERRORED, None) or t.outcome.is_pruned),
        *(f"{t.trial_id} was stopped early" for t in trials if t.stopped_early),
        *(["a cross-validation has no curves by seed"] if header.folds else []),
        *(["there are no runs"] if not trials else []),
        *(["it does not say what the trivial level is"] if math.isnan(header.trivial_loss) else []),
    ]
    if faults:
        raise InputError([Problem(f"sweep {header.sweep_id}", fault) for fault in faults])
    names = {cid: record.label(cid) for cid in record.configurations}
    repeated = {name for name, count in Counter(names.values()).items() if count > 1}
    names = {cid: f"{name} ({cid})" if name in repeated else name for cid, name in names.items()}
    reference = next(iter(record.references().values()), None)
    about = {
        "task": header.task,
        "metric": header.metric,
        "trivial_score": header.trivial_score,
        "trivial_loss": header.trivial_loss,
        "noise_bound": header.trivial_score if math.isnan(header.noise_bound) else header.noise_bound,
        "reference": names[reference.name] if reference else None,
        "models": list(header.models),
        "precision": header.precision,
        "versions": header.versions,
    }
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*COLUMNS, *MORE_COLUMNS, *SETTINGS])
    for trial in trials:
        configuration = record.configurations[trial.configuration_id].configuration
        values = [configuration.values()[name] for name in HYPERPARAMETER_NAMES]
        for index, m in enumerate(trial.measurements, start=1):
            measured = (m.train_loss, m.dev_loss, m.dev_score, m.epoch, m.learning_rate, m.grad_norm, m.prediction_spread)
            seconds = m.train_seconds + m.eval_seconds
            rounded = [f"{number:.6g}" for number in (*measured, seconds)]
            writer.writerow([names[trial.configuration_id], trial.seed, index, m.step, *rounded, *values])
    write_atomically(table, stream.getvalue())
    write_atomically(table.with_suffix(".json"), json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def _near(name: str, columns: Iterable[str]) -> str:
    hint = did_you_mean(name, [column for column in columns if column])
    return f" ({hint.removeprefix('; ')})" if "did you mean" in hint else ""


def _read_about(path: Path, problems: list[Problem]) -> dict[str, Any]:
    """What the numbers are; faults are added to `problems`."""
    try:
        about = json.loads(read_file(path).decode("utf-8"))
    except OSError as error:
        problems.append(Problem(str(path), f"cannot be read: {error.strerror}; expected an object with {', '.join(KEYS)}"))
        return {}
    except (ValueError, RecursionError) as error:
        problems.append(Problem(str(path), f"this is no JSON: {error}"))
        return {}
    if not isinstance(about, dict):
        problems.append(Problem(str(path), f"expected an object with {', '.join(KEYS)}"))
        return {}
    for key in KEYS[:3]:
        kind, what = (str, "text") if key == "metric" else (int | float, "a number")
        value = about.get(key)
        if key not in about:
            problems.append(Problem(str(path), f"lacks {key!r}{_near(key, about)}"))
        elif not isinstance(value, kind) or isinstance(value, bool) or (key != "metric" and not _is_finite(value)):
            problems.append(Problem(str(path), f"{key}: expected {what}, but got {value!r}"))
    bound, score = about.get("noise_bound"), about.get("trivial_score")
    is_bound = isinstance(bound, int | float) and _is_finite(bound)
    if bound is not None and isinstance(score, int | float) and not (is_bound and bound >= score):
        problems.append(Problem(str(path), f"noise_bound: expected a number from trivial_score on, but got {bound!r}"))
    return about


def _is_finite(number: Any) -> bool:
    """Also of a whole number, which can be larger than any float."""
    return bool(abs(number) <= sys.float_info.max)


class _Table:
    """The rows of a table, sorted into runs; what is wrong with them is added to `problems`."""

    def __init__(self, rows: Sequence[tuple[str, Mapping[str, Any]]], problems: list[Problem]):
        self._problems = problems
        self.runs: dict[str, dict[int, list[tuple[str, dict[str, float]]]]] = {}
        self.names: set[str] = set()
        self._settings: dict[str, dict[str, Any]] = {}
        given = rows[0][1] if rows else {}
        self._columns = [name for name in (*COLUMNS[1:], *MORE_COLUMNS) if name in given]
        self._hyperparameters = {c: _TYPES[name] for c, name in SETTINGS.items() if c in given}
        for place, row in rows:
            self._add(place, row)
        for name, runs in self.runs.items():
            for seed, run in runs.items():
                self._check(name, seed, run)
        if self.runs and not set.intersection(*(set(runs) for runs in self.runs.values())):
            problems.append(Problem(rows[0][0].rpartition(":")[0], "no seed is common to all configurations"))

    def has(self, column: str) -> bool:
        return column in self._columns

    def configuration(self, name: str, model: str, *, is_reference: bool) -> Configuration:
        """As the columns say, of `model` where none does; without a column on the strategy, only the reference is vanilla."""
        settings = {"model": model} | self._settings[name]
        if not settings.keys() & set(STRATEGY_NAMES) and not is_reference:
            settings["reinit_count"] = 1
        return Configuration(**settings)

    def whole_runs(self) -> dict[str, dict[int, Run]]:
        return {
            name: {seed: tuple(_measurement(values) for _, values in run) for seed, run in runs.items()}
            for name, runs in self.runs.items()
        }

    def _add(self, place: str, row: Mapping[str, Any]) -> None:
        name = visible(str(row["configuration"] or "").strip())
        if not name:
            self._problems.append(Problem(place, "configuration: expected a name"))
            return
        self.names.add(name)
        values, faults = {}, []
        for column in self._columns:
            try:
                values[column] = _number(column, row[column])
            except ValueError as error:
                faults.append(Problem(place, f"{column}: {error}"))
        settings = {}
        for column, kind in self._hyperparameters.items():
            try:
                settings[SETTINGS[column]] = _setting(kind, row[column])
            except ValueError as error:
                faults.append(Problem(place, f"{column}: {error}"))
        self._problems += faults
        if faults:
            return
        before = self._settings.setdefault(name, settings)
        if before != settings:
            changed = next(key for key in settings if settings[key] != before[key])
            self._problems.append(
                Problem(place, f"{changed} is {settings[changed]!r} here and {before[changed]!r} in earlier rows of {name!r}")
            )
        self.runs.setdefault(name, {}).setdefault(int(values["seed"]), []).append((place, values))

    def _check(self, name: str, seed: int, run: list[tuple[str, dict[str, float]]]) -> None:
        run.sort(key=lambda item: item[1]["evaluation"])
        previous: dict[str, float] = {"step": 0, "seconds": 0.0}
        for index, (place, values) in enumerate(run, start=1):
            which = f"{name!r}, seed {seed}"
            if values["evaluation"] != index:
                self._problems.append(
                    Problem(place, f"{which}: expected evaluation {index}, but got {values['evaluation']:g}")
                )
                return
            for column in ("step", "seconds"):
                if column in values and not values[column] >= previous[column] + (column == "step"):
                    text = f"{which}: {column} {values[column]:g} is not above {previous[column]:g} of the evaluation before"
                    self._problems.append(Problem(place, text))
                    return
            previous = values


def _number(column: str, cell: Any) -> float:
    """Raises ValueError with what was expected."""
    if isinstance(cell, str):
        cell = cell.strip()
    if cell is None or cell == "":
        if column in _MAY_BE_UNDEFINED:
            return math.nan
        raise ValueError("expected a number, but the cell is empty")
    try:
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected a number, but got {cell!r}") from None
    if column in _WHOLE and (not math.isfinite(number) or number != int(number) or number < (0 if column == "seed" else 1)):
        raise ValueError(f"expected a whole number from {0 if column == 'seed' else 1} on, but got {cell!r}")
    return number


def _setting(kind: str, cell: Any) -> Any:
    """A hyperparameter of the type that `Configuration` has it in."""
    if kind == "str":
        return str(cell)
    if kind == "bool":
        if str(cell).strip().lower() not in ("true", "false"):
            raise ValueError(f"expected true or false, but got {cell!r}")
        return str(cell).strip().lower() == "true"
    if cell is None or cell == "":
        if "None" in kind:
            return None
        raise ValueError("expected a number, but the cell is empty")
    try:
        number = float(cell)
        return int(number) if kind == "int" and number == int(number) else number
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"expected a number, but got {cell!r}") from None


def _measurement(values: Mapping[str, float]) -> Measurement:
    return Measurement(
        step=int(values["step"]),
        epoch=values.get("epoch", values["evaluation"]),
        dev_score=values["dev_score"],
        dev_loss=values["dev_loss"],
        train_loss=values["train_loss"],
        grad_norm=values.get("grad_norm", 0.0),
        prediction_spread=values.get("prediction_spread", math.nan),
        learning_rate=values.get("learning_rate", math.nan),
        train_seconds=values.get("seconds", values["evaluation"]),
        eval_seconds=0.0,
    )
