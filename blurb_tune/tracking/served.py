"""Exported models as MLflow keeps and serves them: an `MLmodel` that names our own module as what loads the weights.

MLflow has other ways to keep a model, which unpickle or execute what lies with it, or trust a model's own code
(`mlflow.transformers`). This one does neither. Imports MLflow; see `delivery.load_mlflow`.
"""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException

with warnings.catch_warnings():  # of MLflow's own types, while they are made
    warnings.simplefilter("ignore", UserWarning)
    from mlflow import pyfunc
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.pyfunc import scoring_server
    from mlflow.types.schema import AnyType, ColSpec, Schema

LOADER = "blurb_tune.release.scoring"
MODEL = "model"  # the exported folder, in MLflow's
_SECONDS_PER_REQUEST = 60
# What predictions take; all else that training needs is left out.
_PACKAGES = ("blurb-tune", "mlflow", "torch", "transformers", "tokenizers", "safetensors", "numpy", "scipy")


def write_model(to: Path, example: Mapping[str, Any], answers: Sequence[Mapping[str, Any]] = ()) -> None:
    """Write all that MLflow keeps of a model but the exported folder, which belongs into `to` as `MODEL`.

    example: a row that the model reads, by column; a column of words, which is a list there, may be a text as well. answers:
    what the model says of that row, where it has been asked.
    """
    table = pd.DataFrame([example])
    # Where MLflow expects texts it refuses lists of several lengths in requests by column (`inputs`).
    columns = [ColSpec("string" if isinstance(value, str) else AnyType(), name) for name, value in example.items()]
    found = infer_signature(table, pd.DataFrame(answers)).outputs if answers else None
    pyfunc.save_model(
        to,
        loader_module=LOADER,
        signature=ModelSignature(Schema(columns), found),
        input_example=table,
        pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in _PACKAGES],
    )


def bad_request(text: str) -> Exception:
    """What a model raises so that MLflow's server answers 400 with this text."""
    refused: Exception = MlflowException.invalid_parameter_value(text)
    return refused


def server_command(model: Path, host: str, port: int) -> tuple[list[str], dict[str, str]]:
    """The command line of MLflow's scoring server on the folder of a model, and its environment.

    It is the command of `mlflow models serve --env-manager local`, run by this very Python.
    """
    command, environment = scoring_server.get_cmd(str(model), port, host, _SECONDS_PER_REQUEST, 1)
    return [sys.executable, "-m", *shlex.split(command), "--log-level", "warning"], environment  # not a line for each request
