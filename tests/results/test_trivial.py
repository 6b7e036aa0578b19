import math

import pytest

from blurb_tune.results.trivial import TRIVIAL_LOSS_MARGIN, TrivialLevel

LEVEL = TrivialLevel(score=0.6, noise_bound=0.7, loss=2.0)
LEARNED = (1 - TRIVIAL_LOSS_MARGIN) * LEVEL.loss
STUCK = math.nextafter(LEARNED, math.inf)


@pytest.mark.parametrize(
    ("dev_score", "train_loss", "is_trivial"),
    [
        (math.nan, 0.0, True),
        (-math.inf, 0.0, True),
        (0.5, 0.0, True),
        (0.6, 0.0, True),
        (math.nextafter(0.6, 1), LEARNED, False),
        (math.nextafter(0.6, 1), STUCK, True),
        (0.7, LEARNED, False),
        (0.7, STUCK, True),
        (0.7, math.nan, True),
        (0.7, math.inf, True),
        (math.nextafter(0.7, 1), STUCK, False),
        (math.nextafter(0.7, 1), math.nan, False),
    ],
)
def test_the_dev_score_decides_alone_but_within_the_noise(dev_score: float, train_loss: float, is_trivial: bool):
    assert LEVEL.contains(dev_score, train_loss) is is_trivial


def test_without_noise_only_the_score_counts():
    level = TrivialLevel(score=0.5, noise_bound=0.5, loss=1.0)
    assert level.contains(0.5, 0.0)
    assert not level.contains(0.51, 1.0)


@pytest.mark.parametrize("noise_bound", [0.59, math.nan])
def test_a_bound_below_the_score_is_refused(noise_bound: float):
    with pytest.raises(ValueError, match="`noise_bound >= score` must hold, but got"):
        TrivialLevel(score=0.6, noise_bound=noise_bound, loss=1.0)
