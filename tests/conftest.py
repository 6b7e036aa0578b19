"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from blurb_tune.execution.forkserver import fork_server
from blurb_tune.tasks.sources.data_source import DataSource

pytest_plugins = ["tests.disks", "tests.storages", "tests.stack"]

# A busy machine must not fail a property: examples are bounded in number, not in time.
settings.register_profile("default", deadline=None)
settings.load_profile("default")

# Tiny models are fastest on one thread; more would spin against each other and against the servers that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


# At every 700 new objects, which is the default, Python would look for garbage among all that tests import.
gc.set_threshold(20_000)


def pytest_collection_finish() -> None:
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, then those with many: what is left in the end is small and keeps all processes busy."""
    tests = Counter(item.path for item in items)
    slow = {item.path for item in items if any(item.get_closest_marker(name) for name in ("ray", "service", "slow"))}
    items.sort(key=lambda item: (item.path not in slow, -tests[item.path]))


def require(found: bool, what: str) -> None:
    """Skip where `what` is missing on a laptop, fail where it is missing in CI."""
    if found:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and CI must have it")
    pytest.skip(f"needs {what}")


# Their licenses do not let them be passed on, so that not even CI has them.
RARE_DATA = {"bc2gm", "gad", "bioasq"}


def require_data(source: DataSource) -> None:
    """Skip where the data of a BLURB task are missing on a laptop, fail in CI for those that CI must have."""
    is_there = source.splits.has("train")
    if not is_there and source.task.name in RARE_DATA:
        pytest.skip(f"needs {source.task.data_set.folder} in the BLURB data, which may not be passed on")
    require(is_there, f"{source.task.data_set.folder} in the BLURB data")


@pytest.fixture(scope="session")
def blurb_data() -> Path:
    """The folder with real BLURB data, one folder per data set."""
    folder = Path(os.environ.get("BLURB_DATA_DIR", ""))
    require(bool(os.environ.get("BLURB_DATA_DIR")) and (folder / "BIOSSES").is_dir(), "BLURB data (set BLURB_DATA_DIR)")
    return folder


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Encoded examples of tests do not go to the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLURB_CACHE_DIR", str(tmp_path_factory.mktemp("encoded")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _one_fork_server(request: pytest.FixtureRequest) -> Iterator[None]:
    """What trials import is imported once for all sweeps of these tests, also for those of commands."""
    if any(item.get_closest_marker("ray") for item in request.session.items):
        with fork_server(patience=3600.0):
            yield
    else:
        yield


@pytest.fixture(autouse=True, scope="session")
def _quiet_optuna() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
