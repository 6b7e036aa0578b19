"""What a sweep has found, read from its event log."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blurb_tune.api.frames import configurations_frame, measurements_frame, trials_frame
from blurb_tune.api.results import ConfigurationResult, TrialResult, configuration_result, trial_result
from blurb_tune.core.combination import method_of
from blurb_tune.core.errors import InputError, Problem, did_you_mean
from blurb_tune.core.paths import SweepPaths
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.answer import Answer, answer_of
from blurb_tune.report.claims import Claim, Confirmation, claims_of, confirmation_of
from blurb_tune.report.final_scores import FinalResult, final_results
from blurb_tune.report.summary import summarize

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from blurb_tune.cli.run import SweepRun
    from blurb_tune.cli.view import View


class Sweep:
    """What a sweep has found so far; see `open`."""

    def __init__(self, folder: Path, record: SweepRecord):
        self.folder, self._record = folder, record

    def __repr__(self) -> str:
        return f"<Sweep {self.name}: {self.task}, {self.status}, {len(self._record.configurations)} configurations>"

    @property
    def name(self) -> str:
        """As the spec has it."""
        return self._record.header.name

    @property
    def id(self) -> str:
        """Unique, and the same for all drivers of the sweep."""
        return self._record.header.sweep_id

    @property
    def task(self) -> str:
        """The name of the data set."""
        return self._record.header.task

    @property
    def metric(self) -> str:
        """The score; higher is better."""
        return self._record.header.metric

    @property
    def objective(self) -> str:
        """What makes one number of a configuration's seeds."""
        return self._record.header.objective

    @property
    def models(self) -> tuple[str, ...]:
        """As the spec names them."""
        return tuple(self._record.header.models)

    @property
    def status(self) -> str:
        """`running`, `finished` or `interrupted`, as far as the log says."""
        return self._record.status

    @cached_property
    def configurations(self) -> tuple[ConfigurationResult, ...]:
        """In the order in which they were suggested."""
        return tuple(configuration_result(self._record, name) for name in self._record.configurations)

    @cached_property
    def trials(self) -> tuple[TrialResult, ...]:
        """In the order of their start."""
        return tuple(trial_result(self._record, trial) for trial in self._record.trials.values())

    def configuration(self, configuration_id: str) -> ConfigurationResult:
        """The one of this id. Raises KeyError with the nearest one."""
        if configuration_id not in self._record.configurations:
            hint = did_you_mean(configuration_id, self._record.configurations)
            raise KeyError(f"no configuration {configuration_id!r}{hint}")
        return next(of for of in self.configurations if of.id == configuration_id)

    @property
    def winner(self) -> ConfigurationResult | None:
        """As it was named when the search was over; None before, and where nothing was learned."""
        selection = self._record.selection
        return self.configuration(selection.configuration) if selection else None

    @property
    def best(self) -> ConfigurationResult | None:
        """The one that would be named now; None while nothing has a result."""
        found = self._record.best_configuration()
        return self.configuration(found.name) if found else None

    @property
    def vanilla(self) -> Mapping[str, ConfigurationResult]:
        """By model the best configuration of plain fine-tuning, the reference of all claims."""
        return {model: self.configuration(of.name) for model, of in self._record.references().items()}

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """Each strategy beside vanilla on dev, by the seeds of the search, with Holm's correction over all."""
        return tuple(claims_of(self._record))

    @property
    def confirmation(self) -> Confirmation | None:
        """Winner and vanilla on fresh seeds; None without."""
        return confirmation_of(self._record)

    @property
    def test(self) -> tuple[FinalResult, ...]:
        """Winner and vanilla on the test split; empty where it has not been read."""
        return tuple(final_results(self._record))

    @property
    def answer(self) -> Answer:
        """Three sentences: the recipe, how sure that is, and what to keep in mind."""
        return answer_of(self._record)

    def summary(self) -> dict[str, Any]:
        """What summary.json holds."""
        return summarize(self._record)

    def trials_dataframe(self) -> DataFrame:
        """A row per trial that has begun, in the order of their start: the columns of trials.csv."""
        return trials_frame(self._record)

    def configurations_dataframe(self) -> DataFrame:
        """A row per configuration, in the order of suggestion: the columns of configurations.csv."""
        return configurations_frame(self._record)

    def measurements_dataframe(self) -> DataFrame:
        """A row per evaluation of each trial, of its latest attempt: the fields of `Measurement`, and its further metrics as
        `dev_<name>`."""
        return measurements_frame(self._record)

    def plot(self, name: str = "seeds") -> Figure:
        """A figure of the report as one of matplotlib.

        name: `seeds`, `profile`, `expected-best`, `curves`, `importances`, `slices`, `parallel`, `pareto` or `timeline`.
        Raises InputError for another one, and while the sweep has nothing to show in it.
        """
        # The figures bring Optuna in, which takes a second.
        from blurb_tune.report.figures import FIGURES, figure_of
        from blurb_tune.report.figures.artists import matplotlib_figure

        if name not in FIGURES:
            raise InputError([Problem("name", f"unknown figure {name!r}{did_you_mean(name, FIGURES)}")])
        if (figure := figure_of(self._record, name)) is None:
            raise InputError([Problem("name", f"this sweep has nothing to show in the figure {name!r}")])
        return matplotlib_figure(figure)

    def report(self, kind: str = "html") -> str:
        """The report as `html`, `md`, `csv`, `json` or `latex`. Raises InputError for another kind."""
        # The figures bring Optuna in, which takes a second.
        from blurb_tune.report.formats import FORMATS
        from blurb_tune.report.provenance import provenance_of
        from blurb_tune.report.report_files import report_text

        if kind not in ("html", *FORMATS):
            raise InputError([Problem("kind", f"unknown format {kind!r}{did_you_mean(kind, ('html', *FORMATS))}")])
        return report_text(self._record, provenance_of(SweepPaths(self.folder)), kind)

    def export(
        self,
        to: str | Path,
        *,
        trial: str | None = None,
        median: bool = False,
        soup: str | None = None,
        ensemble: bool = False,
        onnx: bool = False,
        register: str | None = None,
        push: str | None = None,
    ) -> Path:
        """Write a run's model to the new folder `to`, as `blurb-tune export` does; returns the folder.

        The winner's best run on dev, with `median` its median one, or the one that `trial` names; or several as one model,
        with `soup` (`greedy` or `uniform`) or `ensemble`. onnx: as an ONNX file too. register: a name in MLflow's registry.
        push: `owner/name` on the hub. With either, a folder that holds this model already is sent on as it is. Raises
        InputError and BlurbTuneError.
        """
        from blurb_tune.release.export import export
        from blurb_tune.release.onward import Onward

        method = method_of(soup, ensemble=ensemble)
        onward, paths = Onward(onnx, register, push), SweepPaths(self.folder)
        onward.check()
        done = export(paths, Path(to), trial=trial, median=median, method=method, onnx=onnx, again=onward.leaves)
        onward.send(paths, done)
        return done.folder

    def best_model(self, *, trial: str | None = None, median: bool = False) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        """The model of transformers that `export` would write, in evaluation mode, and its tokenizer. Raises the same."""
        from blurb_tune.release.answering import as_released
        from blurb_tune.release.loading import load_model

        with tempfile.TemporaryDirectory(prefix="blurb-tune-") as scratch:
            model, tokenizer, facts = load_model(self.export(Path(scratch) / "model", trial=trial, median=median))
        return as_released(model, facts.as_task().kind), tokenizer

    def extend(
        self,
        *,
        seeds: int | None = None,
        configurations: int | None = None,
        confirm: int | None = None,
        budget: Mapping[str, Any] | None = None,
        quiet: bool = False,
    ) -> Sweep:
        """Make the sweep larger and run what it lacks, as `blurb-tune extend` does; opened anew. Without anything to grow by,
        one that was interrupted goes on.

        seeds: of each configuration, in all. configurations: in all. confirm: fresh seeds of winner and vanilla, in all.
        budget: settings in place of the old ones, such as `{"trials": 200}`; an empty one lifts it. quiet, and what is
        raised: as for `run`.
        """
        from blurb_tune.api.driving import drive

        def begin(view: View) -> SweepRun:
            from blurb_tune.cli.extend import Growth, extend_sweep

            settings = [f"{name}={json.dumps(value)}" for name, value in (budget or {}).items()]
            lifted = ["none"] if budget is not None and not settings else []
            growth = Growth(seeds, configurations, confirm, settings or lifted, prefix="")
            return extend_sweep(SweepPaths(self.folder), growth, view)

        paths, record = drive(str(self.folder), begin, quiet=quiet)
        return Sweep(paths.root, record)

    def refresh(self) -> Sweep:
        """The sweep as it is now, with what the log has got since."""
        return open(self.folder)


def open(folder: str | Path) -> Sweep:
    """A sweep's results, also while it runs.

    Raises InputError when the folder holds no sweep, and BlurbTuneError when its log is damaged.
    """
    paths = SweepPaths(Path(folder))
    if not paths.events.is_file():
        raise InputError([Problem(str(folder), "this is no sweep's folder; expected one with events.jsonl")])
    record = SweepRecord.read(paths.events)
    if record.started is None:
        raise InputError([Problem(str(folder), "the event log of this sweep is empty: nothing has run yet")])
    return Sweep(paths.root, record)
