"""A sweep's model in MLflow's registry, beside the run that it comes from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.core.secrets import redact
from blurb_tune.log.record import SweepRecord
from blurb_tune.release.champion import why_no_champion
from blurb_tune.release.choice import choose
from blurb_tune.release.export import export
from blurb_tune.release.folder import Facts
from blurb_tune.release.loading import load_models
from blurb_tune.release.predict import Predictor
from blurb_tune.report.answer import answer_of
from blurb_tune.tasks.examples import Row
from blurb_tune.tracking.addresses import redact_error
from blurb_tune.tracking.delivery import deliver, open_store
from blurb_tune.tracking.target import spec_of, tracking_target

if TYPE_CHECKING:
    from blurb_tune.tracking.model_registry import Entry, Version


@dataclass(frozen=True)
class Registered:
    """version: in the registry. uri: MLflow's, without secrets. why_no_champion: empty where it has that alias."""

    version: Version
    uri: str
    why_no_champion: str

    def __str__(self) -> str:
        """In a sentence."""
        version = self.version
        done = "registered as" if version.is_new else "registered already, as"
        said = f"{done} {version.name} version {version.number} at {self.uri}"
        if self.why_no_champion:
            return f"{said}, without the alias `champion`: {self.why_no_champion}"
        before = f", which version {version.before} had before" if version.before not in ("", version.number) else ""
        return f"{said}, with the alias `champion`{before}"


def register(
    paths: SweepPaths,
    name: str,
    trial: str,
    run: str,
    export: Callable[[], Path],
    say: Callable[[str], None] = lambda text: None,
) -> Registered:
    """Make a model a version of the registered model `name`; once, however often this is called.

    trial: the model's trial, or of which ones it is made, by `Facts.trial`. run: the trial beside whose run in MLflow it is
    kept. export: returns the folder of the exported model; it is asked where the registry has no such version yet. The version
    gets the alias `champion` where `why_no_champion` has nothing to say and no newer version has it. Raises BlurbTuneError
    where MLflow does not take it.
    """
    record = SweepRecord.read(paths.events)
    uri, experiment = tracking_target(paths, spec_of(paths))
    sweep_id = record.header.sweep_id
    say("delivering the runs to MLflow")
    delivery = deliver(paths, uri, experiment)
    if delivery.undelivered:
        raise BlurbTuneError(f"MLflow at {redact(uri)} does not take the sweep's runs: {delivery.error}")
    with _clear_errors(uri):
        store = open_store(paths, uri, experiment, sweep_id)
        from blurb_tune.tracking.model_registry import Registry

        registry = Registry(uri)
        version = registry.find(name, sweep_id, trial)
        if version is None:
            entry = _entry(export(), record, trial)
            say("handing the model over to MLflow")
            version = registry.add(name, entry, store.experiment_id, store.run_of(run))
        why = why_no_champion(record, trial)
        if not why and int(version.champion or 0) > int(version.number):
            why = f"version {version.champion}, which is newer, has it"
        if not why:
            version = registry.make_champion(version)
    return Registered(version, redact(uri), why)


def register_winner(paths: SweepPaths, name: str, say: Callable[[str], None]) -> Registered:
    """`register` for the winner's best run on dev."""

    def exported() -> Path:
        return export(paths, Path(scratch) / "model", say=say).folder

    with tempfile.TemporaryDirectory(prefix="blurb-tune-") as scratch:
        trial = choose(SweepRecord.read(paths.events)).trial.trial_id
        return register(paths, name, trial, trial, exported, say)


def _entry(folder: Path, record: SweepRecord, trial: str) -> Entry:
    from blurb_tune.tracking.model_registry import Entry

    models, tokenizer, facts = load_models(folder)
    answers = Predictor(models, tokenizer, facts, 1)([Row("the example", facts.example())])
    return Entry(
        folder=folder,
        sweep_id=record.header.sweep_id,
        trial=trial,
        example=facts.example(),
        answers=answers,
        description="\n\n".join([f"{facts.task}: run `{trial}` of the sweep `{facts.sweep}`.", *answer_of(record).sentences]),
        tags=dict(_tags(record, facts)),
    )


def _tags(record: SweepRecord, facts: Facts) -> Iterator[tuple[str, str]]:
    metric, run, test = record.header.metric, record.trials.get(facts.trial), record.tests.get(facts.trial)
    yield "task", facts.task
    yield "verdict", str(answer_of(record).verdict)
    if run is not None and (score := record.score(run)) is not None:
        yield f"dev {metric}", f"{score:.6g}"
    if test is not None and metric in test.metrics:
        yield f"test {metric}", f"{test.metrics[metric]:.6g}"


@contextmanager
def _clear_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except BlurbTuneError:
        raise
    except Exception as error:  # MLflow, its client and its databases have errors of their own
        raise BlurbTuneError(f"MLflow at {redact(uri)} does not take the model: {redact_error(error, uri)}") from None
