"""An exported model behind MLflow's own serving.

MLflow imports this module by the name that a model's `MLmodel` has, and calls `_load_pyfunc`. What it reads is safetensors and
JSON: nothing that lies with a model is unpickled or executed.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd

from blurb_tune.core.errors import InputError
from blurb_tune.release.loading import load_models
from blurb_tune.release.predict import Predictor
from blurb_tune.tasks.examples import Row
from blurb_tune.tracking.served import MODEL, bad_request

_BATCH_SIZE = 32


class ServedModel:
    """What `predict` says of rows, for a server whose requests come side by side."""

    def __init__(self, folder: Path):
        """Raises InputError where the folder is none of an exported model, or its weights cannot be read."""
        self._predict = Predictor(*load_models(folder), _BATCH_SIZE)
        self._lock = threading.Lock()  # a tokenizer keeps how it cuts texts

    def predict(self, table: pd.DataFrame) -> pd.DataFrame:
        """A row for each one of `table`, with the columns that `predict` adds.

        Raises what becomes the answer 400, with every row that has not what the task needs.
        """
        rows = [Row(f"row {number}", values) for number, values in enumerate(table.to_dict("records"), start=1)]
        if not rows:
            raise bad_request("there is no row in the request")
        try:
            with self._lock:
                return pd.DataFrame(self._predict(rows))
        except InputError as error:
            raise bad_request(str(error)) from None


def _load_pyfunc(path: str) -> ServedModel:
    """The model in a folder that MLflow keeps, as MLflow calls for it."""
    return ServedModel(Path(path) / MODEL)
