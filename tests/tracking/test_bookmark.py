from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.tracking.bookmark import Bookmark

WHOLE = Bookmark("sqlite:///x", "e", "s", "1", 7, {"spec.yaml": "ab"})


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    WHOLE.save(tmp_path / "tracking.json")
    assert Bookmark.load(tmp_path / "tracking.json") == WHOLE


@pytest.mark.parametrize(
    "values",
    [
        {"offset": "7"},
        {"offset": True},
        {"offset": 7.0},
        {"files": []},
        {"files": {"spec.yaml": 5}},
        {"uri": None},
        {"sweep_id": ["s"]},
        {"experiment_id": 1},
        {"view": 1},
    ],
)
def test_one_with_other_values_is_none(tmp_path: Path, values: dict[str, Any]) -> None:
    WHOLE.save(tmp_path / "tracking.json")
    data = json.loads((tmp_path / "tracking.json").read_text())
    (tmp_path / "tracking.json").write_text(json.dumps(data | values))
    assert Bookmark.load(tmp_path / "tracking.json") is None


def test_one_of_an_earlier_version_says_how_far_it_got(tmp_path: Path) -> None:
    file = tmp_path / "tracking.json"
    WHOLE.save(file)
    data = json.loads(file.read_text())
    del data["view"]
    file.write_text(json.dumps(data))
    assert Bookmark.load(file) == WHOLE


@pytest.mark.parametrize("content", [b"", b"\xff", b"null", b"[]", b"[" * 100_000, b'{"uri": 1', b"1" * 5_000, b"\0" * 10])
def test_what_is_no_bookmark_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tracking.json").write_bytes(content)
    assert Bookmark.load(tmp_path / "tracking.json") is None
