"""docs/examples/python_api.py, run as it stands: a real sweep from Python, which then grows."""

from __future__ import annotations

import io
import os
import runpy
import signal
import threading
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import blurb_tune as bt
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log.event_log import find_events
from blurb_tune.log.events import TrialStarted

EXAMPLE = Path(__file__).parent.parent.parent / "docs" / "examples" / "python_api.py"


@pytest.mark.ray
@pytest.mark.slow
def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    with redirect_stdout(io.StringIO()) as printed:
        names = runpy.run_path(str(EXAMPLE))
    text, first, sweep = printed.getvalue(), names["trials"], names["sweep"]
    assert "seeds: " in text
    assert "did you mean 'reinit_count'" in text
    assert "4 trials" in text
    assert "Larger plan: 2 to 3 seeds of each configuration" not in text, "what is shown on the way is no output of a script"
    assert (tmp_path / "seeds.pdf").read_bytes().startswith(b"%PDF")
    assert sweep.folder.parent == Path("runs")
    grown = sweep.trials_dataframe()
    assert (sweep.status, len(first), len(grown)) == ("finished", 4, 6)
    assert grown["outcome"].notna().all()
    assert grown.head(4)["dev_score"].tolist() == first["dev_score"].tolist()
    assert bt.open(sweep.folder).trials == sweep.trials


@pytest.mark.ray
@pytest.mark.slow
def test_a_ctrl_c_stops_a_sweep_and_raises_nothing(tmp_path: Path) -> None:
    paths, before = SweepPaths(tmp_path / "run"), signal.getsignal(signal.SIGINT)

    def press() -> None:
        while not (paths.events.exists() and find_events(paths.events, TrialStarted)):
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press, daemon=True)
    presser.start()
    sweep = bt.run({"task": "demo", "model": "tiny", "seeds": 20, "space": {"epochs": 20}}, output=paths.root, quiet=True)
    presser.join()
    assert (sweep.status, sweep.winner) == ("interrupted", None)
    assert 0 < len(sweep.trials) < 20
    assert signal.getsignal(signal.SIGINT) is before
    assert paths.report.exists()


def test_the_page_shows_the_example() -> None:
    page = EXAMPLE.parent.parent / "python-api.md"
    assert f"```{{literalinclude}} {EXAMPLE.relative_to(page.parent)}" in page.read_text(encoding="utf-8")
