"""When a run is lost on its own merit, whatever other runs do."""

from __future__ import annotations

import math
from collections.abc import Sequence

from blurb_tune.core.trial import Continue, Decision, Measurement, Outcome, Prune
from blurb_tune.results.trivial import TrivialLevel
from blurb_tune.spec.pruning import InstabilitySpec

RULES = ("non_finite_loss", "exploding_gradient", "trivial_level")
_EPSILON = 1e-9


def judge(settings: InstabilitySpec, level: TrivialLevel, history: Sequence[tuple[float, Measurement]]) -> Decision:
    """Apply the rules to a trial's measurements, oldest first, each with the share of the trial's steps behind it (0..1).

    - non_finite_loss: train or dev loss is NaN or infinite (the run diverged).
    - exploding_gradient: mean gradient norm before clipping above the limit, at each evaluation of the window.
    - trivial_level, once `grace` of the steps are done: each evaluation of the window is at the trivial level, so that the run
      would count as failed if it ended here (Mosbach et al. 2021, arXiv 2006.04884), and nothing wakes up: within the window
      neither train nor dev loss reaches a new low, nor the dev score a new high above the trivial predictor's, and the spread
      of the predictions does not grow by the share `waking`.

    The window is the last `window` of the steps, and two evaluations at least: the same curve is judged alike whether it is
    evaluated 10 or 40 times. The last evaluation is never judged, since the run is over then. On 600 real runs (BERT-large on
    RTE, MRPC and STS-B, replicating Zhang et al. 2021, arXiv 2006.05987; MiniLM on BIOSSES and DDI) the rules stop 76 of 93
    that failed, all 70 of BERT-large's at 0.62 of their steps, and 1 of 507 others (benchmarks/decisions.py).
    """
    if not history:
        return Continue()
    progress, last = history[-1]
    if not (math.isfinite(last.train_loss) and math.isfinite(last.dev_loss)):
        losses = f"train loss {last.train_loss:.4g}, dev loss {last.dev_loss:.4g}"
        return Prune(Outcome.DIVERGED, "non_finite_loss", f"the loss is not finite at step {last.step}: {losses}")
    if not settings.enabled or progress >= 1 or len(history) < 2:
        return Continue()
    recent = _window(history, progress - settings.window)
    when = f"at step {last.step}, {len(recent)} evaluations in a row"
    if all(_above(m.grad_norm, settings.exploding_gradient) for m in recent):
        reason = f"mean gradient norm {last.grad_norm:.4g} is above {settings.exploding_gradient:.4g} ({when})"
        return Prune(Outcome.PRUNED_UNSTABLE, "exploding_gradient", reason)
    is_stuck = progress >= settings.grace - _EPSILON and all(level.contains(m.dev_score, m.train_loss) for m in recent)
    earlier = [m for _, m in history[: len(history) - len(recent) + 1]]
    if is_stuck and not _is_waking(settings.waking, level, earlier, recent):
        scores = f"dev score {last.dev_score:.4g} beside the trivial predictor's {level.score:.4g}"
        noise = f" (noise reaches {level.noise_bound:.4g})" if last.dev_score > level.score else ""
        losses = f"train loss {last.train_loss:.4g} beside {level.loss:.4g}"
        return Prune(Outcome.PRUNED_UNSTABLE, "trivial_level", f"{scores}{noise}, {losses} ({when})")
    return Continue()


def can_fire(settings: InstabilitySpec, evaluations: int) -> bool:
    """Whether a run that is evaluated so often, at equal distances, can be stopped as stuck before its end."""
    return settings.enabled and evaluations > 2 and (evaluations - 1) / evaluations >= settings.grace - _EPSILON


def _window(history: Sequence[tuple[float, Measurement]], since: float) -> list[Measurement]:
    """The measurements from `since` on, two at least."""
    first = len(history) - 2
    while first > 0 and history[first - 1][0] >= since - _EPSILON:
        first -= 1
    return [measurement for _, measurement in history[first:]]


def _is_waking(share: float, level: TrivialLevel, earlier: Sequence[Measurement], recent: Sequence[Measurement]) -> bool:
    """Whether the window has something new; its first measurement is the last of the earlier ones.

    That one counts as new where a loss fell by `share` below all before it, and not by chance.
    """
    first, last, before = recent[0], recent[-1], earlier[:-1]
    scores = [m.dev_score for m in earlier if not math.isnan(m.dev_score)]
    return (
        any(min(loss(m) for m in recent) < min(loss(m) for m in earlier) for loss in _LOSSES)
        or any(loss(first) < (1 - share) * min(loss(m) for m in before) for loss in _LOSSES if before)
        or any(m.dev_score > max(scores, default=level.score) and m.dev_score > level.score for m in recent)
        or last.prediction_spread > max(_EPSILON, (1 + share) * first.prediction_spread)
    )


def _train_loss(measurement: Measurement) -> float:
    return measurement.train_loss


def _dev_loss(measurement: Measurement) -> float:
    return measurement.dev_loss


_LOSSES = (_train_loss, _dev_loss)


def _above(value: float, limit: float) -> bool:
    return not math.isfinite(value) or value > limit
