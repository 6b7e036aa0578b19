"""Output that nobody can read: a pipe whose reader has left, a full disk, descriptors that are closed from the start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Every way in which a sweep prints; it must get to its end, which it says by a file and its exit code.
CODE = """
import logging, os, sys
from pathlib import Path
from blurb_tune.cli.streams import keep_open, output_fault
keep_open()
from rich.console import Console
from rich.live import Live
terminal = sys.argv[2] == "terminal"
out, err = Console(force_terminal=terminal), Console(stderr=True)
with Live("a view", console=out, transient=True):
    for number in range(600):
        print("line", number, flush=number % 100 == 0)
        print("error", number, file=sys.stderr)
        out.print("more", number)
        err.print("more", number)
        logging.getLogger("ray").warning("a warning")
os.system("echo from a child; echo from a child >&2")
sys.stdout.flush()
Path(sys.argv[1]).write_text(f"at its end {output_fault()}")
sys.exit(7)
"""


def arguments(tmp_path: Path, view: str = "plain", *options: str) -> list[str]:
    return [sys.executable, *options, "-c", CODE, str(tmp_path / "end"), view]


@pytest.mark.parametrize("view", ["plain", "terminal"])
@pytest.mark.parametrize("options", [[], ["-u"]], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("broken", ["stdout", "stderr"])
def test_a_program_goes_on_when_nobody_reads_what_it_prints(
    tmp_path: Path, view: str, options: list[str], broken: str
) -> None:
    with (tmp_path / "other").open("wb") as other:
        pipes = {"stdout": other, "stderr": other, broken: subprocess.PIPE}
        process = subprocess.Popen(arguments(tmp_path, view, *options), **pipes)  # type: ignore[call-overload]
        pipe = process.stdout or process.stderr
        assert pipe.readline()
        pipe.close()
        assert process.wait(timeout=60) == 7
    assert (tmp_path / "end").read_text() == "at its end None"
    assert "599" in (tmp_path / "other").read_text(), "the other stream is as it was"


def test_a_full_disk_ends_no_program_and_is_known(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(arguments(tmp_path), stdout=full, stderr=full, timeout=60)
    assert done.returncode == 7
    assert "No space left" in (tmp_path / "end").read_text()


@pytest.mark.parametrize("closed", [[1], [2], [0, 1, 2]])
def test_streams_that_are_closed_from_the_start_lead_nowhere_and_into_no_file(tmp_path: Path, closed: list[int]) -> None:
    """Not into the next file that is opened either, as what native code and child processes print would."""
    code = (
        "import os, sys\nfrom blurb_tune.cli.streams import keep_open\nkeep_open()\n"
        "file = open(sys.argv[1], 'wb', buffering=0)\n"
        "print('printed', flush=True); print('printed', file=sys.stderr)\n"
        "os.write(1, b'written'); os.write(2, b'written'); os.system('echo from a child; echo from a child >&2')\n"
        "file.write(b'log'); sys.exit(7)"
    )
    shut = "".join(f"os.close({number});" for number in closed)
    launch = f"import os, sys; {shut} os.execv(sys.executable, [sys.executable, '-c', *sys.argv[1:]])"
    done = subprocess.run([sys.executable, "-c", launch, code, str(tmp_path / "log")], capture_output=True, timeout=60)
    assert done.returncode == 7
    assert (tmp_path / "log").read_bytes() == b"log"


@pytest.mark.parametrize(("encoding", "expected"), [("ascii", b"\\xb1\\udcff\n"), ("utf-8", b"\xc2\xb1\\udcff\n")])
def test_a_letter_that_the_encoding_lacks_is_written_out(encoding: str, expected: bytes) -> None:
    """Such as of a name that is no UTF-8, which Python reads as half characters."""
    code = (
        "from blurb_tune.cli.streams import keep_open; keep_open(); import sys\n"
        "for stream in (sys.stdout, sys.stderr): print('±\\udcff', file=stream)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONIOENCODING": encoding}, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, expected)


CURVES = Path(__file__).parents[2] / "benchmarks" / "curves" / "biosses-minilm.csv"


COMMANDS = {
    "replay": ["replay", str(CURVES)],
    "replay --json": ["replay", str(CURVES), "--json"],
    "validate": ["validate", "sweeps/quickstart.yaml", "--spec-only"],
    "tasks": ["tasks"],
    "models": ["models"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_a_command_whose_answer_finds_no_room_has_failed(command: list[str]) -> None:
    """Not one whose reader has left: `replay ... | head` is all right."""
    program = [sys.executable, "-m", "blurb_tune", *command]
    root = CURVES.parents[2]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, cwd=root)
    assert (done.returncode, done.stderr) == (1, "error: the output could not be written (No space left on device)\n")
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as nobody:  # noqa: PTH123
        done = subprocess.run(program, stdout=nobody, stderr=subprocess.PIPE, text=True, timeout=120, cwd=root)
    assert (done.returncode, done.stderr) == (0, "")
