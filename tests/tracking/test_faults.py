"""What happens to a tracking server while a sweep runs, done to a real one: everything arrives later, once, or is reported."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.core.trial import Configuration, Measurement, Outcome
from blurb_tune.log import events as ev
from blurb_tune.tracking.delivery import deliver, open_store
from blurb_tune.tracking.updates import RunBuilder
from blurb_tune.tracking.writer import TrackingWriter
from tests.tracking.conftest import EXPERIMENT, Proxy, ServerProcess, Sweep, look, server_in, wait_until

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, blank_store: Path) -> Iterator[ServerProcess]:
    """One server for all tests, each of which has an experiment of its own."""
    server = server_in(tmp_path_factory.mktemp("faults") / "server", blank_store)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def proxy(server: ServerProcess) -> Iterator[Proxy]:
    proxy = Proxy(server.url)
    yield proxy
    proxy.close()


@pytest.fixture
def experiment(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


def follow(sweep: Sweep, uri: str, experiment: str) -> TrackingWriter:
    writer = TrackingWriter(sweep.paths, uri, experiment, period=0.05, patience=0.0)
    sweep.log.observe(writer.notify)
    writer.start()
    return writer


def has_caught_up(sweep: Sweep) -> bool:
    mark = json.loads(sweep.paths.delivered.read_text()) if sweep.paths.delivered.exists() else {"offset": 0}
    return bool(mark["offset"] == sweep.paths.events.stat().st_size)


def client_of(uri: str) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri)


def begun(sweep: Sweep) -> str:
    """A sweep with a trial that has one measurement."""
    sweep.start()
    sweep.suggest("c000")
    trial = sweep.begin("c000", 0)
    sweep.measure(trial, 10, 0.3)
    return trial


def go_on(sweep: Sweep, trial: str) -> None:
    """The trial ends, another runs from start to end."""
    sweep.measure(trial, 20, 0.5)
    sweep.end(trial, Outcome.COMPLETED)
    sweep.trial("c000", 1, Outcome.COMPLETED, [0.4, 0.6])


def assert_all_arrived_once(sweep: Sweep, uri: str, experiment: str, local: str) -> None:
    """The server has what a store has that everything was delivered to at once; `look` fails on doubled runs."""
    assert deliver(sweep.paths, local, EXPERIMENT).undelivered == 0
    assert look(uri, experiment) == look(local)


@pytest.mark.parametrize("fault", ["refuse", "lose"])
def test_answers_of_500(sweep: Sweep, uri: str, server: ServerProcess, proxy: Proxy, experiment: str, fault: str) -> None:
    writer = follow(sweep, proxy.url, experiment)
    trial = begun(sweep)
    wait_until(lambda: has_caught_up(sweep), "the trial is in MLflow")
    proxy.fault = fault
    go_on(sweep, trial)
    wait_until(lambda: "500" in writer.error, "the writer has been answered 500")
    assert not has_caught_up(sweep)
    proxy.fault = None
    sweep.end_configuration("c000")
    sweep.finish()
    delivery = writer.close(60.0)
    assert (delivery.undelivered, delivery.error, delivery.warnings) == (0, "", ())
    assert_all_arrived_once(sweep, server.url, experiment, uri)


@pytest.mark.parametrize("restored", [True, False])
def test_an_experiment_that_is_deleted_in_the_page(
    sweep: Sweep, uri: str, server: ServerProcess, experiment: str, restored: bool
) -> None:
    client = client_of(server.url)
    writer = follow(sweep, server.url, experiment)
    trial = begun(sweep)
    wait_until(lambda: has_caught_up(sweep), "the trial is in MLflow")
    number = client.get_experiment_by_name(experiment).experiment_id
    client.delete_experiment(number)
    go_on(sweep, trial)
    wait_until(lambda: f"mlflow experiments restore --experiment-id {number}" in writer.error, "the writer says what to do")
    sweep.end_configuration("c000")
    sweep.finish()
    if not restored:
        delivery = writer.close(2.0)
        assert delivery.undelivered > 0
        assert "was deleted" in delivery.error
        client.restore_experiment(number)
        assert deliver(sweep.paths, server.url, experiment).undelivered == 0
    else:
        client.restore_experiment(number)
        assert writer.close(60.0).undelivered == 0
    assert_all_arrived_once(sweep, server.url, experiment, uri)


def test_what_mlflow_refuses_is_told_and_keeps_nothing_else_from_arriving(
    sweep: Sweep, server: ServerProcess, experiment: str
) -> None:
    """Somebody has made a run with our tags and another value of a parameter, which MLflow never changes."""
    client = client_of(server.url)
    strange = client.create_run(client.create_experiment(experiment), 1, {
        "blurb_tune.sweep_id": sweep.sweep_id, "blurb_tune.trial_id": "c000-s0", "blurb_tune.attempt": "1"
    })  # fmt: skip
    client.log_param(strange.info.run_id, "seed", "4711")
    trial = begun(sweep)
    go_on(sweep, trial)
    sweep.end_configuration("c000")
    sweep.finish()
    delivery = deliver(sweep.paths, server.url, experiment)
    assert (delivery.undelivered, delivery.error, len(delivery.warnings)) == (0, "", 1)
    assert "'vanilla, seed 0' lacks something that MLflow refuses" in delivery.warnings[0]
    assert "4711" in delivery.warnings[0]
    runs = look(server.url, experiment)
    assert {name: seen.status for name, seen in runs.items()} == dict.fromkeys(("sweep", trial, "c000-s1"), "FINISHED")
    assert len(runs["c000-s1"].history["dev/score"]) == 2


def test_three_requests_for_a_trial_that_ends_between_two_deliveries(
    sweep: Sweep, server: ServerProcess, proxy: Proxy, experiment: str
) -> None:
    trials = 12
    sweep.start(seeds=trials)
    sweep.suggest("c000")
    for seed in range(trials):
        sweep.trial("c000", seed, Outcome.COMPLETED, [0.1, 0.2, 0.3, 0.4, 0.5])
    sweep.end_configuration("c000")
    sweep.finish()
    assert deliver(sweep.paths, proxy.url, experiment).undelivered == 0
    runs = trials + 1
    assert proxy.asked == {
        "experiments/get-by-name": 1,
        "experiments/create": 1,
        "runs/search": 1,
        "runs/create": runs,
        "runs/log-batch": runs,
        "runs/update": runs,
    }


def test_the_page_of_a_sweep_with_5000_configurations_is_small(sweep: Sweep, server: ServerProcess, experiment: str) -> None:
    """What the dashboard asks for to show the sweep's own run, all series and the description included."""
    builder, time = RunBuilder(), 1.7e9
    sweep.start(seeds=1, configurations=5000)
    builder.apply(sweep.written[0])
    for number in range(5000):
        name, time = f"c{number:04}", time + 1
        values = Configuration(model="tiny", freeze_depth=number % 12).values()
        for event in (
            ev.ConfigurationSuggested(time=time, configuration=name, parameters={}, values=values),
            ev.TrialStarted(time=time, trial=f"{name}-s0", configuration=name, seed=0, attempt=1),
            ev.Measured(time=time, trial=f"{name}-s0", measurement=Measurement(9, 1.0, number / 5000, 1, 1, 1, 1, 1, 1, 1)),
            ev.TrialEnded(time=time, trial=f"{name}-s0", attempt=1, outcome="completed"),
            ev.ConfigurationEnded(time=time, configuration=name, state="COMPLETE", value=0.5, failed_share=0.0),
        ):
            builder.apply(event)
    parent = builder.take()[0]
    store = open_store(sweep.paths, server.url, experiment, sweep.sweep_id)
    store.write(parent)
    address = f"{server.url}/ajax-api/2.0/mlflow/runs/get?run_id={store.run_id}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        page = answer.read()
    assert len(page) < 8000
    assert b"5000 of 5000 configurations" in page
    history = client_of(server.url).get_metric_history(store.run_id, "sweep/objective")
    assert len(history) == 5000


def test_a_process_ends_in_time_with_a_request_in_flight(sweep: Sweep, server: ServerProcess, experiment: str) -> None:
    """The server hangs, and its user lets requests wait for ten minutes."""
    begun(sweep)
    sweep.log.close()
    script = f"""
import psutil, time
from pathlib import Path
from blurb_tune.core.paths import SweepPaths
from blurb_tune.tracking.writer import TrackingWriter
writer = TrackingWriter(SweepPaths(Path({str(sweep.paths.root)!r})), {server.url!r}, {experiment!r})
writer.start()
while not any(c.raddr and c.raddr.port == {server.port} for c in psutil.Process().net_connections()):
    time.sleep(0.02)
print(writer.close(1.0))
"""
    server.signal(signal.SIGSTOP)
    try:
        environment = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "600", "PATH": "", "PYTHONPATH": ":".join(sys.path)}
        said = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120, env=environment
        )
    finally:
        server.signal(signal.SIGCONT)
    assert f"Delivery(undelivered={len(sweep.written)}" in said.stdout
    assert "took too long to answer" in said.stdout
