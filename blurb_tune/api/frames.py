"""A sweep's tables as data frames of pandas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from blurb_tune.core.trial import Measurement
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.comparison import SweepComparison
from blurb_tune.report.comparison.plain_data import QUOTED_COLUMNS, quoted_rows
from blurb_tune.report.result_files import CONFIGURATION_COLUMNS, TRIAL_COLUMNS, configuration_rows, trial_rows

if TYPE_CHECKING:
    from pandas import DataFrame

_MEASURED = tuple(field.name for field in fields(Measurement) if field.name != "extra")
_MEASUREMENT_COLUMNS = ("trial_id", "configuration", "seed", "fold", *_MEASURED)


def trials_frame(record: SweepRecord) -> DataFrame:
    return _frame(trial_rows(record), TRIAL_COLUMNS)


def configurations_frame(record: SweepRecord) -> DataFrame:
    return _frame(configuration_rows(record), CONFIGURATION_COLUMNS)


def measurements_frame(record: SweepRecord) -> DataFrame:
    rows = list(_measurement_rows(record))
    more = dict.fromkeys(name for row in rows for name in row if name not in _MEASUREMENT_COLUMNS)
    return _frame(rows, (*_MEASUREMENT_COLUMNS, *more))


def comparison_frame(comparison: SweepComparison) -> DataFrame:
    return _frame(quoted_rows(comparison), QUOTED_COLUMNS)


def _measurement_rows(record: SweepRecord) -> Iterator[dict[str, Any]]:
    for trial in record.trials.values():
        of = {"trial_id": trial.trial_id, "configuration": trial.configuration_id, "seed": trial.seed, "fold": trial.fold}
        for measurement in trial.measurements:
            measured = {name: getattr(measurement, name) for name in _MEASURED}
            others = {f"dev_{name}": value for name, value in measurement.extra.items() if name != record.header.metric}
            yield {**of, **measured, **others}


def _frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> DataFrame:
    """A row each. What is unknown or undefined is missing; a column without any value is one of floats."""
    from pandas import DataFrame

    frame = DataFrame(list(rows), columns=list(columns))
    types = {name: "float64" for name in columns if frame[name].isna().all()}
    return frame.astype(types | ({"fold": "Int64"} if "fold" in columns else {}))
