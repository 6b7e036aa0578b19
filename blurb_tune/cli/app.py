"""The commands: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import blurb_tune
from blurb_tune.cli.data_app import register as register_data
from blurb_tune.cli.exit_codes import exit_codes
from blurb_tune.cli.help_examples import examples
from blurb_tune.cli.release_app import register as register_release
from blurb_tune.cli.service_app import register as register_service
from blurb_tune.cli.sweep_dir import paths_of
from blurb_tune.execution.forkserver import fork_server

EXAMPLES = examples(
    "# a small sweep that needs no data and no GPU",
    "blurb-tune run sweeps/quickstart.yaml",
    "# check everything and print the plan; run nothing",
    "blurb-tune validate my-sweep.yaml",
    "# settings of the spec, overridden",
    "blurb-tune run my-sweep.yaml --set seeds=10 --set resources.gpus=1",
    "# MLflow's dashboard on a sweep's runs",
    "blurb-tune ui runs/quickstart-1a2b3c4d",
)

app = typer.Typer(
    name="blurb-tune",
    help="Find the fine-tuning recipe that is good every time.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Spec = Annotated[Path, typer.Argument(help="the sweep, a YAML file", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY.PATH=VALUE", help="override a setting of the spec; may be given many times"),
]
SweepDir = Annotated[Path, typer.Argument(help="a sweep's folder, such as runs/quickstart-1a2b3c4d", show_default=False)]


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"blurb-tune {blurb_tune.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and leave")
    ] = False,
) -> None:
    pass


@app.command(epilog=examples("blurb-tune validate my-sweep.yaml --set space.epochs=5"))
def validate(
    spec: Spec,
    overrides: Overrides = None,
    spec_only: Annotated[
        bool, typer.Option("--spec-only", help="leave out what depends on this machine: data, weights, GPUs, tracking server")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the plan as JSON, nothing else")] = False,
) -> None:
    """Check a spec and everything it names, and print the plan. Runs nothing."""
    from blurb_tune.cli.plan import print_plan
    from blurb_tune.preflight import make_plan
    from blurb_tune.spec import load_spec

    with exit_codes(prints=True):
        print_plan(make_plan(load_spec(spec, overrides or []), check_machine=not spec_only), as_json=as_json)


@app.command(epilog=examples("blurb-tune run sweeps/biosses.yaml --output runs/biosses --set seeds=10"))
def run(
    spec: Spec,
    overrides: Overrides = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="the sweep's folder", show_default="runs/<name>-<id>")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="print errors and the sweep's folder, nothing else")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the summary as JSON, nothing else")] = False,
) -> None:
    """Run a sweep; the same command again goes on where an interrupted one stopped."""
    with exit_codes(), fork_server():  # beside all else that comes before the first trial
        from blurb_tune.cli.run import run_command

        code = run_command(spec, overrides or [], output, quiet=quiet, as_json=as_json)
    raise typer.Exit(code)


@app.command(
    epilog=examples(
        "blurb-tune replay benchmarks/curves/biosses-minilm.csv",
        "blurb-tune replay rte.csv mrpc.csv --set seeds=10 --shuffles 200 --json",
    )
)
def replay(
    curves: Annotated[
        list[Path],
        typer.Argument(help="recorded runs, CSV or Parquet, each with a .json of the same name beside it", show_default=False),
    ],
    spec: Annotated[
        Path | None, typer.Option("--spec", help="the sweep to decide by", show_default="the defaults of run")
    ] = None,
    overrides: Overrides = None,
    shuffles: Annotated[
        int | None,
        typer.Option("--shuffles", min=1, help="replay so often, seeds and configurations in another order each time"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="of the shuffles")] = 0,
    slots: Annotated[int, typer.Option("--slots", min=1, help="trials that run at a time")] = 1,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="where each replayed sweep gets a folder, as one that was run", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the replays as JSON, nothing else")] = False,
) -> None:
    """Decide a sweep again on recorded curves: who would have been stopped, who would have won, what it would have cost.

    A file has the columns configuration, seed, evaluation, step, train_loss, dev_loss, dev_score, and more if you like:
    seconds, grad_norm, prediction_spread, hyperparameters. Its .json says metric, trivial_score, trivial_loss, and reference.
    All seeds take part, or as many as the spec says.
    """
    from blurb_tune.cli.replay import replay_command

    with exit_codes(prints=True):
        code = replay_command(curves, spec, overrides or [], shuffles=shuffles, seed=seed, slots=slots, as_json=as_json, to=to)
    raise typer.Exit(code)


@app.command(epilog=examples("blurb-tune record sweeps/biosses.yaml --to curves --set seeds=10"))
def record(
    spec: Spec,
    to: Annotated[Path, typer.Option("--to", help="folder for the curves and for the sweep's own folder", show_default=False)],
    overrides: Overrides = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="print errors and the files, nothing else")] = False,
) -> None:
    """Run a sweep in which nothing is stopped, and write its learning curves for `replay`; resumes like `run`."""
    with exit_codes(), fork_server():
        from blurb_tune.cli.replay import record_command

        code = record_command(spec, overrides or [], to, quiet=quiet)
    raise typer.Exit(code)


@app.command(
    epilog=examples(
        "blurb-tune extend runs/biosses-1a2b3c4d --seeds 20",
        "blurb-tune extend runs/biosses-1a2b3c4d --budget wall_time=8h",
        "blurb-tune extend runs/biosses-1a2b3c4d --only winner,vanilla --seeds 30",
    )
)
def extend(
    sweep_dir: SweepDir,
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="seeds of each configuration, in all")] = None,
    configurations: Annotated[int | None, typer.Option("--configurations", min=1, help="configurations, in all")] = None,
    confirm: Annotated[
        int | None, typer.Option("--confirm", min=1, help="fresh seeds of winner and vanilla, in all, which no decision sees")
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option("--budget", metavar="KEY=VALUE", help="a budget in place of the old one, such as trials=200; or none"),
    ] = None,
    only: Annotated[
        str | None, typer.Option("--only", metavar="winner,vanilla", help="--seeds is for these two, by confirmation seeds")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="print errors and the sweep's folder, nothing else")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the summary as JSON, nothing else")] = False,
) -> None:
    """Make a sweep larger, and run what it lacks; nothing runs twice, and the race decides by the larger plan.

    Without options an interrupted sweep goes on with the plan in force.
    """
    with exit_codes(), fork_server():
        from blurb_tune.cli.extend import Growth, extend_command

        growth = Growth(seeds, configurations, confirm, budget or [], only)
        code = extend_command(paths_of(sweep_dir), growth, quiet=quiet, as_json=as_json)
    raise typer.Exit(code)


@app.command(
    epilog=examples(
        "blurb-tune report runs/quickstart-1a2b3c4d --open",
        "blurb-tune report runs/quickstart-1a2b3c4d --watch",
        "blurb-tune report runs/quickstart-1a2b3c4d --format md --figures figures",
    )
)
def report(
    sweep: Annotated[
        str, typer.Argument(help="a sweep's folder; or the id of one in a storage, or its beginning", show_default=False)
    ],
    kind: Annotated[str, typer.Option("--format", "-f", help="html (the page), md, csv, json or latex")] = "html",
    to: Annotated[
        Path | None,
        typer.Option("--to", help="file to write", show_default="report.html in the folder; other formats are printed"),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option("--figures", help="folder to write each figure to, as PNG and SVG; with --watch once, at its end"),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="renew the page while the sweep runs; it loads itself again")] = False,
    every: Annotated[float, typer.Option("--every", min=1.0, help="seconds between two looks of --watch")] = 5.0,
    opens: Annotated[bool, typer.Option("--open", help="open the page in the browser")] = False,
    address: Annotated[
        str | None, typer.Option(help="the cluster's job server, for a sweep by its id", show_default="as for status")
    ] = None,
    storage: Annotated[
        str | None, typer.Option("--storage", help="where sweeps are kept, for one by its id", show_default="as for status")
    ] = None,
) -> None:
    """Write a sweep's report: the answer in three sentences, all numbers and figures. Also while it runs; it only reads."""
    from blurb_tune.cli.report import Wanted, report_command

    with exit_codes(prints=True):
        code = report_command(
            sweep, Wanted(kind, to, figures, opens), watch=watch, every=every, address=address, storage=storage
        )
    raise typer.Exit(code)


