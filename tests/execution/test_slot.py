from __future__ import annotations

import pytest

from blurb_tune.core.trial import Cause
from blurb_tune.core.versions import versions
from blurb_tune.execution.actor import cause_of
from blurb_tune.execution.slot import check_versions


def test_a_slot_with_what_the_driver_has_is_fine() -> None:
    check_versions(versions())
    check_versions(versions() | {"mlflow-skinny": "0.1"})  # no trial computes with it
    check_versions({})


def test_other_versions_than_the_driver_s_are_the_machine_s_fault() -> None:
    with pytest.raises(OSError, match=r"numpy .*, the driver 1\.0\.0; install the same on every node") as caught:
        check_versions(versions() | {"numpy": "1.0.0"})
    assert cause_of(caught.value) is Cause.MACHINE
