"""How an error reaches the user: what is wrong, and an exit code; never a traceback for a mistake."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError

_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@contextmanager
def exit_codes() -> Iterator[None]:
    """Turn the errors a user can act on into messages on stderr and an exit code."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        yield
    except InputError as error:
        for problem in error.problems:
            console.print(f"[bold]{escape(problem.where)}[/]: {escape(problem.what)}")
        count = len(error.problems)
        console.print(f"[red]{count} problem{'s' if count != 1 else ''}; nothing was done[/]")
        raise typer.Exit(ExitCode.BAD_INPUT) from None
    except BlurbTuneError as error:
        console.print(f"[red]error:[/] {escape(str(error))}")
        raise typer.Exit(ExitCode.FAILED) from None
    except OSError as error:
        if error.errno not in _DISK_FAULTS:
            raise
        console.print(f"[red]error:[/] {escape(str(error.filename or 'a file'))}: {escape(str(error.strerror))}")
        raise typer.Exit(ExitCode.FAILED) from None
    except KeyboardInterrupt:
        console.print("interrupted")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
