"""Output whose reader is gone."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
from blurb_tune.cli.streams import Unbroken
sys.stdout = Unbroken(sys.stdout)
from rich.console import Console
console = Console(force_terminal={terminal})
for number in range(20000):
    print("line", number, flush=number % 100 == 0)
    console.print("more", number)
sys.stderr.write("at its end")
"""


def test_a_program_goes_on_when_nobody_reads_what_it_prints() -> None:
    for terminal in (False, True):
        code = CODE.format(terminal=terminal)
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"line 0\n"
        process.stdout.close()
        assert process.stderr.read() == b"at its end"
        process.stderr.close()
        assert process.wait(timeout=60) == 0
