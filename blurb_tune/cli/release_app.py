"""The commands from a sweep's winner to predictions: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blurb_tune.cli.exit_codes import exit_codes
from blurb_tune.cli.help_examples import examples
from blurb_tune.cli.sweep_dir import paths_of
from blurb_tune.core.combination import method_of
from blurb_tune.core.errors import InputError, Problem

_PANEL = "From the winner to a model"


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""

    @app.command(
        rich_help_panel=_PANEL,
        epilog=examples(
            "blurb-tune export runs/biosses-1a2b3c4d --to my-model",
            "blurb-tune export runs/biosses-1a2b3c4d --median --to my-model",
            "blurb-tune export runs/biosses-1a2b3c4d --ensemble --to my-model",
            "blurb-tune export runs/biosses-1a2b3c4d --to my-model --onnx",
            "# to a registry, to the hub; a folder that is there already is sent as it is",
            "blurb-tune export runs/biosses-1a2b3c4d --to my-model --register biosses",
            "blurb-tune export runs/biosses-1a2b3c4d --to my-model --push lab/biosses",
        ),
    )
    def export(
        sweep_dir: Annotated[Path, typer.Argument(help="a sweep's folder", show_default=False)],
        to: Annotated[Path, typer.Option("--to", help="the model's folder, which is made", show_default=False)],
        trial: Annotated[str | None, typer.Option("--trial", help="the run", show_default="the winner's best on dev")] = None,
        median: Annotated[bool, typer.Option("--median", help="the winner's median run on dev, not its best")] = False,
        soup: Annotated[
            str | None,
            typer.Option(
                "--soup",
                metavar="greedy|uniform",
                help="the mean of the weights of the winner's runs that share their initialization",
                show_default=False,
            ),
        ] = None,
        ensemble: Annotated[bool, typer.Option("--ensemble", help="the winner's runs, whose outputs are averaged")] = False,
        onnx: Annotated[bool, typer.Option("--onnx", help="write onnx/model.onnx too, checked against PyTorch")] = False,
        name: Annotated[
            str | None, typer.Option("--register", metavar="NAME", help="register it in MLflow", show_default=False)
        ] = None,
        push: Annotated[
            str | None, typer.Option(metavar="OWNER/NAME", help="upload it to the hub, as a private model", show_default=False)
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="print JSON, nothing else")] = False,
    ) -> None:
        """Write a run's model as a folder that Hugging Face's from_pretrained and pipeline load, with a model card.

        Where a registry or the hub does not take it, the folder stays, and the same command goes on from there.
        """
        from blurb_tune.cli.export import export_command
        from blurb_tune.release.onward import Onward

        with exit_codes(prints=True):
            if trial is not None and median:
                raise InputError([Problem("--median", "is of the winner's runs; --trial names one already")])
            method, onward = method_of(soup, ensemble=ensemble), Onward(onnx, name, push)
            export_command(paths_of(sweep_dir), to, trial, median=median, method=method, onward=onward, as_json=as_json)

    @app.command(
        rich_help_panel=_PANEL,
        epilog=examples(
            "blurb-tune predict my-model notes.csv --to predicted.csv",
            "blurb-tune predict my-model notes.parquet --to predicted.jsonl",
        ),
    )
    def predict(
        model: Annotated[Path, typer.Argument(help="a folder that `export` wrote", show_default=False)],
        file: Annotated[Path, typer.Argument(help="CSV, TSV, JSON Lines or Parquet", show_default=False)],
        to: Annotated[Path, typer.Option("--to", help="the table to write, of any of these", show_default=False)],
        batch_size: Annotated[int, typer.Option(min=1, help="texts in memory at a time")] = 32,
    ) -> None:
        """Predict for the rows of a table, with texts cut and entities marked as in training."""
        from blurb_tune.cli.predict import predict_command

        with exit_codes(prints=True):
            predict_command(model, file, to, batch_size=batch_size)

    @app.command(
        rich_help_panel=_PANEL,
        epilog=examples(
            "blurb-tune serve my-model --port 5002",
            "# it prints a line for curl, with the columns of the task",
        ),
    )
    def serve(
        model: Annotated[Path, typer.Argument(help="a folder that `export` wrote", show_default=False)],
        host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
        port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 5002,
    ) -> None:
        """Answer requests for predictions by HTTP, with MLflow's own server, until Ctrl-C.

        Whoever reaches the address is answered: there is no login.
        """
        from blurb_tune.cli.serve import serve_command

        with exit_codes():
            serve_command(model, host, port)
