"""Every path inside a sweep's folder, built in one place."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

SQLITE = "sqlite:///"  # of a URL, whose file's name comes behind it


@dataclass(frozen=True)
class SweepPaths:
    """The files of one sweep. Everything but `events` and `spec` can be rebuilt from the event log."""

    root: Path

    @property
    def spec(self) -> Path:
        """The resolved spec, every default written out."""
        return self.root / "spec.yaml"

    @property
    def events(self) -> Path:
        """The event log, the single source of truth."""
        return self.root / "events.jsonl"

    @property
    def trials(self) -> Path:
        return self.root / "trials.csv"

    @property
    def configurations(self) -> Path:
        return self.root / "configurations.csv"

    @property
    def summary(self) -> Path:
        return self.root / "summary.json"

    @property
    def plot(self) -> Path:
        """The figure of all seeds (`report.figures`)."""
        return self.root / "scores.png"

    @property
    def report(self) -> Path:
        """The report as a page (`report.page`)."""
        return self.root / "report.html"

    @property
    def weights(self) -> Path:
        """Weights of the trials that may still win, and of the winner's in the end, where the spec names no other folder."""
        return self.root / "weights"

    @property
    def mlflow_store(self) -> Path:
        """MLflow's SQLite database when the spec names no tracking server."""
        return self.root / "mlflow.db"

    @property
    def mlflow_artifacts(self) -> Path:
        return self.root / "mlflow-artifacts"

    @property
    def delivered(self) -> Path:
        """How far the event log has been delivered to MLflow."""
        return self.root / "tracking.json"

    @property
    def lock(self) -> Path:
        """Held by the driver, the one writer of the log."""
        return self.root / ".lock"

    @property
    def tracking_lock(self) -> Path:
        """Held by whoever delivers the log to MLflow."""
        return self.root / ".tracking.lock"


# What lies beside the log of a sweep that was submitted (`service.kept_sweeps`), and may be there before its first event.
OF_THE_SERVICE = frozenset({"sweep.json", "status.json", "ended.json", "submitted", "claims", "control", "logs"})


def expand_home(name: str) -> Path:
    """The path that a user spells out; a `~name` that is no user's stays as it is."""
    with suppress(RuntimeError):
        return Path(name).expanduser()
    return Path(name)


def whole_path(name: str, base: Path) -> str:
    """A path that begins at `base`, from the root; a whole one, and what has a scheme (`hf://`), stays as it is."""
    if "://" in name:
        return name
    path = expand_home(name)
    return str(path if path.is_absolute() else (base / path).resolve())


def whole_address(uri: str, base: Path) -> str:
    """An address of which a path is part, that of an SQLite file, with the whole path; others as they are."""
    name, mark, query = uri.removeprefix(SQLITE).partition("?")
    if not uri.startswith(SQLITE) or name in ("", ":memory:") or name.startswith(("file:", "$")):
        return uri
    return f"{SQLITE}{whole_path(name, base)}{mark}{query}"


def fault_of_folder(folder: Path) -> str | None:
    """Why files cannot be written to `folder`, which need not be there yet; None where they can.

    It is tried: rights do not tell of everything, such as of /proc, where not even root can make a folder.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.access(path, os.F_OK))
    if not there.is_dir():
        return f"expected a folder, but {there} is a file"
    try:
        Path(tempfile.mkdtemp(dir=there, prefix=".blurb-tune-")).rmdir()
    except OSError as error:
        return f"nothing can be written to {there}: {error.strerror}"
    return None


def open_file(path: Path) -> BufferedReader:
    """Open a file for reading. Raises OSError for a pipe or a device too, which may have no end, or nobody who writes."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(mode := os.fstat(handle).st_mode):
        os.close(handle)
        is_folder = stat.S_ISDIR(mode)
        what = "Is a directory" if is_folder else "it is a pipe or a device, not a file"
        raise OSError(errno.EISDIR if is_folder else errno.EINVAL, what, str(path))
    return os.fdopen(handle, "rb")


def read_file(path: Path) -> bytes:
    """All of a file, as `open_file` opens it."""
    with open_file(path) as file:
        return file.read()


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Write `content` beside `path` and rename it into place, so that a reader never sees half a file.

    What is not for all eyes, by the bits of `mode`, is for no moment open to them. Raises OSError, which names `path`.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:  # a Ctrl-C too leaves no half file behind
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
