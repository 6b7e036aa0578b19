"""How a sweep's end becomes an exit code, on event logs without Ray. `test_app` runs real sweeps."""

from __future__ import annotations

import pytest

from blurb_tune.cli.run import _exit_code
from blurb_tune.errors import ExitCode
from blurb_tune.record import SweepRecord
from blurb_tune.trial import Outcome
from tests.report.sweeps import SweepWriter


def finished(*, outcome: Outcome = Outcome.COMPLETED, error: str = "", status: str = "finished") -> SweepRecord:
    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    name = sweep.configuration("c000")
    trials = [sweep.trial(name, 0, [0.5]), sweep.trial(name, 1, [0.5], outcome, reason="why")]
    sweep.end_configuration(name)
    sweep.select(name, None)
    sweep.test(trials[0], 0.4, error=error)
    return sweep.finish(status)


def test_a_sweep_that_is_through_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(finished()) is ExitCode.DONE
    assert _exit_code(finished(outcome=Outcome.COLLAPSED)) is ExitCode.DONE, "a failed run is a result"
    assert _exit_code(finished(status="interrupted")) is ExitCode.INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_trials_without_a_result_and_models_that_could_not_be_tested_are_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(finished(outcome=Outcome.ERRORED)) is ExitCode.FAILED
    assert "c000-s1: why" in capsys.readouterr().err
    assert _exit_code(finished(error="the weights of c000-s0 cannot be read")) is ExitCode.FAILED
    assert "c000-s0: the weights of c000-s0 cannot be read" in capsys.readouterr().err
