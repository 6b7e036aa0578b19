"""A report's tables as data: CSV for a spreadsheet, JSON for a script, with all digits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from blurb_tune.core.csv_text import csv_text
from blurb_tune.report.blocks import Bullets, Cell, Facts, Group, Paragraph, Report, Scalar, Section, Table
from blurb_tune.report.figures import Figure

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def report_csv(report: Report) -> str:
    """The first table of the report, a row per configuration; unknown cells are empty. An interval has two columns, `_low` and
    `_high`."""
    tables = [block for section in report.sections for block in section.blocks if isinstance(block, Table)]
    return table_csv(tables[0]) if tables else ""


def table_csv(table: Table) -> str:
    """One table, with a first column `group` where it has several."""
    rows = _rows(table)
    names = list(dict.fromkeys([*(name for row in rows for name in row), *(c.key for c in table.columns if not rows)]))
    return csv_text([names, *([_plain(row.get(name)) for name in names] for row in rows)])


def report_json(report: Report) -> str:
    """Strict JSON: the answer, and each section with its texts and tables."""
    answer = report.answer
    data = {
        "title": report.title,
        "lead": report.lead,
        "answer": {
            "verdict": answer.verdict,
            "sentences": answer.sentences,
            "caveat": answer.kind,
            "further_caveats": answer.others,
        },
        "sections": {section.name: _section(section) for section in report.sections},
    }
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _section(section: Section) -> dict[str, Any]:
    found: dict[str, Any] = {"title": section.title}
    for block in section.blocks:
        match block:
            case Table():
                found[block.name] = {"caption": block.caption, "rows": _rows(block), "notes": list(block.notes)}
            case Paragraph():
                found.setdefault("texts", []).append(block.text)
            case Bullets():
                found.setdefault("texts", []).extend(block.items)
            case Facts():
                found.setdefault("facts", {}).update(block.rows)
            case Figure():
                found.setdefault("figures", {})[block.name] = {"title": block.title, "finding": block.alt}
            case _:
                found.setdefault("code", {})[block.name] = block.text
    return found


def _rows(table: Table) -> list[dict[str, Scalar]]:
    """By the columns' keys, with `group` where the table has several."""
    return [_title_cells(group) | dict(_values(table, row.cells)) for group in table.groups for row in group.rows]


def _title_cells(group: Group) -> dict[str, Scalar]:
    return {"group": group.title} if group.title else {}


def _values(table: Table, cells: Sequence[Cell]) -> Iterator[tuple[str, Scalar]]:
    for column, cell in zip(table.columns, cells, strict=True):
        if column.is_interval:
            low, high = cell.value if isinstance(cell.value, tuple) else (None, None)
            yield f"{column.key}_low", low
            yield f"{column.key}_high", high
        else:
            yield column.key, cell.order


def _plain(value: Scalar) -> str:
    """All digits of a number; a text that a spreadsheet would take for a formula is quoted."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return repr(value)
