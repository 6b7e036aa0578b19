"""The report as one HTML file that needs nothing else: no network, no further file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from blurb_tune.log.record import SweepRecord
from blurb_tune.report.blocks import Bullets, Code, Facts, Paragraph, Report, Table
from blurb_tune.report.figures import PALETTE_CSS, Figure
from blurb_tune.report.page.trial_data import trial_data

_RESOURCES = files(__name__)
_SHORT = 40
_CODE_IN_TEXT = re.compile(r"`([^`]+)`")
_KINDS = {Paragraph: "paragraph", Bullets: "bullets", Facts: "facts", Code: "code", Table: "table", Figure: "figure"}


def page_of(report: Report, record: SweepRecord | None = None, *, runs_address: str = "", renewed_every: float = 0.0) -> str:
    """The page. record: whose trials and configurations open on demand, None where they do not.

    runs_address: of the runs in an MLflow server's dashboard, to which each trial is linked. renewed_every: seconds after
    which the page loads itself again, 0 for never.
    """
    style = PALETTE_CSS + _text("page.css")
    script = _text("page.js")
    data = trial_data(record, runs_address) if record is not None else {}
    template = _environment().get_template("page.html.jinja")
    return template.render(
        report=report,
        style=Markup(style),
        style_hash=_hash(style),
        script=Markup(script),
        script_hash=_hash(script),
        data=Markup(_json(data)),
        renewed_every=renewed_every,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__name__, "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["prose"] = _prose
    environment.filters["trusted"] = Markup
    environment.filters["shapes"] = _shapes
    environment.filters["kind"] = lambda block: _KINDS[type(block)]
    return environment


def _shapes(table: Table) -> list[Markup]:
    """The class attribute of each column's cells; `screen` is what paper has no room for, `long` are texts of some length."""
    found = []
    for index, column in enumerate(table.columns):
        kinds = {
            "number": column.is_number,
            "screen": table.on_paper and column.key not in table.on_paper,
            "long": any(len(row.cells[index].text) > _SHORT for row in table.rows),
        }
        names = [name for name, holds in kinds.items() if holds]
        found.append(Markup(' class="{}"').format(" ".join(names)) if names else Markup(""))
    return found


def _prose(text: str) -> Markup:
    """Plain text, in which what stands between backquotes is code."""
    parts = _CODE_IN_TEXT.split(text)
    marked = (Markup("<code>{}</code>").format(part) if index % 2 else Markup.escape(part) for index, part in enumerate(parts))
    return Markup("").join(marked)


def _json(data: object) -> str:
    """For a `<script type="application/json">`, which ends at the first `</script` and is upset by `<!--`."""
    return json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    """By which the page's policy knows its own style and script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _text(name: str) -> str:
    return _RESOURCES.joinpath(name).read_text(encoding="utf-8")
