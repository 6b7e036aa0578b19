"""`predict`: an exported model on a table of texts."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from blurb_tune.core.numbers import plural


def predict_command(folder: Path, file: Path, to: Path, *, batch_size: int) -> None:
    """Predict for all rows of `file`, and say where it is."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        line = progress.add_task("loading the model")
        from blurb_tune.release.predict import predict

        rows = predict(
            folder, file, to, batch_size=batch_size, say=lambda done: progress.update(line, description=plural(done, "row"))
        )
    print(f"{to}: {plural(rows, 'row')}")
