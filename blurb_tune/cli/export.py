"""`export`: runs of a sweep as a model that others load."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from blurb_tune.cli.program import program
from blurb_tune.cli.sweep_files import write_everything
from blurb_tune.core import numbers
from blurb_tune.core.combination import Method
from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log.events import CombinationTested
from blurb_tune.log.record import SweepRecord
from blurb_tune.release.onward import Onward
from blurb_tune.report.summary import combination_facts, strict

if TYPE_CHECKING:
    from blurb_tune.release.export import Exported


def export_command(
    paths: SweepPaths, to: Path, trial: str | None, *, median: bool, method: Method, onward: Onward, as_json: bool
) -> None:
    """Export a model, send it on, and say which it is. What several runs are worth as one goes into the sweep's report."""
    console = Console(stderr=True)
    with console.status("loading PyTorch") as status:

        def say(words: str) -> None:
            status.update(Text(words))

        onward.check()
        from blurb_tune.release.export import export

        done = export(
            paths,
            to,
            trial=trial,
            median=median,
            method=method,
            onnx=onward.onnx,
            again=onward.leaves,
            say=say,
        )
        if done.combination is not None:
            say("writing the report")
            for fault in write_everything(SweepRecord.read(paths.events), paths):
                print(fault, file=sys.stderr)
        try:
            sent = onward.send(paths, done, say)
        except BlurbTuneError as error:
            raise BlurbTuneError(f"{error}:\n  {_command(paths, done, method, onward)}") from None
    if as_json:
        facts = {"folder": str(done.folder), "trial": done.trial, "why": done.why}
        scores = {"metric": done.metric, "dev_score": done.score, "dev_score_of_folder": done.found}
        of = combination_facts(done.combination) if done.combination else None
        print(json.dumps(strict(facts | scores | ({"combination": of} if of else {}) | sent), indent=2))
        return
    print(f"{done.folder}: {done.trial}, {done.why}")
    if done.found is None:
        print("It was there already, and was left as it is.")
    else:
        measured = "when it was decided it had" if done.combination else "the sweep measured"
        print(f"On dev it has {done.metric} {done.found:.4f}; {measured} {done.score:.4f}.")
    if done.combination is not None and done.combination.examples:
        print(_beside_single(done.combination))
    for said in sent.values():
        print(f"It is {said}.")
    print(f"To use it: {program()} predict {shlex.quote(str(done.folder))} FILE --to OUT")


def _command(paths: SweepPaths, done: Exported, method: Method, onward: Onward) -> str:
    """What goes on from the folder, to copy."""
    of = {
        Method.SINGLE: ["--trial", done.trial],
        Method.GREEDY_SOUP: ["--soup", "greedy"],
        Method.UNIFORM_SOUP: ["--soup", "uniform"],
        Method.ENSEMBLE: ["--ensemble"],
    }[method]
    to = [*(["--onnx"] if onward.onnx else []), *(["--register", onward.register] if onward.register else [])]
    to += ["--push", onward.push] if onward.push else []
    return f"{program()} {shlex.join(['export', str(paths.root), *of, '--to', str(done.folder), *to])}"


def _beside_single(of: CombinationTested) -> str:
    low, high = of.difference_interval or (float("nan"),) * 2
    by = f"{numbers.difference(of.difference)} ({numbers.interval_of_difference((low, high))})"
    return f"On the test split {numbers.score(of.score)}, {by} beside the best single run; the sweep's report has all of it."
