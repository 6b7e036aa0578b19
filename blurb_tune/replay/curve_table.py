"""The table of a set of curves: its columns, and its rows checked and sorted into runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from blurb_tune.core.errors import Problem, visible
from blurb_tune.core.trial import HYPERPARAMETER_NAMES, STRATEGY_NAMES, Configuration, Measurement
from blurb_tune.replay.curves import Run

COLUMNS = ("configuration", "seed", "evaluation", "step", "train_loss", "dev_loss", "dev_score")
MORE_COLUMNS = ("epoch", "learning_rate", "grad_norm", "prediction_spread", "seconds")
# The column `learning_rate` is that of an evaluation.
SETTINGS = {("peak_learning_rate" if name == "learning_rate" else name): name for name in HYPERPARAMETER_NAMES}
_WHOLE = frozenset({"seed", "evaluation", "step"})
_MAY_BE_UNDEFINED = frozenset({"train_loss", "dev_loss", "dev_score", *MORE_COLUMNS})
_TYPES = {field.name: str(field.type) for field in fields(Configuration)}


class CurveTable:
    """The rows of a table, each with its file and line, sorted into runs; what is wrong with them is added to `problems`.

    runs: by configuration and seed the rows of a run, oldest first. names: of all configurations, also of faulty rows.
    """

    def __init__(self, rows: Sequence[tuple[str, Mapping[str, Any]]], problems: list[Problem]):
        self._problems = problems
        self.runs: dict[str, dict[int, list[tuple[str, dict[str, float]]]]] = {}
        self.names: set[str] = set()
        self._settings: dict[str, dict[str, Any]] = {}
        given = rows[0][1] if rows else {}
        self._columns = [name for name in (*COLUMNS[1:], *MORE_COLUMNS) if name in given]
        self._hyperparameters = {c: _TYPES[name] for c, name in SETTINGS.items() if c in given}
        for location, row in rows:
            self._add(location, row)
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

    def _add(self, location: str, row: Mapping[str, Any]) -> None:
        name = visible(str(row["configuration"] or "").strip())
        if not name:
            self._problems.append(Problem(location, "configuration: expected a name"))
            return
        self.names.add(name)
        values, faults = {}, []
        for column in self._columns:
            try:
                values[column] = _number(column, row[column])
            except ValueError as error:
                faults.append(Problem(location, f"{column}: {error}"))
        settings = {}
        for column, kind in self._hyperparameters.items():
            try:
                settings[SETTINGS[column]] = _setting(kind, row[column])
            except ValueError as error:
                faults.append(Problem(location, f"{column}: {error}"))
        self._problems += faults
        if faults:
            return
        before = self._settings.setdefault(name, settings)
        if before != settings:
            changed = next(key for key in settings if settings[key] != before[key])
            what = f"{changed} is {settings[changed]!r} here and {before[changed]!r} in earlier rows of {name!r}"
            self._problems.append(Problem(location, what))
        self.runs.setdefault(name, {}).setdefault(int(values["seed"]), []).append((location, values))

    def _check(self, name: str, seed: int, run: list[tuple[str, dict[str, float]]]) -> None:
        run.sort(key=lambda item: item[1]["evaluation"])
        previous: dict[str, float] = {"step": 0, "seconds": 0.0}
        for index, (location, values) in enumerate(run, start=1):
            which = f"{name!r}, seed {seed}"
            if values["evaluation"] != index:
                self._problems.append(
                    Problem(location, f"{which}: expected evaluation {index}, but got {values['evaluation']:g}")
                )
                return
            for column in ("step", "seconds"):
                if column in values and not values[column] >= previous[column] + (column == "step"):
                    text = f"{which}: {column} {values[column]:g} is not above {previous[column]:g} of the evaluation before"
                    self._problems.append(Problem(location, text))
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
