"""A process whose memory has room for half a batch, and not for a whole one; what becomes of the batch, as JSON.

It is a process of its own, since the limit holds for all of it.
"""

from __future__ import annotations

import json
import resource
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import build_classifier, load_pretrained, load_tokenizer
from blurb_tune.models.initialization import init_module
from blurb_tune.tasks.blurb.definitions import find_task
from blurb_tune.tasks.encoding.features import Encoded, encode
from blurb_tune.tasks.examples import Example
from blurb_tune.training.batch_runner import BatchRunner

TASK = find_task("biosses")
EXAMPLES = 128
TEXT = "the effect of gene expression on tumor growth in mice was not seen at any dose " * 8


def load(device: str) -> tuple[PreTrainedModel, Encoded]:
    """The tiny model without dropout, and a batch for it."""
    info = describe_model("tiny")
    data = encode([Example(str(i), (TEXT, TEXT), i % 4) for i in range(EXAMPLES)], load_tokenizer(info), 128, TASK)
    model = build_classifier(load_pretrained(info), TASK.outputs).to(device).eval()
    init_module(model, "classifier", seed=1)
    return model, data


def backward(model: PreTrainedModel, data: Encoded, size: int) -> tuple[BatchRunner, float, list[float]]:
    """A step's loss and the norms of its gradients, with at most `size` examples at a time."""
    runner = BatchRunner(model, TASK, 0, precision="fp32", micro_batch_size=size, eval_batch_size=size)
    loss = runner.backward(data, np.arange(EXAMPLES)).item()
    norms = [p.grad.norm().item() for p in model.parameters() if p.grad is not None]
    model.zero_grad(set_to_none=True)
    return runner, loss, norms


def _peak() -> int:
    """The most address space that the process ever had, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.partition("VmPeak:")[2].split()[0])


def main() -> None:
    torch.set_num_threads(1)
    model, data = load("cpu")
    backward(model, data, EXAMPLES // 2)
    half = _peak()
    _, loss, norms = backward(model, data, EXAMPLES)
    whole = _peak()
    resource.setrlimit(resource.RLIMIT_AS, ((half + whole) // 2, resource.getrlimit(resource.RLIMIT_AS)[1]))
    runner, loss_in_parts, norms_in_parts = backward(model, data, EXAMPLES)
    print(
        json.dumps(
            {
                "need": [half, whole],
                "has_halved": runner.oom_fallback_used,
                "micro_batch_size": runner.micro_batch_size,
                "losses": [loss, loss_in_parts],
                "norms": [norms, norms_in_parts],
            }
        )
    )


if __name__ == "__main__":
    main()
