"""`score`: the BLURB score of a table of results."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from blurb_tune.core.errors import ExitCode
from blurb_tune.tasks.blurb.score import BlurbScore, blurb_score, of_type, read_scores


def score_command(file: Path, *, as_json: bool) -> ExitCode:
    """Print the BLURB score of the results in `file`. Returns the exit code: FAILED while a data set is missing."""
    scores = read_scores(file)
    if max(scores.values()) <= 1:
        print(f"warning: no score in {file} is above 1; scores are in percent, 84.5 and not 0.845", file=sys.stderr)
    result = blurb_score(scores)
    if as_json:
        print(json.dumps(_plain(result), indent=2, allow_nan=False))
    else:
        console = Console(highlight=False, soft_wrap=True)
        console.print(_table(result))
        console.print(f"\n{_total(result)}")
    return ExitCode.FAILED if result.missing else ExitCode.DONE


def _table(result: BlurbScore) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("type", "data set", "metric"):
        table.add_column(name, no_wrap=True)
    for name in ("score", "mean"):
        table.add_column(name, justify="right", no_wrap=True)
    for kind, mean in result.means.items():
        for index, task in enumerate(of_type(kind)):
            score = _percent(result.scores.get(task.name, math.nan))
            is_first = index == 0
            table.add_row(kind if is_first else "", task.name, task.metric, score, _percent(mean) if is_first else "")
    return table


def _total(result: BlurbScore) -> str:
    if result.missing:
        return f"No BLURB score: {', '.join(result.missing)} {'is' if len(result.missing) == 1 else 'are'} missing."
    return f"BLURB score, the mean of the {len(result.means)} means: {_percent(result.total)}"


def _percent(number: float) -> str:
    return "-" if math.isnan(number) else f"{number:.2f}"


def _plain(result: BlurbScore) -> dict[str, object]:
    means = {name: None if math.isnan(mean) else mean for name, mean in result.means.items()}
    total = None if result.missing else result.total
    return {"blurb_score": total, "means": means, "scores": dict(result.scores), "missing": list(result.missing)}
