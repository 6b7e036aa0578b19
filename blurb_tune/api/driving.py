"""Runs trials from Python: what the commands do, in a script or a notebook, and nothing printed but what is wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from blurb_tune.api.notebook import NotebookView, in_notebook
from blurb_tune.cli.live import stderr_view
from blurb_tune.cli.view import View
from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.execution.forkserver import fork_server
from blurb_tune.log.record import SweepRecord

if TYPE_CHECKING:
    from blurb_tune.cli.run import SweepRun


def drive(title: str, run: Callable[[View], SweepRun], *, quiet: bool) -> tuple[SweepPaths, SweepRecord]:
    """Have `run` run a sweep in an open view, to its end or to a Ctrl-C; where it is, and what has come of it.

    title: of the sweep, as long as no more is known of it. quiet: nothing is shown. Raises BlurbTuneError where the sweep
    ended by one, and outside of the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise BlurbTuneError("a sweep runs in the main thread of a process, where a Ctrl-C reaches it")
    with fork_server(), _view(title, quiet=quiet) as view:
        done = run(view)
    record = SweepRecord.read(done.paths.events)
    done.conclude(record)
    return done.paths, record


def _view(title: str, *, quiet: bool) -> View:
    """One line in a notebook, else what the commands show, on stderr: a script's output is its own."""
    if quiet:
        return View()
    return NotebookView(title) if in_notebook() else stderr_view(title)
