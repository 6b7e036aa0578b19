"""A model as an ONNX file, which runs without PyTorch, held to what PyTorch says.

By PyTorch's own exporter: `optimum`'s wants transformers below 4.58.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.release.answering import LABELS, as_released
from blurb_tune.release.loading import load_model
from blurb_tune.tasks.encoding.features import Encoded, collate
from blurb_tune.tasks.kinds import SPANS
from blurb_tune.training.batching import sorted_batches

ONNX_FILE = "onnx/model.onnx"  # where the hub's libraries look for it
# Of the largest output. The two add up products in another order.
_TOLERANCE = 1e-3
_LARGEST_FILE = 1.8e9  # bytes; of 2 GiB, which protobuf can hold, for weights beside the graph
_OF_ANSWERS = tuple(f"{label}_logits" for label in LABELS)


@dataclass(frozen=True)
class _Released:
    """A model as Hugging Face has it, and what its outputs are called there. per_token: they are of tokens."""

    model: PreTrainedModel
    outputs: tuple[str, ...]
    per_token: bool


def write_onnx(folder: Path, dev: Encoded, batch_size: int) -> None:
    """Write the model of an exported folder beside its weights as `ONNX_FILE`, for any number of texts of any length.

    dev: examples on which both are compared. Raises BlurbTuneError where the model cannot be written so, or says something
    else than PyTorch's.
    """
    model, tokenizer, facts = load_model(folder)
    task = facts.as_task()
    released = _Released(as_released(model, task.kind), _OF_ANSWERS if task.kind == SPANS else ("logits",), task.per_token)
    file = folder / ONNX_FILE
    file.parent.mkdir()
    rows = sorted_batches(dev.lengths, batch_size)
    # The shortest text alone has a shape that the exporter has not seen.
    batches = [collate(dev, batch, tokenizer.pad_token_id) for batch in (*rows, rows[-1][-1:])]
    try:
        # Of one row, the exporter would make a file for one row.
        _export(released, collate(dev, np.resize(rows[0], 2), tokenizer.pad_token_id), file)
        worst, largest = _difference(released, file, batches)
    except Exception as error:  # the exporter, each operator's translation, and what runs the file have errors of their own
        cause = error.__cause__ or error  # what the exporter says itself is how to report it
        first = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise BlurbTuneError(f"PyTorch cannot write a {model.config.model_type} model as ONNX: {first}") from None
    if not worst <= _TOLERANCE * max(1.0, largest):
        raise BlurbTuneError(f"the ONNX file differs from PyTorch, by {worst:.3g} in a logit; nothing was written")


def _export(released: _Released, inputs: dict[str, np.ndarray], file: Path) -> None:
    shape = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            released.model,
            (),
            file,
            kwargs={name: torch.from_numpy(values) for name, values in inputs.items()},
            dynamic_shapes=dict.fromkeys(inputs, shape),
            input_names=list(inputs),
            output_names=list(released.outputs),
            external_data=sum(p.nbytes for p in released.model.parameters()) > _LARGEST_FILE,
            verbose=False,
        )


@torch.inference_mode()
def _difference(released: _Released, file: Path, batches: list[dict[str, np.ndarray]]) -> tuple[float, float]:
    """The largest difference between the logits of the two, and the largest logit; of real tokens alone, for words."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    worst = largest = np.float64(0)
    for inputs in batches:
        found = released.model(**{name: torch.from_numpy(values) for name, values in inputs.items()})
        is_meant = inputs["attention_mask"].astype(bool) if released.per_token else slice(None)
        for name, theirs in zip(released.outputs, session.run(released.outputs, inputs), strict=True):
            ours: np.ndarray = found[name].numpy()[is_meant]
            difference = np.abs(ours - np.asarray(theirs)[is_meant])
            worst, largest = np.maximum(worst, difference.max()), np.maximum(largest, np.abs(ours).max())
    return float(worst), float(largest)  # NaN, which `max` would pass over, is no agreement
