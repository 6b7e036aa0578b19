"""Examples below a command's help."""

from __future__ import annotations

from rich.markup import escape


def examples(*lines: str) -> str:
    """Commands, and remarks that begin with #, each in a line. A terminal of 80 columns does not wrap lines of up to 78."""
    commands = [line for line in lines if not line.startswith("#")]
    return escape("\n".join(["Examples:" if len(commands) > 1 else "Example:", *lines]))
