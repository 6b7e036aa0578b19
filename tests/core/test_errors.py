from __future__ import annotations

import pytest

from blurb_tune.core.errors import visible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, ÄÖ 🎉\tand\nlines", "plain, ÄÖ 🎉\tand\nlines"),
        ("\x1b[2J\x9b2J\x07\r", r"\x1b[2J\x9b2J\x07\r"),
        ("\0 \x7f \x85 \ud800\udcff", r"\x00 \x7f \x85 \ud800\udcff"),
    ],
)
def test_what_a_terminal_obeys_or_nothing_can_encode_is_written_out(text: str, expected: str) -> None:
    assert visible(text) == expected
    assert visible(text).encode("utf-8").isascii() or visible(text) == text
