"""The command line."""

import gc
import signal
import sys


def main() -> None:
    """Run the command that the user called, and end the process with its exit code.

    The imports are inside because a Ctrl-C may come while they run.
    """
    gc.set_threshold(20_000)  # at every 700 new objects, looking for garbage takes a fifth of the imports' time
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):  # they count as Ctrl-C: what is half done is taken away, or kept whole
            if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
                signal.signal(number, signal.default_int_handler)
        _leave_working_folder()
        from blurb_tune.cli.streams import keep_open

        keep_open()
        from blurb_tune.cli.app import app

        app()
    except KeyboardInterrupt:
        from blurb_tune.core.errors import ExitCode

        print("interrupted", file=sys.stderr)
        sys.exit(ExitCode.INTERRUPTED)
    finally:
        gc.freeze()  # the interpreter looks at its end for garbage among all that was imported, for seconds


def _leave_working_folder() -> None:
    """`python -m` imports from the working folder first, in which a file of the user's may be called `statistics.py`.

    It stays where this package lies there.
    """
    home = __file__.rpartition("/blurb_tune/")[0]
    if not sys.flags.safe_path and sys.argv[0].endswith("__main__.py") and sys.path[0] != home:
        del sys.path[0]


__all__ = ["main"]
