"""Scales, text, swarms and colors: what all figures are made of."""

from __future__ import annotations

import itertools
import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.report.figures import svg
from blurb_tune.report.figures.axes import legend
from blurb_tune.report.figures.dimension import dimension
from blurb_tune.report.figures.palette import DARK, LIGHT, PALETTE_CSS, SERIES, resolved_css
from blurb_tune.report.figures.scale import Scale, covering, short
from blurb_tune.report.figures.swarm import swarm
from blurb_tune.report.figures.words import duration

FINITE = st.floats(-1e9, 1e9)
TEXT = st.text(max_size=80)


@given(st.lists(FINITE, max_size=8), st.floats(0, 1))
def test_a_scale_holds_all_values_and_can_be_inverted(values: list[float], share: float) -> None:
    scale = covering(values, 50.0, 650.0)
    assert all(50 <= scale(value) <= 650 for value in values)
    x = 50 + 600 * share
    assert scale(scale.invert(x)) == pytest.approx(x, abs=1e-6)


@given(st.lists(st.floats(1e-8, 1e8), min_size=1, max_size=8))
def test_a_logarithmic_scale_too(values: list[float]) -> None:
    scale = covering(values, 0.0, 100.0, is_log=True)
    assert all(-1e-9 <= scale(value) <= 100 + 1e-9 for value in values)
    assert scale.invert(scale(values[0])) == pytest.approx(values[0])


@given(FINITE, st.floats(1e-3, 1e9), st.integers(2, 8))
def test_ticks_lie_within_are_few_and_their_labels_differ(low: float, size: float, count: int) -> None:
    scale = Scale(low, low + size, 0.0, 1.0)
    ticks = scale.ticks(count)
    assert 1 <= len(ticks) <= 2 * count + 2
    assert all(low - 1e-6 * size <= tick <= low + size * (1 + 1e-6) for tick in ticks)
    if size > 1e-5 * abs(low):
        labels = scale.labels(ticks)
        assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-0.6, 0.6, ["\u22120.50", "\u22120.25", "0.00", "0.25", "0.50"]),
        (0.0, 40.0, ["0", "10", "20", "30", "40"]),
        (0.0, 5e-4, ["0", "1e-4", "2e-4", "3e-4", "4e-4", "5e-4"]),
    ],
)
def test_ticks_are_round_numbers_with_the_decimals_that_they_need(low: float, high: float, labels: list[str]) -> None:
    scale = Scale(low, high, 0.0, 1.0)
    assert scale.labels(scale.ticks(5)) == labels


def test_the_ticks_of_a_logarithmic_scale() -> None:
    scale = Scale(8e-6, 2.4e-4, 0.0, 1.0, is_log=True)
    assert scale.labels(scale.ticks(4)) == ["1e-5", "3e-5", "1e-4"]
    assert Scale(2.0, 9.0, 0.0, 1.0, is_log=True).ticks(4)


@pytest.mark.parametrize(("value", "text"), [(5e-5, "5e-5"), (4.2512e-5, "4.25e-5"), (0.1, "0.1"), (20, "20"), (0, "0")])
def test_numbers_in_few_characters(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.inf)])
def test_a_scale_needs_two_ends(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="low < high"):
        Scale(*bounds, 0.0, 1.0)


def test_few_values_or_words_are_categories_and_many_numbers_are_none() -> None:
    assert dimension([True, False, True], 0, 90).ticks(5) == [(22.5, "off"), (67.5, "on")]
    assert [label for _, label in dimension([1.0, None, 0.5], 0, 90).ticks(5)] == ["0.5", "1", "unset"]
    rates = [10 ** (-5 + i / 10) for i in range(12)]
    assert dimension(rates, 0, 100).scale.is_log
    assert not dimension([i / 10 for i in range(1, 13)], 0, 100).scale.is_log


@given(TEXT, TEXT)
def test_text_from_outside_stays_text(words: str, value: str) -> None:
    element = ElementTree.fromstring(svg.element("g", svg.text(1, 2, words, data_trial=value), class_=value))
    assert len(element) == 1
    assert len(element[0]) == 0
    assert (element[0].text or "") == svg.visible(words).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


