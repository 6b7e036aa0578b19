"""The colors of all figures, for light and dark pages, and the classes of their marks."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Okabe & Ito's colors (Color Universal Design, 2008), each made darker or lighter until its contrast to the surface is at
# least 3:1 (WCAG 2.2, 1.4.11). q1 to q5 are ordered, low to high, and stand out from the surface the more the higher.
LIGHT: Mapping[str, str] = {
    "ink": "#1b1f24",
    "muted": "#59626d",
    "grid": "#e2e6ea",
    "surface": "#ffffff",
    "completed": "#0072b2",
    "failed": "#b83a00",
    "stopped": "#757d86",
    "vanilla": "#b88200",
    "accent": "#007a59",
    "s1": "#0072b2",
    "s2": "#b83a00",
    "s3": "#00916a",
    "s4": "#a8437f",
    "s5": "#b88200",
    "s6": "#3592c9",
    "s7": "#6a5acd",
    "s8": "#3f464e",
    "q1": "#a9bccb",
    "q2": "#7fa3bd",
    "q3": "#4d86ad",
    "q4": "#1f6596",
    "q5": "#003f6b",
}
DARK: Mapping[str, str] = {
    "ink": "#e8ebee",
    "muted": "#a3adb8",
    "grid": "#2d343c",
    "surface": "#14181d",
    "completed": "#56b4e9",
    "failed": "#ff7f3f",
    "stopped": "#8b949e",
    "vanilla": "#e69f00",
    "accent": "#2fc79b",
    "s1": "#3d9be0",
    "s2": "#f2702a",
    "s3": "#19b184",
    "s4": "#d06fae",
    "s5": "#e69f00",
    "s6": "#8fd3ff",
    "s7": "#9d90f0",
    "s8": "#e6eaee",
    "q1": "#3d4d5b",
    "q2": "#46708f",
    "q3": "#4f95c2",
    "q4": "#7fbfe8",
    "q5": "#d3edff",
}
SERIES = 8

_CLASSES = (
    """
.figure{font-family:system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif;font-size:13px}
.figure text{fill:var(--ink)}
.figure .muted{fill:var(--muted)}
.figure .note-failed{fill:var(--failed)}
.figure .heading{font-weight:600}
.figure .end{text-anchor:end}
.figure .middle{text-anchor:middle}
.figure .grid{stroke:var(--grid);stroke-width:1;fill:none}
.figure .axis{stroke:var(--muted);stroke-width:1;fill:none}
.figure .trivial{stroke:var(--ink);stroke-width:1.2;stroke-dasharray:5 4;fill:none}
.figure .completed{fill:var(--completed);fill-opacity:.75}
.figure .failed{stroke:var(--failed);stroke-width:1.8;fill:none}
.figure .stopped{stroke:var(--stopped);stroke-width:1.6;fill:none}
.figure .errored{stroke:var(--ink);stroke-width:1.3;fill:none}
.figure .fold{fill-opacity:.45;stroke-opacity:.6}
.figure .box{fill:var(--completed);fill-opacity:.13;stroke:var(--completed);stroke-width:1}
.figure .box.of-vanilla{fill:var(--vanilla);stroke:var(--vanilla)}
.figure .whisker{stroke:var(--muted);stroke-width:1;fill:none}
.figure .median{stroke:var(--ink);stroke-width:2;fill:none}
.figure .mean{fill:var(--surface);stroke:var(--ink);stroke-width:1.4}
.figure .vanilla-band{fill:var(--vanilla);fill-opacity:.13}
.figure .row-band{fill:var(--grid);fill-opacity:.35}
.figure .censored{fill:var(--muted)}
.figure .line{fill:none;stroke-width:2;stroke-linejoin:round}
.figure .thin{fill:none;stroke-width:1;stroke-opacity:.55;stroke-linejoin:round}
.figure .band{stroke:none;fill-opacity:.16}
.figure .completed-line{stroke:var(--completed)}
.figure .completed-fill{fill:var(--completed)}
.figure .failed-line{stroke:var(--failed)}
.figure .stopped-line{stroke:var(--stopped)}
.figure .span{stroke-width:1}
.figure .span-completed{fill:var(--completed);fill-opacity:.8}
.figure .span-failed{fill:var(--failed);fill-opacity:.9}
.figure .span-stopped{fill:var(--stopped);fill-opacity:.25;stroke:var(--stopped)}
.figure .span-errored{fill:none;stroke:var(--ink)}
.figure .span-running{fill:var(--accent);fill-opacity:.3;stroke:var(--accent);stroke-dasharray:3 2}
.figure .span-saved{fill:none;stroke:var(--accent);stroke-dasharray:4 3}
.figure .area.span-errored{fill:var(--ink);fill-opacity:.5;stroke:none}
.figure .by-chance{fill:var(--stopped);fill-opacity:.45}
.figure .configuration{stroke-width:1.5}
.figure .whole{fill:var(--completed);fill-opacity:.7}
.figure .c-of-vanilla{fill:var(--vanilla);stroke:none}
.figure .c-censored{fill:var(--surface);stroke:var(--stopped);fill-opacity:.6}
.figure .ring{fill:none;stroke:var(--accent);stroke-width:2.2}
.figure .strand{fill:none;stroke-width:1.3;stroke-opacity:.75}
.figure .many{stroke-opacity:.4}
.figure .best-strand{fill:none;stroke:var(--accent);stroke-width:3}
.figure .front{fill:none;stroke:var(--accent);stroke-width:1.8}
.figure .failed-ring{fill:none;stroke:var(--failed);stroke-opacity:.45;stroke-width:1}
.figure .failed-sector{fill:var(--failed);fill-opacity:.6}
.figure .halo,.figure .tick{paint-order:stroke;stroke:var(--surface);stroke-width:3.5;stroke-linejoin:round}
.figure .of-vanilla{stroke:var(--vanilla)}
.figure .vanilla-fill{fill:var(--vanilla)}
.figure .d2{stroke-dasharray:8 3}
.figure .d3{stroke-dasharray:3 2.5}
.figure .d4{stroke-dasharray:10 3 2 3}
.figure .d5{stroke-dasharray:5 2 2 2 2 2}
.figure .d6{stroke-dasharray:1.5 3}
"""
    + "".join(f".figure .s{i}{{stroke:var(--s{i})}}.figure .f{i}{{fill:var(--s{i})}}\n" for i in range(1, SERIES + 1))
    + "".join(f".figure .q{i}{{stroke:var(--q{i})}}.figure .g{i}{{fill:var(--q{i})}}\n" for i in range(1, 6))
).strip()


def _properties(palette: Mapping[str, str]) -> str:
    return ";".join(f"--{name}:{color}" for name, color in palette.items())


PALETTE_CSS = (
    f":root{{{_properties(LIGHT)}}}\n"
    f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{_properties(DARK)}}}}}\n"
    f"[data-theme=dark]{{{_properties(DARK)}}}\n"
    f"@media print{{:root,:root[data-theme]{{{_properties(LIGHT)}}}}}\n"
    f"{_CLASSES}\n"
)


def resolved_css(palette: Mapping[str, str] = LIGHT) -> str:
    """The classes of the marks with the colors of one palette, for readers of SVG that know no custom properties."""
    return re.sub(r"var\(--([a-z0-9]+)\)", lambda found: palette[found[1]], _CLASSES)
