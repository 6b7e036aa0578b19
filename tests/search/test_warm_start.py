"""What earlier sweeps tell a sampler, by real logs of sweeps on simulated time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.trial import Configuration, Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.event_log import read_events
from blurb_tune.replay.simulator import MemoryLog, simulate
from blurb_tune.search.combinations import holds
from blurb_tune.search.warm_start import read_earlier
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.spec.space import SpaceSpec
from blurb_tune.sweep.sweep import Sweep
from tests.search.test_samplers import values_of
from tests.sweep.simulation import FACTS, open_log, report

BLOCKS = {"tiny": 6}
SPACE: dict[str, Any] = {"reinit_count": [0, 1, 2], "learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}, "epochs": 5}


def spec_of(configurations: int = 12, space: dict[str, Any] = SPACE, **settings: Any) -> SweepSpec:
    search = {"configurations": configurations, **settings.pop("search", {})}
    data = {"name": "s", "task": "demo", "model": "tiny", "seeds": 2, "space": space, "search": search, "objective": "mean"}
    return SweepSpec.model_validate(data | settings)


def behave(trial: Any) -> Any:
    (mean,) = values_of(trial.configuration, "mean")
    yield 1.0, report(5, mean + 0.01 * (-1) ** trial.seed, outcome=Outcome.COMPLETED)


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    folder = tmp_path / "earlier"
    folder.mkdir()
    spec = spec_of()
    with open_log(SweepPaths(folder), spec, folds=0) as log:
        sweep = Sweep(spec, FACTS, log, [event for event, _ in read_events(SweepPaths(folder).events)])
        simulate(sweep, behave)
    return folder


def run(spec: SweepSpec, configurations: list[dict[str, Any]], past: list[ev.Event] | None = None) -> MemoryLog:
    header = ev.SweepStarted(
        sweep_id="s-2", name="s", spec_digest="d", task="t", metric="pearson", models=BLOCKS, objective="mean", score="final",
        seeds=spec.seeds, configurations=spec.search.configurations, trivial_score=0.0, slots=1, versions={},
    )  # fmt: skip
    log = MemoryLog(past or [header, ev.WarmStarted(configurations=configurations)])
    simulate(Sweep(spec, FACTS, log, list(log.events)), behave)
    return log


def suggested(log: MemoryLog) -> list[dict[str, Any]]:
    return [event.values for event in log.events if isinstance(event, ev.ConfigurationSuggested)]


def test_results_are_read_by_this_sweeps_rule_and_space(earlier: Path) -> None:
    found = read_earlier(earlier, spec_of(), BLOCKS, "pearson")
    assert len(found.configurations) == found.of == 12
    for of in found.configurations:
        assert of["objectives"] == pytest.approx(values_of(Configuration(**of["values"]), "mean"))
        assert of["failed_share"] == 0.0
    pareto = read_earlier(earlier, spec_of(objective="pareto"), BLOCKS, "pearson")
    assert pareto.configurations[0]["objectives"][1] == pytest.approx(0.01 * 2**0.5)
    narrow = read_earlier(earlier, spec_of(space=SPACE | {"reinit_count": 1}), BLOCKS, "pearson")
    assert 0 < len(narrow.configurations) < narrow.of == 12
    assert all(of["values"]["reinit_count"] == 1 for of in narrow.configurations)
    assert read_earlier(earlier, spec_of(space=SPACE | {"epochs": 6}), BLOCKS, "pearson").configurations == ()


def test_what_is_no_earlier_sweep_of_this_kind_is_refused(earlier: Path, tmp_path: Path) -> None:
    with pytest.raises(BlurbTuneError, match="whose metric is 'pearson', not 'accuracy'"):
        read_earlier(earlier, spec_of(), BLOCKS, "accuracy")
    with pytest.raises(BlurbTuneError, match=r"no sweep's folder; expected one with events\.jsonl"):
        read_earlier(tmp_path, spec_of(), BLOCKS, "pearson")
    (tmp_path / "events.jsonl").touch()
    with pytest.raises(BlurbTuneError, match="has not begun"):
        read_earlier(tmp_path, spec_of(), BLOCKS, "pearson")


def test_a_warm_search_begins_where_the_earlier_one_has_led_and_resumes_alike(earlier: Path) -> None:
    spec = spec_of(8, search={"vanilla_first": False})
    known = list(read_earlier(earlier, spec, BLOCKS, "pearson").configurations)
    warm, cold = run(spec, known), run(spec, [])

    def quality(log: MemoryLog) -> float:
        return float(np.mean([values_of(Configuration(**values), "mean")[0] for values in suggested(log)]))

    assert quality(warm) > quality(cold) + 0.1
    assert len(suggested(warm)) == 8, "the earlier ones are not counted"
    for cut in range(2, len(warm.events), 4):
        again = run(spec, known, list(warm.events[:cut]))
        assert suggested(again) == suggested(warm)


def test_whether_a_configuration_lies_in_a_space() -> None:
    space = SpaceSpec.model_validate(SPACE | {"max_grad_norm": [None, 1.0]})
    inside = Configuration(model="tiny", reinit_count=1, learning_rate=1e-4, epochs=5)
    assert holds(space, BLOCKS, inside)
    for name, value in {"model": "other", "reinit_count": 3, "learning_rate": 1e-2, "epochs": 6, "freeze_depth": 1}.items():
        assert not holds(space, BLOCKS, Configuration(**{**inside.values(), name: value}))
    listed = SpaceSpec.model_validate({"strategy": ["vanilla", {"reinit_count": 1}], "learning_rate": 1e-4, "epochs": 5})
    assert holds(listed, BLOCKS, inside)
    assert not holds(listed, BLOCKS, Configuration(**{**inside.values(), "reinit_count": 2}))
    assert not holds(listed, {"tiny": 0}, inside)
