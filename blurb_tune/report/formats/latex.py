"""What a paper needs of a report, in LaTeX: tables with booktabs, the methods paragraph, the references."""

from __future__ import annotations

from collections.abc import Iterator

from blurb_tune.report.blocks import Code, Paragraph, Report, Section, Table

_SPECIAL = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "−": r"$-$",
    "–": "--",
    "×": r"$\times$",
    "`": r"\textasciigrave{}",
    '"': r"\textquotedbl{}",
}


def report_latex(report: Report) -> str:
    """A fragment to `\\input`; it needs `\\usepackage{booktabs}` and T1 fonts. The references are comments for a .bib file."""
    lines = ["% \\usepackage[T1]{fontenc}", "% \\usepackage{booktabs}", *_comment(report.title), ""]
    for sentence in report.answer.sentences:
        lines += _comment(sentence)
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                lines += ["", table_latex(block)]
    methods = next((section for section in report.sections if section.name == "methods"), Section("", ""))
    lines += ["", *(line for block in methods.blocks if isinstance(block, Paragraph) for line in [_escape(block.text)])]
    for block in methods.blocks:
        if isinstance(block, Code):
            lines += ["", *_comment(block.text)]
    return "\n".join(lines) + "\n"


def table_latex(table: Table) -> str:
    """One table with the columns that have room on paper."""
    kept = [index for index, column in enumerate(table.columns) if not table.on_paper or column.key in table.on_paper]
    shape = "".join("r" if table.columns[index].is_number else "l" for index in kept)
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{_escape(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{{shape}}}",
        r"\toprule",
        _line(_escape(table.columns[index].title) for index in kept),
    ]
    for group in table.groups:
        lines.append(r"\midrule")
        if group.title:
            lines.append(rf"\multicolumn{{{len(kept)}}}{{l}}{{\emph{{{_escape(group.title)}}}}} \\")
        for row in group.rows:
            cells = (_escape(row.cells[index].text) for index in kept)
            lines.append(_line(rf"\textbf{{{cell}}}" if row.is_best else cell for cell in cells))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def _line(cells: Iterator[str]) -> str:
    return " & ".join(cells) + r" \\"


def _comment(text: str) -> list[str]:
    return [f"% {line}".rstrip() for line in text.splitlines()]


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))
