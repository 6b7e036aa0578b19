"""What a model's card says of several runs as one model."""

from __future__ import annotations

import math

from blurb_tune.core import numbers
from blurb_tune.core.combination import Method
from blurb_tune.log.events import CombinationTested
from blurb_tune.release.choice import Choice


def short_name(choice: Choice) -> str:
    return choice.combination.method.replace(" ", "-") if choice.combination else choice.trial.trial_id


def origin(choice: Choice) -> str:
    of = choice.combination
    if of is None:
        return f"run `{choice.trial.trial_id}` ({choice.trial.seed_and_fold}), {choice.why}"
    what = "outputs" if of.method == Method.ENSEMBLE else "weights"
    return f"{choice.why}, the mean of the {what} of {', '.join(f'`{name}`' for name in of.members)}"


def beside_single(of: CombinationTested) -> str:
    """How it compares with the best run alone, on the same examples."""
    said = f"On the test split it scores {numbers.score(of.score)}"
    if of.interval and not math.isnan(of.interval[0]):
        said += f" (95 % interval {numbers.interval((of.interval[0], of.interval[1]))})"
    if of.difference_interval and not math.isnan(of.difference):
        bounds = numbers.interval_of_difference((of.difference_interval[0], of.difference_interval[1]))
        said += f", {numbers.difference(of.difference)} ({bounds}) beside the best single run"
    return f"{said}."
