"""The Python API, `import blurb_tune as bt`: run a sweep, check one, open what came of it, and compare several.

Everything that is read comes from the event log alone, as plain frozen objects; nothing of it imports torch, Ray or MLflow.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blurb_tune.api.results import ConfigurationResult, TrialResult
from blurb_tune.api.sweep import Sweep, open
from blurb_tune.core.paths import SweepPaths
from blurb_tune.report.comparison import SweepComparison, compare_sweeps, read_sweeps
from blurb_tune.spec import load_spec

if TYPE_CHECKING:
    from blurb_tune.preflight import Plan

__all__ = ["ConfigurationResult", "Sweep", "TrialResult", "compare", "open", "run", "validate"]

Spec = str | Path | Mapping[str, Any]


def validate(spec: Spec, *overrides: str, check_machine: bool = True) -> Plan:
    """Check a spec and everything that it names; what would run. Runs nothing.

    spec: a YAML file, or what one would hold, its paths relative to the working folder. overrides: such as `seeds=10`.
    check_machine: data, weights, GPUs and tracking server too. Raises InputError with everything that is wrong.
    """
    from blurb_tune.preflight import make_plan

    return make_plan(load_spec(_spec(spec), overrides), check_machine=check_machine)


def run(spec: Spec, *overrides: str, output: str | Path | None = None, quiet: bool = True) -> Sweep:
    """Run a sweep to its end, or go on with one that was interrupted, and open it. Only from a process's main thread.

    spec, overrides: as for `validate`. output: the sweep's folder, `runs/<name>-<id>` by default. quiet: without the live
    view; the folder is printed at the end. Raises InputError with everything that is wrong with the spec, and BlurbTuneError
    when the sweep is ended by an error. Ctrl-C stops it as it stops the command: the status is then `interrupted`.
    """
    from rich.console import Console

    from blurb_tune.cli.live import open_view
    from blurb_tune.cli.run import SweepRun
    from blurb_tune.execution.storage_session import storage_session
    from blurb_tune.execution.sweep_folder import check_folder, default_folder

    started = time.monotonic()
    plan = validate(spec, *overrides)
    paths = SweepPaths(Path(output) if output is not None else default_folder(plan))
    console = Console(quiet=quiet)
    with storage_session(plan.spec.storage, paths, None) as keeping, open_view(console, plan.spec.name) as view:
        check_folder(plan, paths)
        sweep = SweepRun(plan, paths, started, console, view, keeping=keeping)
        sweep.run()
    sweep.show(quiet=quiet, as_json=False)
    return open(paths.root)


def compare(folders: Sequence[str | Path]) -> SweepComparison:
    """Several sweeps side by side, as `blurb-tune compare` has them. Raises as `open` does, with every folder that is none."""
    return compare_sweeps(read_sweeps([Path(folder) for folder in folders]))


def _spec(spec: Spec) -> Path | Mapping[str, Any]:
    return spec if isinstance(spec, Mapping) else Path(spec)
