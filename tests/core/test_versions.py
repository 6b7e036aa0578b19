from __future__ import annotations

import pytest
import torch

from blurb_tune.core.versions import OF_A_TRIAL, PACKAGES, differences, versions


def test_what_is_installed_is_what_is_imported() -> None:
    found = versions()
    assert found["torch"] == torch.__version__
    assert set(PACKAGES) <= found.keys()
    assert set(OF_A_TRIAL) <= found.keys()
    assert "missing" not in found.values()


def test_builds_of_one_version_are_the_same() -> None:
    """A head has PyTorch for its CPU, a worker for its GPU."""
    ours = {"torch": "2.13.0+cpu", "numpy": "2.4.6", "ray": "2.60.0"}
    theirs = {"torch": "2.13.0+cu130", "numpy": "2.4.5", "optuna": "5.0.0"}
    assert differences(ours, theirs) == {"numpy": ("2.4.6", "2.4.5")}
    assert differences({"torch": "2.13.0"}, {"torch": "missing"}) == {"torch": ("2.13.0", "missing")}


def test_the_image_is_among_them_where_the_container_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLURB_TUNE_IMAGE", raising=False)
    assert "image" not in versions()
    monkeypatch.setenv("BLURB_TUNE_IMAGE", "blurb-tune@sha256:1234")
    assert versions()["image"] == "blurb-tune@sha256:1234"
