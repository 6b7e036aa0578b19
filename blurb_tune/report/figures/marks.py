"""How trials are drawn: a shape for each way to end, so that color alone tells nothing."""

from __future__ import annotations

from blurb_tune.core.trial import Outcome
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.report.figures import svg

_SHAPES = {"failed": "m-3.2-3.2l6.4 6.4m0-6.4l-6.4 6.4", "stopped": "m0-5v10", "errored": "m-3.5 3.2h7l-3.5-6.4z"}
_FOLD_SHAPES = {"failed": "m-2-2l4 4m0-4l-4 4", "stopped": "m0-3v6", "errored": "m-2.4 2.2h4.8l-2.4-4.4z"}
KINDS = {
    "completed": "completed",
    "failed": "failed",
    "stopped": "stopped with its configuration",
    "errored": "errored: no result",
}


def kind_of(outcome: Outcome | None) -> str:
    """`completed`, `failed`, `stopped` (with its configuration: censored) or `errored`, the class of the mark.

    Raises ValueError for a trial that has not ended.
    """
    match outcome:
        case None:
            raise ValueError("a trial that has not ended has no mark")
        case Outcome.COMPLETED:
            return "completed"
        case Outcome.PRUNED_UNDERPERFORMING:
            return "stopped"
        case Outcome.ERRORED:
            return "errored"
        case _:
            return "failed"


def trial_mark(trial: TrialRecord, x: float, y: float, *, is_fold: bool = False, **data: object) -> str:
    """The mark of an ended trial at a point; smaller for a fold of a cross-validation."""
    kind = kind_of(trial.outcome)
    return _mark(kind, x, y, f"trial {kind}" + (" fold" if is_fold else ""), is_fold, data_trial=trial.trial_id, **data)


def shape(kind: str) -> str:
    """The path of a mark that is no dot, from its center on."""
    return _SHAPES[kind]


def sign(kind: str) -> str:
    """A mark as a legend shows it, about (0, 0)."""
    return _mark(kind, 0, 0, kind, False)


def _mark(kind: str, x: float, y: float, class_: str, is_fold: bool, **data: object) -> str:
    if kind == "completed":
        return svg.element("circle", cx=x, cy=y, r=2 if is_fold else 3.6, class_=class_, **data)
    shape = (_FOLD_SHAPES if is_fold else _SHAPES)[kind]
    return svg.element("path", d=f"M{svg.number(x)} {svg.number(y)}{shape}", class_=class_, **data)


def diamond(x: float, y: float, class_: str = "mean") -> str:
    return svg.element("path", d=f"M{svg.number(x)} {svg.number(y)}m0-5l5 5l-5 5l-5-5z", class_=class_)
