"""How a trial ends: before its last step or at it, and whether it has failed."""

from __future__ import annotations

from collections.abc import Sequence

from blurb_tune.core.numbers import plural
from blurb_tune.core.trial import Measurement, Outcome, TrialReport
from blurb_tune.results.early_stopping import count_stale
from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.training.training_settings import TrainingSettings


def why_stop_early(settings: TrainingSettings, scores: Sequence[float], step: int, last: int) -> str | None:
    """Why a trial ends at `step`, before its `last` one; scores: dev scores of its evaluations so far, oldest first."""
    patience, threshold = settings.early_stopping_patience, settings.early_stopping_threshold
    if patience is None or step == last or count_stale(scores, threshold) < patience:
        return None
    by = f" by more than {threshold:g}" if threshold else ""
    since = plural(patience, "evaluation")
    return f"stopped early at step {step} of {last}: its dev score has not improved{by} for {since}"


def judge_end(settings: TrainingSettings, level: TrivialLevel, last: Measurement, best: Measurement | None) -> TrialReport:
    """Whether a trial has failed, by the evaluation that gives it its score and the train loss there.

    last, best: its last measurement, and the one with the highest dev score; None where all are undefined.
    """
    judged = best if settings.score == "best" and best is not None else last
    if not level.contains(judged.dev_score, judged.train_loss):
        return TrialReport(last, Outcome.COMPLETED)
    when = "ended" if judged is last else f"was at its best, at step {judged.step},"
    score = f"dev {settings.metric} {judged.dev_score:.4f} against {level.score:.4f}"
    noise = f"without skill up to {level.noise_bound:.4f}"
    loss = f"train loss {judged.train_loss:.4g} against {level.loss:.4g}"
    return TrialReport(last, Outcome.COLLAPSED, f"{when} no better than the trivial predictor: {score} ({noise}), {loss}")
