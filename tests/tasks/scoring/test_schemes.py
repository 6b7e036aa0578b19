"""Tags of other schemes are recognized, and those that the scores read are left alone."""

from __future__ import annotations

import pytest

from blurb_tune.tasks.scoring.schemes import in_iobes


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("B-X", "I-X", "L-X", "O", "U-X"), {"L-X": "E-X", "U-X": "S-X"}),
        (("O", "U-X"), {"U-X": "S-X"}),
        (("B", "I", "L", "O", "U"), {"L": "E", "U": "S"}),
        (("B-X", "E-X", "M-X", "O", "W-X"), {"M-X": "I-X", "W-X": "S-X"}),
        (("O", "X-B", "X-I", "X-L"), {"X-B": "B-X", "X-I": "I-X", "X-L": "E-X"}),
        (("b-x", "i-x", "l-x", "o"), {"b-x": "B-x", "i-x": "I-x", "l-x": "E-x", "o": "O"}),
        (("B-X", "I-X", "o"), {"o": "O"}),
        (("0", "B-X", "O"), {"0": "O"}),
    ],
)
def test_another_scheme_is_read_as_what_it_says(labels: tuple[str, ...], expected: dict[str, str]) -> None:
    assert in_iobes(labels) == expected


@pytest.mark.parametrize(
    "labels",
    [
        ("B-X", "I-X", "O"),
        ("B-X", "E-X", "I-X", "O", "S-X"),
        ("B", "I", "O"),
        ("I-X", "O"),
        ("O", "X", "Y"),
        ("B-M", "I-M", "O"),
        ("B-hepatitis-B", "I-hepatitis-B", "O"),
        ("M-phase", "O", "W-phase"),
        ("O", "e-cigarette", "s-protein"),
        ("0", "1", "2"),
        ("B", "L", "O"),
        ("O",),
        (),
    ],
)
def test_what_the_scores_read_is_left_alone(labels: tuple[str, ...]) -> None:
    assert in_iobes(labels) == {}
