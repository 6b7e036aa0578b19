"""A comparison as Markdown, CSV, JSON and LaTeX. Texts of logs are escaped in each."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from blurb_tune.core.trial import HYPERPARAMETER_NAMES
from blurb_tune.report.comparison.comparison import SweepComparison
from blurb_tune.report.comparison.data import CLAIM, as_data, quoted
from blurb_tune.report.comparison.tables import tables
from blurb_tune.report.comparison.text import heading

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~$&])")
_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"},
}
_COLUMNS = (
    *("kind", "split", "task", "metric", "model", "strategy", "sweeps", "configuration", "role", "planned"),
    *("n", "mean", "std", "min", "max", "objective", "failed", "ended", "failed_low", "failed_high", *CLAIM),
    *(name for name in HYPERPARAMETER_NAMES if name != "model"),
)


def markdown(comparison: SweepComparison) -> str:
    """Headings and tables, as GitHub reads them."""
    parts = [f"# {heading(comparison)}"]
    for table in tables(comparison):
        parts.append(f"## {table.title}")
        marks = [":--" if index < table.texts else "--:" for index in range(len(table.columns))]
        lines = [_row(_in_markdown(cell) for cell in table.columns), _row(marks)]
        for index, row in enumerate(table.rows):
            cells = [_in_markdown(cell) for cell in row]
            lines.append(_row(f"**{cell}**" if index in table.strong and cell else cell for cell in cells))
        parts += ["\n".join(lines), *(_in_markdown(note) for note in table.notes)]
    if comparison.notes:
        parts += ["## Notes", "\n".join(f"- {_in_markdown(note)}" for note in comparison.notes)]
    return "\n\n".join(parts) + "\n"


def latex(comparison: SweepComparison) -> str:
    """A `table` for each of the tables, for booktabs."""
    parts = ["% needs \\usepackage{booktabs}"]
    for table in tables(comparison):
        alignment = "l" * table.texts + "r" * (len(table.columns) - table.texts)
        lines = [_tex_row(table.columns), r"\midrule"]
        for index, row in enumerate(table.rows):
            lines.append(_tex_row(row, strong=index in table.strong))
        caption = ". ".join([_in_latex(table.title), *(_in_latex(note).rstrip(".") for note in table.notes)])
        parts.append(
            "\n".join(
                [
                    *(r"\begin{table}", r"\centering\small", f"\\caption{{{caption}.}}", f"\\label{{tab:{table.name}}}"),
                    *(f"\\begin{{tabular}}{{{alignment}}}", r"\toprule", *lines, r"\bottomrule", r"\end{tabular}"),
                    r"\end{table}",
                ]
            )
        )
    return "\n\n".join(parts) + "\n"


def comma_separated(comparison: SweepComparison) -> str:
    """A row for each mean that is quoted, see `data.quoted`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([_cell(row.get(column)) for column in _COLUMNS] for row in quoted(comparison))
    return text.getvalue()


def as_json(comparison: SweepComparison) -> str:
    """Everything, as strict JSON."""
    return json.dumps(_strict(as_data(comparison)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[SweepComparison], str]] = {
    "md": markdown,
    "csv": comma_separated,
    "json": as_json,
    "latex": latex,
}


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _tex_row(cells: Sequence[str], *, strong: bool = False) -> str:
    texts = (f"\\textbf{{{_in_latex(cell)}}}" if strong and cell else _in_latex(cell) for cell in cells)
    return " & ".join(texts) + r" \\"


def _in_markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _in_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def _cell(value: Any) -> str:
    """Empty for None and NaN; a text that a spreadsheet would take for a formula gets an apostrophe."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return repr(float(value)) if isinstance(value, float) else str(value)


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
