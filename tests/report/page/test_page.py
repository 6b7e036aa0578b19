"""The page as text: whole in itself, small, and without a way in for what logs and specs say."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.page import page_of
from blurb_tune.report.page.trial_data import trial_data
from blurb_tune.report.provenance import Provenance
from blurb_tune.report.sections import report_of
from tests.report.sweeps import SweepWriter, large_sweep, small_sweep, sweeps

HOSTILE = "</script></style></title><script>alert(1)</script><!--\" onload='x' javascript:alert(1)"


class Document(HTMLParser):
    """Counts what opens and closes, and gathers attributes and the texts of raw elements."""

    void = frozenset({"meta", "input", "br", "img", "link"})

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]].append(data)


def page(record: SweepRecord, **kwargs: object) -> str:
    return page_of(report_of(record, Provenance(spec=HOSTILE)), record, **kwargs)  # type: ignore[arg-type]


def hostile_sweep() -> SweepWriter:
    sweep = SweepWriter(name="x", task=HOSTILE, metric=HOSTILE, models={HOSTILE: 6, "b": 6}, owner=HOSTILE, notes=[HOSTILE])
    for name, depth in (("c0", 0), ("c1", 2)):
        sweep.configuration(name, freeze_depth=depth)
        sweep.trial(name, 0, [0.5], reason=HOSTILE)
        sweep.trial(name, 1, [], Outcome.ERRORED, error=HOSTILE, reason=HOSTILE)
    return sweep


def test_texts_of_a_log_are_texts_of_the_page() -> None:
    found = Document(page(hostile_sweep().finish()))
    assert found.open == []
    scripts = [attributes for tag, attributes in found.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {}]
    assert not any(name.startswith("on") or name == "style" for _, attributes in found.tags for name in attributes)
    assert json.loads(found.raw["script"][0])["metric"] == HOSTILE


@settings(max_examples=25)
@given(sweeps(most_actions=20))
def test_any_sweep_has_a_page_that_is_well_formed(sweep: SweepWriter) -> None:
    text = page(sweep.record)
    found = Document(text)
    assert found.open == []
    names = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(set(names)) == len(names)
    data = json.loads(found.raw["script"][0], parse_constant=lambda name: pytest.fail(name))
    assert [row[0] for row in data["trials"]] == list(sweep.record.trials)


def test_nothing_comes_from_elsewhere_and_the_policy_knows_style_and_script() -> None:
    text = page(large_sweep(3, 3).finish())
    found = Document(text)
    policy = next(a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy") or ""
    for kind, content in (("style", found.raw["style"][0]), ("script", found.raw["script"][1])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert not any({"src", "href"} & attributes.keys() for tag, attributes in found.tags if tag not in ("a", "use"))
    links = [attributes["href"] for tag, attributes in found.tags if tag == "a"]
    assert all(link and link.startswith("#") for link in links)
    assert not re.search(r"@import|url\(", found.raw["style"][0])


def test_a_hundred_trials_take_less_than_a_megabyte() -> None:
    assert len(page(large_sweep(20, 5, epochs=20).finish()).encode()) < 1_000_000


def test_a_page_is_renewed_only_while_it_is_asked_to() -> None:
    record = small_sweep().record
    assert ' data-renew="5' in page(record, renewed_every=5.0)
    assert " data-renew=" not in page(record)


def test_what_opens_has_outcome_reason_and_a_curve_that_ends_where_it_ended() -> None:
    record = small_sweep().record
    data = trial_data(record)
    rows = {row[0]: row for row in data["trials"]}
    assert [data["outcomes"][rows[name][4]] for name in ("c0-s0", "c0-s3")] == ["completed", "pruned_unstable"]
    assert rows["c2-s3"][4] == -1
    assert data["texts"][rows["c0-s3"][9]] == "stuck: stuck says so"
    assert data["texts"][rows["c2-s1"][9]] == 'ValueError: a, "b"'
    assert rows["c0-s2"][11][1] == [0.0, -0.1, None, -0.2]
    assert rows["c1-s1"][6] == 2
    assert rows["c1-s1"][10] == 1


def test_curves_are_thinned_out_where_there_are_many() -> None:
    record = large_sweep(4, 5, epochs=30).finish()
    rows = trial_data(record, most_points=20 * 12)["trials"]
    assert max(len(epochs) for epochs, _, _ in (row[11] for row in rows)) == 12
    for row, trial in zip(rows, record.trials.values(), strict=True):
        if trial.last is not None:
            assert row[11][0][-1] == trial.epochs
