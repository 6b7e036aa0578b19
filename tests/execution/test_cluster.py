from __future__ import annotations

import pytest

from blurb_tune.core.errors import InputError
from blurb_tune.execution.cluster import ray_cluster
from tests.sweep.simulation import make_spec


def test_a_cluster_that_does_not_answer_is_bad_input() -> None:
    with (
        pytest.raises(InputError, match="cluster: no Ray cluster answers"),
        ray_cluster(make_spec(cluster="127.0.0.1:1")),
    ):
        pass
