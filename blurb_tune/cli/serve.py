"""`serve`: an exported model behind HTTP."""

from __future__ import annotations

import json
import shlex
import tempfile
from pathlib import Path

from rich.console import Console

from blurb_tune.cli.servers import address_of, check_port, serving


def serve_command(folder: Path, host: str, port: int) -> None:
    """Serve the model until Ctrl-C, and say how it is asked."""
    check_port(host, port)
    with Console(stderr=True).status("loading MLflow"):
        from blurb_tune.release.folder import Facts
        from blurb_tune.tracking.delivery import load_mlflow

        facts = Facts.read(folder)
        load_mlflow()
        from blurb_tune.tracking.served import MODEL, server_command, write_model

    # What MLflow reads first is written here and now: a folder from elsewhere could name any module as its loader.
    with tempfile.TemporaryDirectory(prefix="blurb-tune-") as scratch:
        model = Path(scratch) / "mlflow"
        write_model(model, facts.example())
        (model / MODEL).symlink_to(folder.absolute(), target_is_directory=True)
        address = address_of(host, port)
        with serving(*server_command(model, host, port), address, "the model's server") as wait:
            request = json.dumps({"dataframe_records": [facts.example()]}, ensure_ascii=False)
            print(f"{folder} ({facts.task}, {facts.trial}) answers at {address}/invocations  (Ctrl-C ends it)")
            print(f"  curl {address}/invocations -H 'Content-Type: application/json' -d {shlex.quote(request)}", flush=True)
            wait()
