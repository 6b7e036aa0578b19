"""What the record keeps as it goes is what one would count anew after every event."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from tests.report.sweeps import SweepWriter, sweeps


@settings(max_examples=60, deadline=None)
@given(sweeps(most_actions=60))
def test_counters_and_leaders_are_those_of_a_count_from_scratch(sweep: SweepWriter) -> None:
    record = SweepRecord()
    for event in sweep.events:
        record.apply(event)
        final = [t for t in record.trials.values() if t.is_final]
        assert record.outcome_counts() == {str(o): sum(t.outcome is o for t in final) for o in Outcome}
        took = [t.ended - t.started for t in final if t.ended is not None and t.outcome is not Outcome.ERRORED]
        assert record.seconds_of_ended_trials() == (pytest.approx(sum(took)), len(took))
        ended = {name for name, c in record.configurations.items() if c.state is not None}
        assert set(record.open_configurations) == set(record.configurations) - ended
        assert record.trials_of_ended_configurations == sum(t.configuration_id in ended for t in record.trials.values())
        best = record.best_of([name for name in record.configurations if name in ended])
        assert (record.leader and record.leader.objective) == (best and best.objective)
        assert (record.leader and record.leader.excess) == (best and best.excess)
