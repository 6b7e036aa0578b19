"""Elements of SVG as text, everything from outside escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from blurb_tune.core.errors import visible

WIDTH = 720
FONT_SIZE = 13
# Advance widths in thousandths of the font size, of Roboto; a browser's own font is up to a tenth wider.
_NARROW, _WIDE, _MARGIN = frozenset("iljtfIr.,:;'|!()[]{}-/ "), frozenset("mwMW@%"), 1.1
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ELLIPSIS = "\u2026"


def number(value: float) -> str:
    """A coordinate, to a tenth of a unit."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def safe(text: object) -> str:
    """`text` as the content of an element or of an attribute in double quotes."""
    return escape(_NO_XML.sub("\ufffd", visible(str(text))), quote=True)


def element(tag: str, content: str = "", /, **attributes: object) -> str:
    """One element with `content`, which is SVG. An attribute's `_` stands for `-`, and one at its end is dropped (`class_`);
    None leaves it out. Numbers are coordinates; other values are escaped."""
    said = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"' for name, value in attributes.items() if value is not None
    )
    return f"<{tag}{said}>{content}</{tag}>" if content else f"<{tag}{said}/>"


def _value(value: object) -> str:
    return number(value) if isinstance(value, int | float) else safe(value)


def text(x: float, y: float, words: object, class_: str | None = None, **attributes: object) -> str:
    return element("text", safe(words), x=x, y=y, class_=class_, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return element("path", d=f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", class_=class_)


def rect(x: float, y: float, width: float, height: float, class_: str, **attributes: object) -> str:
    return element("rect", x=x, y=y, width=max(0.0, width), height=max(0.0, height), class_=class_, **attributes)


def path_of(points: Iterable[tuple[float, float]]) -> str:
    """The `d` of a line through points."""
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def document(name: str, height: float, alt: str, parts: Sequence[str]) -> str:
    """The `<svg>` element of a figure; its title and description are what a screen reader says."""
    return element(
        "svg",
        element("title", safe(alt)) + "".join(parts),
        viewBox=f"0 0 {WIDTH} {number(height)}",
        role="img",
        class_="figure",
        data_figure=name,
    )


def width_of(words: str, size: float = FONT_SIZE) -> float:
    """About how wide a text is."""
    thousandths = 0
    for character in words:
        if character in _NARROW:
            thousandths += 300
        elif character in _WIDE:
            thousandths += 850
        elif ord(character) > 0x2E80:
            thousandths += 1000
        else:
            thousandths += 660 if character.isupper() else 550
    return thousandths * size / 1000 * _MARGIN


def truncate(words: str, width: float, size: float = FONT_SIZE) -> str:
    """`words`, or as many of their characters as are no wider than `width`, and an ellipsis."""
    words = visible(words)
    if width_of(words, size) <= width:
        return words
    while words and width_of(words + _ELLIPSIS, size) > width:
        words = words[:-1]
    return words.rstrip() + _ELLIPSIS


def truncate_front(words: str, width: float) -> str:
    """The same with the last characters, by which names of one kind are told apart."""
    words = visible(words)
    if width_of(words) <= width:
        return words
    while words and width_of(_ELLIPSIS + words) > width:
        words = words[1:]
    return _ELLIPSIS + words


def wrap(words: str, width: float, size: float = FONT_SIZE) -> list[str]:
    """Lines that are no wider than `width`, broken at blanks, a longer word cut."""
    lines: list[str] = []
    for word in visible(words).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(truncate(word, width, size))
    return lines
