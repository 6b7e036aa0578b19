"""The Python API, `import blurb_tune as bt`: run a sweep, check one, open what came of it, and compare several.

Everything that is read comes from the event log alone, as plain frozen objects; nothing of it imports torch, Ray or MLflow.
pandas and matplotlib are imported by what returns their objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blurb_tune.api.comparison import Comparison
from blurb_tune.api.results import ConfigurationResult, TrialResult
from blurb_tune.api.sweep import Sweep, open
from blurb_tune.report.comparison import compare_sweeps, read_sweeps
from blurb_tune.spec import load_spec

if TYPE_CHECKING:
    from blurb_tune.cli.run import SweepRun
    from blurb_tune.cli.view import View
    from blurb_tune.preflight import Plan

__all__ = ["Comparison", "ConfigurationResult", "Sweep", "TrialResult", "compare", "open", "run", "validate"]

Spec = str | Path | Mapping[str, Any]


def validate(spec: Spec, *overrides: str, check_machine: bool = True) -> Plan:
    """Check a spec and everything that it names; what would run. Runs nothing.

    spec: a YAML file, or what one would hold, its paths relative to the working folder. overrides: such as `seeds=10`.
    check_machine: data, weights, GPUs and tracking server too. Raises InputError with everything that is wrong, by line of the
    file, or by key path such as `space.strategy[1]`.
    """
    from blurb_tune.preflight import make_plan

    return make_plan(load_spec(_spec(spec), overrides, prefix=""), check_machine=check_machine)


def run(spec: Spec, *overrides: str, output: str | Path | None = None, quiet: bool = False) -> Sweep:
    """Run a sweep to its end, or go on with one that was interrupted, and open it. Only from a process's main thread.

    spec, overrides: as for `validate`. output: the sweep's folder, `runs/<name>-<id>` by default. quiet: nothing is shown
    while it runs; else one line in a notebook, and what the command shows elsewhere, on stderr. Raises InputError with
    everything that is wrong with the spec, and BlurbTuneError when the sweep is ended by an error. Ctrl-C, or a notebook's
    button to interrupt, stops it as it stops the command: the status is then `interrupted`, and the same call goes on. A
    cluster whose head is lost ends the process (exit code 4), as Ray itself would.
    """
    from blurb_tune.api.driving import drive

    given, to = _spec(spec), Path(output) if output is not None else None

    def begin(view: View) -> SweepRun:
        from blurb_tune.cli.run import run_spec

        return run_spec(given, overrides, to, view, prefix="")

    title = str(given.get("name", "sweep")) if isinstance(given, Mapping) else str(given)
    paths, record = drive(title, begin, quiet=quiet)
    return Sweep(paths.root, record)


def compare(folders: Sequence[str | Path]) -> Comparison:
    """Several sweeps side by side, as `blurb-tune compare` has them. Raises as `open` does, with every folder that is none."""
    return Comparison(**vars(compare_sweeps(read_sweeps([Path(folder) for folder in folders]))))


def _spec(spec: Spec) -> Path | Mapping[str, Any]:
    return spec if isinstance(spec, Mapping) else Path(spec)
