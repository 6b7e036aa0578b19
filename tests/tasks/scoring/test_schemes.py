"""Tags of other schemes are recognised, and those that the scores read are left alone."""

from __future__ import annotations

import pytest

from blurb_tune.tasks.scoring.schemes import other_scheme


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("B-X", "I-X", "L-X", "O", "U-X"), "`E-` for `L-`, `S-` for `U-`"),
        (("O", "U-X"), "`S-` for `U-`"),
        (("B", "I", "L", "O", "U"), "`E` for `L`, `S` for `U`"),
        (("B-X", "E-X", "M-X", "O", "W-X"), "`I-` for `M-`, `S-` for `W-`"),
        (("O", "X-B", "X-I"), "the prefix before the type, such as `B-X` for `X-B`"),
        (("b-x", "i-x", "o"), "`B-` for `b-`, `I-` for `i-`, `O` for `o`"),
        (("B-X", "I-X", "o"), "`O` for `o`"),
        (("0", "B-X", "O"), "`O` for `0`"),
    ],
)
def test_another_scheme_is_told_with_what_to_write(labels: tuple[str, ...], expected: str) -> None:
    assert other_scheme(labels) == f"tags of another scheme: write {expected}"


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
    assert other_scheme(labels) is None