register_data(app)


@app.command(
    epilog=examples(
        "blurb-tune compare runs/biosses-1a2b3c4d runs/ddi-5e6f7a8b",
        "blurb-tune compare runs/* --format html --to comparison.html",
    )
)
def compare(
    sweep_dirs: Annotated[list[Path], typer.Argument(help="the folders of two sweeps or more", show_default=False)],
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="terminal, html, md, csv, json or latex")
    ] = "terminal",
    to: Annotated[Path | None, typer.Option("--to", help="file to write instead of printing", show_default=False)] = None,
) -> None:
    """Put sweeps side by side: models, strategies and tasks, each strategy against vanilla, what was confirmed and tested.

    Holm's correction is over all claims of the comparison. Seeds of several sweeps are pooled where data, settings and
    configuration are the same.
    """
    from blurb_tune.cli.compare import compare_command

    with exit_codes(prints=True):
        compare_command(sweep_dirs, form, to)


@app.command(epilog=examples("blurb-tune score results.csv --json"))
def score(
    results: Annotated[
        Path, typer.Argument(help="a CSV file with the columns dataset,score; scores in percent", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="print the score as JSON, nothing else")] = False,
) -> None:
    """Work out the BLURB score of one model's results on the benchmark's data sets."""
    from blurb_tune.cli.score import score_command

    with exit_codes(prints=True):
        code = score_command(results, as_json=as_json)
    raise typer.Exit(code)


@app.command(epilog=examples("blurb-tune ui runs/quickstart-1a2b3c4d --port 5001"))
def ui(
    sweep_dir: SweepDir,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 5000,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="print the address, and open no browser")] = False,
) -> None:
    """Open MLflow's dashboard on a sweep's runs, until Ctrl-C."""
    from blurb_tune.cli.tracking import open_dashboard

    with exit_codes():
        open_dashboard(paths_of(sweep_dir), host, port, browser=not no_browser)


@app.command(epilog=examples("blurb-tune sync runs/quickstart-1a2b3c4d"))
def sync(sweep_dir: SweepDir) -> None:
    """Deliver to MLflow what a sweep's event log holds and the server has not got yet."""
    from blurb_tune.cli.tracking import sync_command

    with exit_codes():
        code = sync_command(paths_of(sweep_dir))
    raise typer.Exit(code)


register_release(app)
register_service(app)
