"""A report in Markdown, with GitHub's tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from blurb_tune.report.blocks import Block, Bullets, Code, Facts, Paragraph, Report, Table
from blurb_tune.report.figures import Figure

_SPECIAL = re.compile(r"([\\*_\[\]|~])")
_AT_LINE_START = re.compile(r"^(\s*)([#>+-]|\d+\.)")
_CODE = re.compile(r"(`[^`]+`)")


def report_markdown(report: Report) -> str:
    """Figures are named, with their finding: `--figures` writes them."""
    lines = [f"# {_prose(report.title)}", _prose(report.lead), "## The answer"]
    lines += [f"**{_prose(report.answer.recipe)}**", _prose(report.answer.sureness)]
    lines += [f"Keep in mind: {_prose(report.answer.caveat)}"]
    lines += [_bullets(report.answer.others)] if report.answer.others else []
    for section in report.sections:
        lines.append(f"## {_prose(section.title)}")
        for block in section.blocks:
            lines += _block(block)
    return "\n\n".join(lines) + "\n"


def table_markdown(table: Table) -> str:
    """One table; groups are told apart by a first column."""
    has_groups = any(group.title for group in table.groups)
    heads = [*([""] if has_groups else []), *(_cell(column.title) for column in table.columns)]
    rule = [*(["---"] if has_groups else []), *("---:" if column.is_number else "---" for column in table.columns)]
    rows = [
        [*([_cell(group.title)] if has_groups else []), *(_cell(cell.text) for cell in row.cells)]
        for group in table.groups
        for row in group.rows
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            yield f"**{_prose(block.text)}**" if block.strong else _prose(block.text)
        case Bullets():
            yield _bullets(block.items)
        case Facts():
            yield _bullets([f"{name}: {value}" for name, value in block.rows])
        case Code():
            fence = "`" * (max((len(ticks) for ticks in re.findall("`+", block.text)), default=0) + 3)
            yield f"{_prose(block.name)}:"
            yield f"{fence}{block.language}\n{block.text.rstrip()}\n{fence}"
        case Table():
            yield f"{_prose(block.caption)}:"
            yield table_markdown(block)
            yield from (_prose(note) for note in block.notes)
        case Figure():
            yield f"Figure `{block.name}`, {_prose(block.title)}: {_prose(block.alt)}"


def _bullets(items: object) -> str:
    return "\n".join(f"- {_prose(item)}" for item in items)  # type: ignore[attr-defined]


def _prose(text: str) -> str:
    """In one line, with nothing in it that Markdown or HTML would act on but code between backquotes."""
    parts = _CODE.split(" ".join(text.split()))
    escaped = "".join(part if index % 2 else _escape(part) for index, part in enumerate(parts))
    return _AT_LINE_START.sub(r"\1\\\2", escaped)


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;").replace("`", "\\`"))


def _cell(text: str) -> str:
    return _escape(" ".join(text.split()))
