"""The command line."""

from blurb_tune.cli.app import main

__all__ = ["main"]
