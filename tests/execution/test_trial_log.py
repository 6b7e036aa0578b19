"""What the process of a trial logs is kept, each trial's for itself."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from blurb_tune.core.storage import FolderStorage
from blurb_tune.execution import actor
from blurb_tune.execution.trial_log import TrialLog


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TrialLog]:
    """As a process of its own has it; the loggers of this one are left as they were."""
    ours, theirs = logging.getLogger("blurb_tune"), logging.getLogger("transformers")
    level, propagates = ours.level, theirs.propagate
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        made = TrialLog(FolderStorage(tmp_path))
        yield made
        logging.captureWarnings(False)
    logging.getLogger().removeHandler(made)
    ours.setLevel(level)
    theirs.propagate = propagates


def test_each_trial_has_what_was_logged_while_it_ran(
    log: TrialLog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log.begin("c0-s0")
    logging.getLogger(actor.__name__).info("step %d", 3)
    logging.getLogger("transformers").warning("a config of another version")
    logging.getLogger("transformers").info("loading")
    logging.getLogger(actor.__name__).debug("nothing")
    warnings.warn("a kernel that is slow", stacklevel=1)
    log.begin("c0-s1")
    logging.getLogger("blurb_tune.tasks.encoding.cache").warning("no room")
    log.flush()
    first, second = ((tmp_path / f"c0-s{seed}.log").read_text() for seed in (0, 1))
    assert [line.split(" ", 2)[2] for line in first.splitlines()[:2]] == ["step 3", "a config of another version"]
    assert "UserWarning: a kernel that is slow" in first
    assert "loading" not in first
    assert "nothing" not in first
    assert second.splitlines()[0].endswith(" no room")
    assert "step 3" in capsys.readouterr().out, "and on the output, for Ray's own log"
