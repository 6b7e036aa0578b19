"""How the user called this program."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    """How the user called this program, for commands to copy."""
    called = sys.argv[0]
    if Path(called).name == "__main__.py":
        return "python -m blurb_tune"
    return "blurb-tune" if shutil.which("blurb-tune") == called else os.path.relpath(called)