@given(TEXT, st.floats(20, 300))
def test_a_cut_text_fits(words: str, width: float) -> None:
    assert svg.width_of(svg.truncate(words, width)) <= width
    assert all(svg.width_of(line) <= width for line in svg.wrap(words, width))


@given(st.lists(st.floats(0, 30), max_size=25))
def test_no_two_dots_of_a_swarm_lie_on_each_other_while_there_is_room(xs: list[float]) -> None:
    offsets = swarm(xs, 7.0, 1000.0)
    for (x, y), (other_x, other_y) in itertools.combinations(zip(xs, offsets, strict=True), 2):
        assert math.hypot(x - other_x, y - other_y) >= 6.9


@given(st.lists(st.floats(0, 30), max_size=60))
def test_a_swarm_stays_in_its_row(xs: list[float]) -> None:
    assert all(abs(offset) <= 15 for offset in swarm(xs, 7.0, 15.0))
    assert swarm(xs[:1], 7.0, 15.0) == [0.0] * len(xs[:1])


@given(st.lists(st.text(max_size=60), max_size=9))
def test_a_legend_stays_within_its_width(labels: list[str]) -> None:
    parts, height = legend([("", label) for label in labels], 0)
    texts = [ElementTree.fromstring(part) for part in parts if part.startswith("<text")]
    assert all(float(t.get("x") or 0) + svg.width_of(t.text or "") <= svg.WIDTH for t in texts)
    assert all(float(t.get("y") or 0) <= height for t in texts)


@pytest.mark.parametrize(
    ("seconds", "text"), [(9, "9 s"), (95, "1 min 35 s"), (1230, "20 min"), (7500, "2 h 05 min"), (270000, "3 d 3 h")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def luminance(color: str) -> float:
    """Of sRGB, by WCAG 2.2."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    high, low = sorted([luminance(first), luminance(second)], reverse=True)
    return (high + 0.05) / (low + 0.05)


MARKS = ["completed", "failed", "stopped", "vanilla", "accent", *(f"s{i}" for i in range(1, SERIES + 1))]


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_marks_stand_out_from_the_page_and_words_can_be_read(palette: dict[str, str]) -> None:
    assert all(contrast(palette[name], palette["surface"]) >= 3 for name in MARKS)
    assert all(contrast(palette[name], palette["surface"]) >= 4.5 for name in ("ink", "muted"))
    order = [contrast(palette[f"q{i}"], palette["surface"]) for i in range(1, 6)]
    assert order == sorted(order)


# Machado et al. 2009 (IEEE TVCG 15:1291), severity 1, on linear sRGB.
_BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def lab(color: str, matrix: list[list[float]] | None) -> tuple[float, float, float]:
    """CIELAB of a color as it is seen."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    if matrix:
        linear = [min(1.0, max(0.0, sum(a * b for a, b in zip(row, linear, strict=True)))) for row in matrix]
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = [sum(a * b for a, b in zip(row, linear, strict=True)) for row in to_xyz]
    f = [v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (xyz[0] / 0.95047, xyz[1], xyz[2] / 1.08883)]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("kind", ["normal", *_BLIND])
def test_outcomes_and_lines_are_told_apart_by_color_blind_readers(palette: dict[str, str], kind: str) -> None:
    """A difference of 10 in CIELAB is seen at a glance."""
    lines = ["vanilla", "s1", "s2", "s3", "s4", "s8", "s6"]
    for names in (["completed", "failed", "stopped"], ["completed", "failed", "vanilla"], lines):
        seen = {name: lab(palette[name], _BLIND.get(kind)) for name in names}
        for first, second in itertools.combinations(names, 2):
            assert math.dist(seen[first], seen[second]) > 10, (first, second)


def test_both_palettes_have_all_colors_and_every_color_that_is_used_is_there() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert "var(" not in resolved_css()
    assert "@media (prefers-color-scheme:dark)" in PALETTE_CSS
    assert "[data-theme=dark]" in PALETTE_CSS
