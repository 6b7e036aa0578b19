"""The commands about tasks, their data, and models: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blurb_tune.cli import listings
from blurb_tune.cli.exit_codes import exit_codes
from blurb_tune.cli.help_examples import examples


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""

    @app.command()
    def tasks(as_json: Annotated[bool, typer.Option("--json", help="print the list as JSON, nothing else")] = False) -> None:
        """List the tasks that a spec can name."""
        with exit_codes(prints=True):
            listings.print_tasks(as_json=as_json)

    @app.command(
        name="import-data",
        epilog=examples(
            "blurb-tune import-data LinkBERT/data --to blurb", "blurb-tune import-data my-corpus --task bc2gm --to blurb"
        ),
    )
    def import_data(
        source: Annotated[
            Path,
            typer.Argument(
                help="folder with the train, dev and test files of a data set, or with several", show_default=False
            ),
        ],
        to: Annotated[Path, typer.Option("--to", help="where each data set gets a folder", show_default=False)],
        task: Annotated[str | None, typer.Option(help="which data set it is", show_default="by the folders' names")] = None,
        force: Annotated[bool, typer.Option("--force", help="replace data sets that are there already")] = False,
    ) -> None:
        """Copy BLURB data sets from other formats to folders that a sweep reads; every row is checked.

        Reads LinkBERT's folders, CoNLL files (a word and its tag a line), and JSON, CSV, TSV or Parquet with the task's
        columns.
        """
        from blurb_tune.cli.import_data import import_command

        with exit_codes():
            import_command(source, to, task, force=force)

    @app.command()
    def models(as_json: Annotated[bool, typer.Option("--json", help="print the list as JSON, nothing else")] = False) -> None:
        """List the models that a spec can name, besides local folders and hub ids."""
        with exit_codes(prints=True):
            listings.print_models(as_json=as_json)
