"""The ended configurations that others have to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from blurb_tune.log.trial_record import ConfigurationRecord
from blurb_tune.results.groups import GroupResult

if TYPE_CHECKING:
    from blurb_tune.log.record import SweepRecord


class Leaders:
    """The best of all ended configurations, under None, and by model the best vanilla one.

    Kept as configurations end; all are compared again only where one that led is at work again.
    """

    def __init__(self, record: SweepRecord):
        self._record = record
        self._leaders: dict[str | None, GroupResult] | None = {}

    def current(self) -> Mapping[str | None, GroupResult]:
        if self._leaders is None:
            self._leaders = {}
            for configuration in self._record.configurations.values():
                if configuration.state is not None:
                    self._compete(self._leaders, configuration)
        return self._leaders

    def on_end(self, configuration: ConfigurationRecord) -> None:
        if self._leaders is not None:
            self._compete(self._leaders, configuration)

    def on_reopening(self, configuration: ConfigurationRecord) -> None:
        names = () if self._leaders is None else [leader.name for leader in self._leaders.values()]
        if configuration.configuration_id in names:
            self._leaders = None

    def on_extension(self) -> None:
        self._leaders = None

    def _compete(self, leaders: dict[str | None, GroupResult], configuration: ConfigurationRecord) -> None:
        """Put it in the place of the best of all, and of the best vanilla one of its model, if it is better."""
        record, model = self._record, configuration.configuration.model
        result = record.result_of(configuration.configuration_id)
        for place in (None, model) if configuration.configuration.strategy.is_vanilla else (None,):
            rivals = [leaders[place], result] if place in leaders else [result]
            best = record.best_among(sorted(rivals, key=lambda rival: record.configurations[rival.name].number))
            if best is not None:
                leaders[place] = best
