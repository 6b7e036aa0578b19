"""From the bytes of a file to its text."""

from __future__ import annotations

import codecs
import re

from blurb_tune.core.errors import Problem

LINE_END = re.compile(r"\r\n|\r|\n")
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# Where spreadsheets of the West write what is not UTF-8.
_USUAL = "cp1252"
# More of them are no damage, but another encoding.
_FEW_LINES = 3


def decode(content: bytes, file: str, encoding: str | None = None) -> str | Problem:
    """The text of a file, by the mark at its beginning, or else in `encoding`, which is UTF-8 where nobody has said.

    A Problem, one for the whole file, where it has another encoding.
    """
    mark = next((mark for mark in _MARKS if content.startswith(mark)), b"")
    name = _MARKS.get(mark) or encoding or "utf-8"
    try:
        return content[len(mark) :].decode(name)
    except UnicodeDecodeError as error:
        line, column = _place(error)
        what = f"not {name.upper()} (byte {column} of the line: {error.reason})"
        return Problem(f"{file}:{line}", what if encoding else f"{what}; {_advice(content)}")


def decode_lines(content: bytes, file: str, encoding: str | None = None) -> list[str | Problem]:
    """The lines of a file of which each can be read by itself: a few that cannot be decoded hide no others."""
    text = decode(content, file, encoding)
    if isinstance(text, str):
        return [*text.removesuffix("\n").split("\n")]
    lines = [decode(line, file, encoding) for line in content.removesuffix(b"\n").split(b"\n")]
    faults = {number: line for number, line in enumerate(lines, start=1) if isinstance(line, Problem)}
    if len(faults) > _FEW_LINES:
        return [text]
    return [
        Problem(f"{file}:{number}", faults[number].what.partition(";")[0]) if number in faults else line
        for number, line in enumerate(lines, 1)
    ]


def _place(error: UnicodeDecodeError) -> tuple[int, int]:
    """Line and byte of it, from 1."""
    before = error.object[: error.start]
    return before.count(b"\n") + 1, error.start - before.rfind(b"\n")


def _advice(content: bytes) -> str:
    if content[:1000].count(0) > len(content[:1000]) // 4:
        return (
            f"it looks like UTF-16: write `encoding: utf-16-{'le' if content[1:2] == bytes(1) else 'be'}`, or save it as UTF-8"
        )
    return f"if it is Latin-1, as spreadsheets write it, write `encoding: {_USUAL}`, or save it as UTF-8"
