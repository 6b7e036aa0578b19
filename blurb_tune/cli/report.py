"""`report`: what a sweep has found, as a page or as text, also while it runs, also of one in a storage."""

from __future__ import annotations

import base64
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError, Problem, did_you_mean
from blurb_tune.core.paths import SweepPaths, write_atomically
from blurb_tune.log.event_log import fold_events
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.formats import FORMATS
from blurb_tune.report.provenance import Provenance, provenance_of
from blurb_tune.report.report_files import report_text, write_figures, write_page
from blurb_tune.service.client import Service
from blurb_tune.service.settings import settings
from blurb_tune.tracking.server import runs_address

KINDS = ("html", *FORMATS)
_REST = 10  # times what a page took to make, between two of them


@dataclass(frozen=True)
class Wanted:
    """kind: one of `KINDS`. to: the file, None for the usual place. figures: a folder for each figure as PNG and SVG."""

    kind: str = "html"
    to: Path | None = None
    figures: Path | None = None
    opens: bool = False


def report_command(
    sweep: str, wanted: Wanted, *, watch: bool, every: float, address: str | None, storage: str | None
) -> ExitCode:
    """Write the report of a sweep's folder, or of a sweep in a storage; with `watch` again every few seconds, until the sweep
    has ended. Nothing else in the folder is touched."""
    if wanted.kind not in KINDS:
        raise InputError([Problem("--format", f"unknown format {wanted.kind!r}{did_you_mean(wanted.kind, KINDS)}")])
    if wanted.kind != "html" and (watch or wanted.opens):
        raise InputError([Problem("--watch" if watch else "--open", "is for the page alone: leave --format out")])
    with _source(sweep, address, storage) as source:
        if not watch:
            _write(source, wanted)
            return ExitCode.DONE
        return _watch(source, wanted, every)


class _Folder:
    """A sweep's folder, of which only what is new is read again."""

    def __init__(self, paths: SweepPaths, page: Path):
        self.paths, self.page = paths, page
        self.record = SweepRecord()
        self._end = 0

    def read(self) -> bool:
        """Take in what the log has got; whether there was something."""
        before = self._end
        for end in fold_events(self.paths.events, self.record.apply, before):
            self._end = end
        return self._end > before

    @property
    def provenance(self) -> Provenance:
        return provenance_of(self.paths, runs_address(self.paths))


class _Stored(_Folder):
    """A sweep in a storage, of which log and spec are brought here each time."""

    def __init__(self, service: Service, sweep_id: str, here: Path):
        super().__init__(SweepPaths(here), Path(f"{sweep_id}.html"))
        self._service, self._id = service, sweep_id

    def read(self) -> bool:
        wanted = {self.paths.events.name, self.paths.spec.name, self.paths.delivered.name}
        for name in wanted & set(self._service.ask("files", id=self._id)["files"]):
            data = self._service.ask("file", id=self._id, name=name)["data"]
            (self.paths.root / name).write_bytes(base64.b64decode(data))
        return super().read() if self.paths.events.exists() else False


@contextmanager
def _source(sweep: str, address: str | None, storage: str | None) -> Iterator[_Folder]:
    """A folder where there is one of this name, else a sweep by its id. Raises InputError."""
    paths = SweepPaths(Path(sweep))
    if paths.events.is_file():
        yield _Folder(paths, paths.report)
        return
    if paths.root.exists() or "/" in sweep:
        raise InputError([Problem(sweep, "this is no sweep's folder; expected one with events.jsonl")])
    found = settings(address, storage)
    if found.storage is None and found.address is None:
        raise InputError(
            [Problem(sweep, "there is no such folder, and no --storage or --address to look for a sweep of this id")]
        )
    service = Service(found)
    with tempfile.TemporaryDirectory(prefix="blurb-tune-") as here:
        yield _Stored(service, str(service.ask("status", id=sweep)["id"]), Path(here))


def _write(source: _Folder, wanted: Wanted) -> None:
    source.read()
    _check_begun(source)
    if wanted.kind == "html":
        _write_page(source, wanted, 0.0)
    else:
        text = report_text(source.record, source.provenance, wanted.kind)
        if wanted.to is None:
            sys.stdout.write(text)
        else:
            _write_to(lambda to: write_atomically(to, text), wanted.to)
            print(wanted.to)
    _write_figures(source, wanted)
    if wanted.opens:
        webbrowser.open((wanted.to or source.page).resolve().as_uri())


def _watch(source: _Folder, wanted: Wanted, every: float) -> ExitCode:
    """A page that loads itself again; the last one, of a sweep that has ended or that nobody watches any more, does not. With
    it come the figures."""
    is_first = True
    try:
        while True:
            started, is_quick = time.monotonic(), not is_first  # the first page's time is that of imports
            has_news = source.read()
            runs = source.record.status == "running"
            if source.record.started is not None and (has_news or is_first):
                _write_page(source, wanted, every if runs else 0.0, quiet=not is_first)
                if is_first and wanted.opens:
                    webbrowser.open((wanted.to or source.page).resolve().as_uri())
                is_first = False
            if not runs:
                break
            time.sleep(max(every, _REST * (time.monotonic() - started) if is_quick else 0))
    except KeyboardInterrupt:
        if not is_first:
            _write_page(source, wanted, 0.0, quiet=True)
            _write_figures(source, wanted)
        raise
    _write_figures(source, wanted)
    print(f"the sweep is {source.record.status}")
    return ExitCode.DONE


def _write_page(source: _Folder, wanted: Wanted, renewed_every: float, *, quiet: bool = False) -> None:
    to = wanted.to or source.page
    _write_to(lambda to: write_page(source.record, source.provenance, to, renewed_every), to)
    if not quiet:
        print(to)


def _write_figures(source: _Folder, wanted: Wanted) -> None:
    if wanted.figures is not None:
        _write_to(lambda folder: [print(file) for file in write_figures(source.record, folder)], wanted.figures)


def _check_begun(source: _Folder) -> None:
    if source.record.started is None:
        raise BlurbTuneError(f"{source.paths.root}: the sweep has not begun: its event log is empty")


def _write_to(write: Callable[[Path], object], to: Path) -> None:
    try:
        write(to)
    except OSError as error:
        raise BlurbTuneError(f"{to}: cannot be written ({error.strerror}); --to names another file") from None
