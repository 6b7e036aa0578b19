"""Learning curves of whole, unstopped runs as files: read, checked, and written from a sweep's log.

A set of curves is a table (CSV or Parquet) with a row for each evaluation of each run, and a JSON file of the same name beside
it that says what the numbers are.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from blurb_tune.core.csv_text import csv_text
from blurb_tune.core.errors import InputError, Problem, did_you_mean, visible
from blurb_tune.core.paths import read_file, write_atomically
from blurb_tune.core.trial import HYPERPARAMETER_NAMES, Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.replay.curve_table import COLUMNS, MORE_COLUMNS, SETTINGS, CurveTable
from blurb_tune.replay.curves import CurveSet
from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.tasks.sources.readers import read_csv, read_parquet

KEYS = ("metric", "trivial_score", "trivial_loss", "reference")
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
    table = CurveTable(rows, problems)
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
    score, bound = about["trivial_score"], about.get("noise_bound")
    level = TrivialLevel(score, score if bound is None else bound, about["trivial_loss"])
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
    rows: list[list[Any]] = [[*COLUMNS, *MORE_COLUMNS, *SETTINGS]]
    for trial in trials:
        configuration = record.configurations[trial.configuration_id].configuration
        values = [configuration.values()[name] for name in HYPERPARAMETER_NAMES]
        for index, m in enumerate(trial.measurements, start=1):
            measured = (m.train_loss, m.dev_loss, m.dev_score, m.epoch, m.learning_rate, m.grad_norm, m.prediction_spread)
            seconds = m.train_seconds + m.eval_seconds
            rounded = [f"{number:.6g}" for number in (*measured, seconds)]
            rows.append([names[trial.configuration_id], trial.seed, index, m.step, *rounded, *values])
    write_atomically(table, csv_text(rows))
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
        value = about.get(key)
        what, is_right = ("text", isinstance(value, str)) if key == "metric" else ("a number", _is_number(value))
        if key not in about:
            problems.append(Problem(str(path), f"lacks {key!r}{_near(key, about)}"))
        elif not is_right:
            problems.append(Problem(str(path), f"{key}: expected {what}, but got {value!r}"))
    bound, score = about.get("noise_bound"), about.get("trivial_score")
    if bound is not None and (not _is_number(bound) or (_is_number(score) and bound < score)):
        problems.append(Problem(str(path), f"noise_bound: expected a number from trivial_score on, but got {bound!r}"))
    return about


def _is_number(value: Any) -> bool:
    """One that is finite; a whole number can be larger than any float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
