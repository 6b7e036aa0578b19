"""`export`: a run of a sweep as a model that others load."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from rich.console import Console

from blurb_tune.cli.program import program
from blurb_tune.core.paths import SweepPaths


def export_command(paths: SweepPaths, to: Path, trial: str | None, *, median: bool, as_json: bool) -> None:
    """Export a run's model, and say which."""
    console = Console(stderr=True)
    with console.status("loading PyTorch") as status:
        from blurb_tune.release.export import export

        done = export(paths, to, trial=trial, median=median, say=status.update)
    if as_json:
        facts = {"folder": str(done.folder), "trial": done.trial, "why": done.why}
        print(
            json.dumps({**facts, "metric": done.metric, "dev_score": done.score, "dev_score_of_folder": done.found}, indent=2)
        )
        return
    print(f"{done.folder}: {done.trial}, {done.why}")
    print(f"On dev it has {done.metric} {done.found:.4f}, as the sweep measured ({done.score:.4f}).")
    print(f"To use it: {program()} predict {shlex.quote(str(done.folder))} FILE --to OUT")
