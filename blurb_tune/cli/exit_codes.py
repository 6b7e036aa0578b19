"""How an error reaches the user: what is wrong, and an exit code; never a traceback for a mistake."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

from blurb_tune.cli.streams import output_fault
from blurb_tune.core.errors import BlurbTuneError, ExitCode, InputError, visible
from blurb_tune.core.secrets import redact

_MOST_SHOWN = 10_000
_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@contextmanager
def exit_codes(*, prints: bool = False) -> Iterator[None]:
    """Turn the errors a user can act on into messages on stderr and an exit code.

    prints: what the command prints is what it is for, so that one whose output cannot be written whole has failed.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        yield
        if prints:
            sys.stdout.flush()
            if fault := output_fault():
                raise BlurbTuneError(f"the output could not be written ({fault.strerror})")
    except InputError as error:
        for problem in error.problems:
            console.print(f"[bold]{_for_terminal(problem.where)}[/]: {_for_terminal(problem.what)}")
        count = len(error.problems)
        console.print(f"[red]{count} problem{'s' if count != 1 else ''}; nothing was done[/]")
        raise typer.Exit(ExitCode.BAD_INPUT) from None
    except BlurbTuneError as error:
        console.print(f"[red]error:[/] {_for_terminal(str(error))}")
        raise typer.Exit(ExitCode.FAILED) from None
    except OSError as error:
        if error.errno not in _DISK_FAULTS:
            raise
        console.print(f"[red]error:[/] {_for_terminal(str(error.filename or 'a file'))}: {_for_terminal(str(error.strerror))}")
        raise typer.Exit(ExitCode.FAILED) from None
    except KeyboardInterrupt:
        console.print("interrupted")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _for_terminal(text: str) -> str:
    if len(text) > _MOST_SHOWN:
        text = f"{text[: _MOST_SHOWN // 2]} ... {text[-_MOST_SHOWN // 2 :]}"
    return escape(visible(redact(text)))
