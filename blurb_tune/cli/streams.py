"""Standard output and standard error that may break: nobody has to read what a sweep prints."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Unbroken(io.FileIO):
    """A file descriptor that leads nowhere from the first write on that fails.

    The descriptor itself is turned to the null device, so that native code and child processes that write to it go on too,
    and nothing is left for the interpreter to stumble over at its end.
    """

    def __init__(self, number: int):
        super().__init__(number, "w", closefd=False)
        self.fault: OSError | None = None

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.fault = error
            _to_nowhere(self.fileno())
            return memoryview(data).nbytes


def keep_open() -> None:
    """From now on nothing that is printed can end this process: no reader that leaves, such as `head -1`, and no full disk.

    A descriptor that the caller has closed leads nowhere; else the next file to be opened, such as the event log, would get
    its number, and whatever native code prints with it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            _to_nowhere(number)
    sys.stdout = _unbreakable(sys.stdout, 1)
    sys.stderr = _unbreakable(sys.stderr, 2)


def output_fault() -> OSError | None:
    """Why standard output could not be written whole; None where it could, or where its reader has left."""
    raw = getattr(sys.stdout, "buffer", None)
    raw = getattr(raw, "raw", raw)
    fault = raw.fault if isinstance(raw, _Unbroken) else None
    return None if fault is None or fault.errno == errno.EPIPE else fault


def _unbreakable(stream: TextIO | None, number: int) -> TextIO:
    """The same stream, of the same encoding and buffering; None is one that was closed when the interpreter started.

    What its encoding lacks, such as a letter of a file's name on a terminal that knows ASCII, is written out (`\\xe9`).
    """
    if stream is None:
        return io.TextIOWrapper(io.BufferedWriter(_Unbroken(number)), encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    stream.flush()
    raw = _Unbroken(stream.fileno())
    return io.TextIOWrapper(
        raw if isinstance(stream.buffer, io.RawIOBase) else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == number:
        os.set_inheritable(number, True)
    else:
        os.dup2(nowhere, number)
        os.close(nowhere)
