from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.core.trial import Measurement
from blurb_tune.log import events as ev
from blurb_tune.log.lines import from_line, to_line

NUMBERS = st.floats(allow_nan=False)
PRINTABLE = st.characters(exclude_categories=("Cc", "Cs"))


@st.composite
def measured(draw: st.DrawFn) -> ev.Measured:
    names = ("epoch", "dev_score", "dev_loss", "train_loss", "grad_norm", "prediction_spread", "learning_rate")
    values = {name: draw(NUMBERS) for name in names} | {"dev_score": draw(st.floats(allow_nan=False, allow_infinity=False))}
    extra = draw(st.dictionaries(st.text(PRINTABLE, min_size=1), NUMBERS, max_size=3))
    measurement = Measurement(step=draw(st.integers(0, 10**9)), **values, train_seconds=1.0, eval_seconds=2.0, extra=extra)
    return ev.Measured(trial=draw(st.text(PRINTABLE)), measurement=measurement, time=draw(st.floats(0, 1e10)))


@given(measured())
def test_an_event_survives_the_round_trip(event: ev.Measured) -> None:
    line = to_line(event)
    assert "\n" not in line
    assert from_line(line) == event
    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_undefined_numbers_survive_the_round_trip() -> None:
    measurement = Measurement(1, 1.0, math.nan, math.inf, -math.inf, 0.0, 0.0, 0.0, 0.0, 0.0)
    event = from_line(to_line(ev.Measured(trial="t", measurement=measurement)))
    assert isinstance(event, ev.Measured)
    assert math.isnan(event.measurement.dev_score)
    assert (event.measurement.dev_loss, event.measurement.train_loss) == (math.inf, -math.inf)


def test_a_log_from_before_there_were_several_models_is_read() -> None:
    started = ev.SweepStarted(
        sweep_id="s-1", name="s", spec_digest="d", task="demo", metric="pearson", models={"minilm": 6}, objective="mean",
        score="final", seeds=[0], configurations=1, trivial_score=0.0, slots=1, versions={}, time=1.0,
        trivial_loss=1.0, noise_bound=0.1,
    )  # fmt: skip
    older = json.loads(to_line(started))
    del older["models"], older["folds"], older["notes"], older["crc"]
    assert from_line(json.dumps(older | {"model": "minilm", "blocks": 6})) == started


@pytest.mark.parametrize("position", range(0, 400, 7))
def test_a_flipped_bit_anywhere_in_a_line_is_noticed_or_changes_nothing(position: int) -> None:
    measurement = Measurement(1, 1.0, 0.8123, 0.5, 0.25, 1.0, 0.9, 2e-5, 1.0, 2.0, extra={"spearman": 0.7})
    event = ev.Measured(trial="c000-s1", measurement=measurement, time=5.0)
    line = to_line(event).encode()
    place = position % len(line)
    for bit in range(8):
        damaged = line[:place] + bytes([line[place] ^ 1 << bit]) + line[place + 1 :]
        try:
            read = from_line(damaged.decode())
        except ValueError:
            continue
        assert read == event
