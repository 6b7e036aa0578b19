"""Where files lie that outlive a machine: a folder, which may be shared, or an object store.

A file is there whole or not at all, and nothing else is asked of the place: no rename, no lock, no append, which object stores
do not have.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from blurb_tune.core.paths import expand_home, fault_of_folder

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

OBJECT_STORES = ("s3", "gs")
_PART = ".part"
_BLOCK = 1 << 22


class Storage(Protocol):
    """A place for files by name. Every method raises OSError where the place does not answer or refuses.

    It can be pickled: actors on other machines open it for themselves.
    """

    @property
    def uri(self) -> str:
        """What `open_storage` opens again."""

    def child(self, name: str) -> Storage:
        """The place below this one whose names begin with `name/`."""

    def read(self, name: str) -> bytes:
        """Raises FileNotFoundError where there is no such file."""

    def write(self, name: str, data: bytes) -> None:
        """Whole or not at all; replaces what is there."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A path of this machine to write to; behind the block it is the file `name`, after an exception it is nothing."""

    def reading(self, name: str) -> AbstractContextManager[Path]:
        """The file as a path of this machine, as long as the block lasts."""

    def names(self) -> list[str]:
        """Of all files at any depth, sorted; empty where the place itself is not there."""

    def sizes(self) -> dict[str, int]:
        """Bytes of each file, by name."""

    def last_write(self) -> float | None:
        """When the newest file was written, as time.time() counts; None where there is none."""

    def folders(self) -> list[str]:
        """What stands before the first slash of names, sorted."""

    def delete(self, name: str) -> None:
        """No error where there is no such file."""

    def clear(self) -> None:
        """Delete everything."""

    def drop_unfinished(self) -> None:
        """Remove what killed writers left half done. Nobody may be writing."""


