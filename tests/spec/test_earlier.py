from __future__ import annotations

from pathlib import Path

from blurb_tune.spec import load_spec


def test_the_spec_of_an_earlier_version_is_read_where_a_sweep_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("name: s\ntask: demo\nmodel: tiny\nweights: /old\nstorage: sqlite:///study.db\ntracking: {uri: null}\n")
    kept = load_spec(file, is_kept=True)
    assert not kept.problems
    assert (kept.spec.storage, kept.spec.tracking.study_url) == (None, f"sqlite:///{Path.cwd()}/study.db")
    assert kept.base == Path.cwd(), "where paths began at the working folder"
    assert len(load_spec(file).problems) == 1, "in a spec of today, weights is no setting"
