"""The commands for sweeps on a cluster: parse, call, print."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from blurb_tune.cli.exit_codes import exit_codes
from blurb_tune.cli.help_examples import examples
from blurb_tune.core.errors import BlurbTuneError

_PANEL = "Sweeps on a Ray cluster"

Spec = Annotated[Path, typer.Argument(help="the sweep, a YAML file", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="override a setting of the spec; may be given many times"),
]
SweepId = Annotated[str, typer.Argument(metavar="ID", help="a sweep's id, or its beginning", show_default=False)]
Address = Annotated[
    str | None,
    typer.Option(help="the cluster's job server, http://HEAD:8265", show_default="RAY_ADDRESS, then the user's settings"),
]
StorageUri = Annotated[
    str | None,
    typer.Option(
        "--storage",
        help="where sweeps are kept; read from here where it can be, else through the cluster",
        show_default="BLURB_TUNE_STORAGE, then the user's settings",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON, nothing else")]
Wait = Annotated[bool, typer.Option("--wait", help="follow its log, and end with its exit code; Ctrl-C leaves it alone")]


@contextmanager
def _service(*, prints: bool = False) -> Iterator[None]:
    with exit_codes(prints=prints):
        try:
            yield
        except ImportError as error:
            raise BlurbTuneError(f"{error}; this command needs `pip install 'blurb-tune[cluster]'`") from None


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""

    @app.command(
        rich_help_panel=_PANEL,
        epilog=examples(
            "blurb-tune submit my-sweep.yaml --address http://head:8265",
            "blurb-tune submit my-sweep.yaml --set seeds=10 --wait",
            "blurb-tune submit my-sweep.yaml --dry-run",
        ),
    )
    def submit(
        spec: Spec,
        overrides: Overrides = None,
        address: Address = None,
        storage: StorageUri = None,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
        wait: Wait = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="check here and on the cluster, send nothing")] = False,
        as_json: Json = False,
    ) -> None:
        """Check a sweep here and on the cluster, and run it there; this machine may go away then."""
        with _service():
            from blurb_tune.cli.submission import submit_command

            code = submit_command(
                spec, overrides or [], address, storage, yes=yes, wait=wait, dry_run=dry_run, as_json=as_json
            )
        raise typer.Exit(code)

    @app.command(name="list", rich_help_panel=_PANEL, epilog=examples("blurb-tune list --storage s3://team/sweeps"))
    def list_(address: Address = None, storage: StorageUri = None, as_json: Json = False) -> None:
        """All sweeps of a storage, also those whose cluster is gone."""
        with _service(prints=True):
            from blurb_tune.cli.service import list_command

            list_command(address, storage, as_json=as_json)

    @app.command(rich_help_panel=_PANEL, epilog=examples("blurb-tune status quickstart-1a"))
    def status(sweep_id: SweepId, address: Address = None, storage: StorageUri = None, as_json: Json = False) -> None:
        """How a sweep stands: trials by outcome, slots, what it waits for, its last events and addresses."""
        with _service(prints=True):
            from blurb_tune.cli.service import status_command

            status_command(sweep_id, address, storage, as_json=as_json)

    @app.command(
        rich_help_panel=_PANEL,
        epilog=examples("blurb-tune logs -f quickstart-1a", "blurb-tune logs quickstart-1a --trial c000-s1"),
    )
    def logs(
        sweep_id: SweepId,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until the sweep has ended")] = False,
        trial: Annotated[str | None, typer.Option(help="the log of this trial, not the driver's")] = None,
        address: Address = None,
        storage: StorageUri = None,
    ) -> None:
        """What a sweep's driver, or one trial, has printed; from the storage, so also when the cluster is lost."""
        with _service(prints=True):
            from blurb_tune.cli.service import logs_command

            logs_command(sweep_id, trial, address, storage, follow=follow)

    @app.command(rich_help_panel=_PANEL, epilog=examples("blurb-tune stop quickstart-1a"))
    def stop(sweep_id: SweepId, address: Address = None, storage: StorageUri = None, as_json: Json = False) -> None:
        """End a sweep: trials at work leave a checkpoint, its slots are free within seconds, `resume` goes on."""
        with _service():
            from blurb_tune.cli.submission import ask_command

            code = ask_command("stop", sweep_id, address, storage, as_json=as_json)
        raise typer.Exit(code)

    @app.command(rich_help_panel=_PANEL, epilog=examples("blurb-tune pause quickstart-1a"))
    def pause(sweep_id: SweepId, address: Address = None, storage: StorageUri = None, as_json: Json = False) -> None:
        """Free a sweep's slots for others, to go on later."""
        with _service():
            from blurb_tune.cli.submission import ask_command

            code = ask_command("pause", sweep_id, address, storage, as_json=as_json)
        raise typer.Exit(code)

    @app.command(rich_help_panel=_PANEL, epilog=examples("blurb-tune resume quickstart-1a --address http://other:8265"))
    def resume(
        sweep_id: SweepId, address: Address = None, storage: StorageUri = None, wait: Wait = False, as_json: Json = False
    ) -> None:
        """Go on with a sweep that was stopped, paused or lost, on any cluster that reaches its storage."""
        with _service():
            from blurb_tune.cli.submission import resume_command

            code = resume_command(sweep_id, address, storage, wait=wait, as_json=as_json)
        raise typer.Exit(code)

    @app.command(
        rich_help_panel=_PANEL,
        epilog=examples(
            "blurb-tune change quickstart-1a --set resources.concurrency=4",
            "blurb-tune change quickstart-1a --set seeds=20 --set budget.wall_time=8h",
        ),
    )
    def change(
        sweep_id: SweepId,
        sets: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="KEY.PATH=VALUE", help="slots, priority, budget, seeds, configurations, confirm"),
        ] = None,
        address: Address = None,
        storage: StorageUri = None,
        as_json: Json = False,
    ) -> None:
        """Change slots, budget or size of a sweep, also while it runs; nothing runs twice."""
        with _service():
            from blurb_tune.cli.submission import ask_command

            code = ask_command("change", sweep_id, address, storage, sets=sets or [], as_json=as_json)
        raise typer.Exit(code)

    @app.command(rich_help_panel=_PANEL, epilog=examples("blurb-tune retry quickstart-1a"))
    def retry(sweep_id: SweepId, address: Address = None, storage: StorageUri = None, as_json: Json = False) -> None:
        """Run the trials that errored, and the final tests that failed, once more, and nothing else."""
        with _service():
            from blurb_tune.cli.submission import ask_command

            code = ask_command("retry", sweep_id, address, storage, as_json=as_json)
        raise typer.Exit(code)

    @app.command(rich_help_panel=_PANEL, epilog=examples("blurb-tune fetch quickstart-1a --to runs"))
    def fetch(
        sweep_id: SweepId,
        to: Annotated[Path, typer.Option("--to", help="where the sweep gets a folder")] = Path("runs"),
        address: Address = None,
        storage: StorageUri = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="do not list the files")] = False,
    ) -> None:
        """Bring a sweep's folder here: log, tables, plot, weights."""
        with _service():
            from blurb_tune.cli.service import fetch_command

            fetch_command(sweep_id, to, address, storage, quiet=quiet)

    @app.command(name="open", rich_help_panel=_PANEL, epilog=examples("blurb-tune open quickstart-1a"))
    def open_(sweep_id: SweepId, address: Address = None, storage: StorageUri = None) -> None:
        """Open a sweep's dashboard in the browser."""
        with _service():
            from blurb_tune.cli.service import open_command

            open_command(sweep_id, address, storage)

    @app.command(rich_help_panel=_PANEL, epilog=examples("blurb-tune doctor --address http://head:8265 --gpus 1"))
    def doctor(
        address: Address = None,
        storage: StorageUri = None,
        gpus: Annotated[float, typer.Option(min=0, help="GPUs of a trial")] = 0.0,
        tracking: Annotated[str | None, typer.Option(help="MLflow server that the nodes must reach")] = None,
        as_json: Json = False,
    ) -> None:
        """What a cluster lacks for sweeps, each with its cure."""
        with _service(prints=True):
            from blurb_tune.cli.service import doctor_command

            code = doctor_command(address, storage, gpus=gpus, tracking=tracking, as_json=as_json)
        raise typer.Exit(code)

    @app.command(rich_help_panel=_PANEL, epilog=examples("blurb-tune prune --storage s3://team/sweeps --dry-run"))
    def prune(
        storage: StorageUri = None,
        days: Annotated[
            float, typer.Option(min=0, help="since a cache of this machine was used, or an unfinished `submit` wrote")
        ] = 30.0,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="show it, remove nothing")] = False,
    ) -> None:
        """Remove checkpoints, caches and folders that no sweep needs; logs, tables and winners' weights stay."""
        with _service(prints=True):
            from blurb_tune.cli.service import prune_command

            code = prune_command(None, storage, days=days, yes=yes, dry_run=dry_run)
        raise typer.Exit(code)

    @app.command(hidden=True)
    def drive(sweep_id: str, storage: Annotated[str, typer.Option("--storage")]) -> None:
        """What runs on the cluster for a submitted sweep."""
        with exit_codes():
            from blurb_tune.cli.drive import drive_command

            code = drive_command(storage, sweep_id)
        raise typer.Exit(code)