@dataclass(frozen=True)
class FolderStorage:
    """A folder of this machine, or one that several mount."""

    root: Path

    @classmethod
    def at(cls, uri: str) -> FolderStorage:
        """The folder that a spec names."""
        return cls(expand_home(uri.removeprefix("file://")).absolute())

    @property
    def uri(self) -> str:
        return str(self.root)

    def child(self, name: str) -> FolderStorage:
        return FolderStorage(self.root / name)

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        with self.writing(name) as path:
            path.write_bytes(data)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        path = target.parent / f".{target.name}.{uuid.uuid4().hex}{_PART}"
        try:
            yield path
            _sync(path)
            path.replace(target)
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        path = self.root / name
        path.open("rb").close()
        yield path

    def names(self) -> list[str]:
        return sorted(self.sizes())

    def sizes(self) -> dict[str, int]:
        return {path.relative_to(self.root).as_posix(): stat.st_size for path, stat in self._stats()}

    def last_write(self) -> float | None:
        return max((stat.st_mtime for _, stat in self._stats()), default=None)

    def _stats(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.root.rglob("*"):
            with suppress(FileNotFoundError):  # removed meanwhile
                if path.is_file() and not path.name.startswith("."):
                    yield path, path.stat()

    def folders(self) -> list[str]:
        if not self.root.is_dir():
            return []
        return sorted(path.name for path in self.root.iterdir() if path.is_dir() and not path.name.startswith("."))

    def delete(self, name: str) -> None:
        with suppress(FileNotFoundError):
            (self.root / name).unlink()

    def clear(self) -> None:
        """What is half written goes too, and the folders with it."""
        for path in sorted(self.root.rglob("*"), key=lambda path: len(path.parts), reverse=True):
            with suppress(FileNotFoundError):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        with suppress(FileNotFoundError):
            self.root.rmdir()

    def drop_unfinished(self) -> None:
        for path in self.root.rglob(f".*{_PART}"):
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class ObjectStorage:
    """A part of a bucket, through Arrow's own clients, which take credentials and `AWS_ENDPOINT_URL` from the environment."""

    uri: str

    def child(self, name: str) -> ObjectStorage:
        return ObjectStorage(f"{self.uri.rstrip('/')}/{name}")

    def read(self, name: str) -> bytes:
        try:
            return self._read(name)
        except FileNotFoundError:
            raise
        except OSError:  # it was replaced by one of another size while it was read
            return self._read(name)

    def _read(self, name: str) -> bytes:
        with self._files.open_input_stream(self._key(name)) as file:
            data: bytes = file.read()
            return data

    def write(self, name: str, data: bytes) -> None:
        with self._files.open_output_stream(self._key(name)) as file:
            file.write(data)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="blurb-tune-") as folder:
            path = Path(folder) / Path(name).name
            yield path
            with path.open("rb") as source, self._files.open_output_stream(self._key(name)) as target:
                _copy(source, target)

    @contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="blurb-tune-") as folder:
            path = Path(folder) / Path(name).name
            with self._files.open_input_stream(self._key(name)) as source, path.open("wb") as target:
                _copy(source, target)
            yield path

    def names(self) -> list[str]:
        return sorted(self.sizes())

    def sizes(self) -> dict[str, int]:
        infos = self._infos(recursive=True)
        return {info.path.removeprefix(f"{self._root}/"): int(info.size) for info in infos if info.is_file}

    def last_write(self) -> float | None:
        return max((info.mtime_ns / 1e9 for info in self._infos(recursive=True) if info.is_file), default=None)

    def folders(self) -> list[str]:
        return sorted(info.base_name for info in self._infos(recursive=False) if not info.is_file)

    def delete(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._files.delete_file(self._key(name))

    def clear(self) -> None:
        with suppress(FileNotFoundError):
            self._files.delete_dir(self._root)

    def drop_unfinished(self) -> None:
        """Nothing: an upload that is cut short is no object."""

    def _infos(self, *, recursive: bool) -> list[Any]:
        from pyarrow.fs import FileSelector

        return list(self._files.get_file_info(FileSelector(self._root, allow_not_found=True, recursive=recursive)))

    def _key(self, name: str) -> str:
        return f"{self._root}/{name}"

    @cached_property
    def _opened(self) -> tuple[FileSystem, str]:
        from pyarrow.fs import FileSystem

        try:
            files, root = FileSystem.from_uri(self.uri)
        except ValueError as error:
            raise OSError(f"{self.uri}: {error}") from None
        return files, root.rstrip("/")

    @property
    def _files(self) -> FileSystem:
        return self._opened[0]

    @property
    def _root(self) -> str:
        return self._opened[1]

    def __getstate__(self) -> dict[str, str]:
        return {"uri": self.uri}


def open_storage(uri: str) -> Storage:
    """The storage that a spec names: `s3://bucket/path`, `gs://bucket/path`, or a folder. Nothing is asked of it yet."""
    if is_object_store(uri):
        return ObjectStorage(uri.rstrip("/"))
    return FolderStorage.at(uri)


def is_object_store(uri: str) -> bool:
    return uri.partition("://")[0] in OBJECT_STORES and "://" in uri


def fault_of_storage(storage: Storage) -> str | None:
    """Why nothing can be kept there, None where it can: it is tried."""
    if isinstance(storage, FolderStorage):
        return fault_of_folder(storage.root)
    name = f".blurb-tune-{uuid.uuid4().hex}"
    try:
        storage.write(name, b"")
        storage.read(name)
        storage.delete(name)
    except OSError as error:
        return f"nothing can be written to {storage.uri}: {error}"
    return None


def fault_of_uri(uri: str) -> str | None:
    """What is wrong with the name of a storage, None where it is one."""
    scheme, separator, _ = uri.partition("://")
    if not separator or scheme == "file":
        return None
    if scheme not in OBJECT_STORES:
        return f"expected a folder, s3://bucket/path or gs://bucket/path, but got {uri!r}"
    if "@" in urlsplit(uri).netloc or urlsplit(uri).password:
        return "a storage's keys come from the environment (such as AWS_ACCESS_KEY_ID), not from its address"
    if not urlsplit(uri).netloc:
        return f"expected a bucket, such as {scheme}://bucket/path, but got {uri!r}"
    return None


def _copy(source: IO[bytes], target: Any) -> None:
    while block := source.read(_BLOCK):
        target.write(block)


def _sync(path: Path) -> None:
    """A machine that loses its power must not leave an empty file under the final name."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
