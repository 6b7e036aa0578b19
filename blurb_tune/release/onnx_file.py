"""A model as an ONNX file, which runs without PyTorch, held to what PyTorch says.

By PyTorch's own exporter: `optimum`'s wants transformers below 4.58.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.release.loading import load_model
from blurb_tune.tasks.encoding.features import Encoded, collate
from blurb_tune.training.batching import sorted_batches

FILE = "onnx/model.onnx"  # where the hub's libraries look for it
# Of the largest output. The two add up products in another order.
_TOLERANCE = 1e-3
_LARGEST_FILE = 1.8e9  # bytes; of 2 GiB, which protobuf can hold, for weights beside the graph


def write_onnx(folder: Path, dev: Encoded, batch_size: int) -> None:
    """Write the model of an exported folder beside its weights as `FILE`, for any number of texts of any length.

    dev: examples on which both are compared. Raises BlurbTuneError where the model cannot be written so, or says something
    else than PyTorch's.
    """
    model, tokenizer, _ = load_model(folder)
    file = folder / FILE
    file.parent.mkdir()
    rows = sorted_batches(dev.lengths, batch_size)
    try:
        # Of one row, the exporter would make a file for one row.
        _export(model, collate(dev, np.resize(rows[0], 2), tokenizer.pad_token_id), file)
    except Exception as error:  # the exporter, and each operator's translation, have errors of their own
        first = str(error).strip().splitlines()[0]
        raise BlurbTuneError(f"PyTorch cannot write a {model.config.model_type} model as ONNX: {first}") from None
    worst, largest = _difference(model, file, [collate(dev, batch, tokenizer.pad_token_id) for batch in rows])
    if not worst <= _TOLERANCE * max(1.0, largest):
        raise BlurbTuneError(f"the ONNX file differs from PyTorch, by {worst:.3g} in a logit; nothing was written")


def _export(model: PreTrainedModel, inputs: dict[str, np.ndarray], file: Path) -> None:
    shape = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (),
            file,
            kwargs={name: torch.from_numpy(values) for name, values in inputs.items()},
            dynamic_shapes=dict.fromkeys(inputs, shape),
            input_names=list(inputs),
            output_names=["logits"],
            external_data=sum(p.nbytes for p in model.parameters()) > _LARGEST_FILE,
            verbose=False,
        )


@torch.inference_mode()
def _difference(model: PreTrainedModel, file: Path, batches: list[dict[str, np.ndarray]]) -> tuple[float, float]:
    """The largest difference between the logits of the two, and the largest logit; of real tokens alone, for words."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    worst = largest = np.float64(0)
    for inputs in batches:
        ours: np.ndarray = model(**{name: torch.from_numpy(values) for name, values in inputs.items()}).logits.numpy()
        theirs: Any = session.run(["logits"], inputs)[0]
        if ours.ndim == 3:
            is_token = inputs["attention_mask"].astype(bool)
            ours, theirs = ours[is_token], theirs[is_token]
        worst, largest = np.maximum(worst, np.abs(ours - theirs).max()), np.maximum(largest, np.abs(ours).max())
    return float(worst), float(largest)  # NaN, which `max` would pass over, is no agreement
