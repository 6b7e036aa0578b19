"""How a process of this sweep is set up before it computes."""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

from blurb_tune.core.versions import OF_A_TRIAL, differences, versions


def check_versions(expected: Mapping[str, str]) -> None:
    """Raises OSError, which is the machine's fault, where trials would be computed by something else than on other nodes."""
    wrong = differences({name: expected[name] for name in OF_A_TRIAL if name in expected}, versions())
    if wrong:
        said = ", ".join(f"{name} {theirs}, the driver {ours}" for name, (ours, theirs) in wrong.items())
        raise OSError(f"this node has {said}; install the same on every node")


def set_up_process(cpus: int, device: str) -> None:
    """Pin the threads, and have CUDA compute the same each time."""
    torch.set_num_threads(cpus)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # With `warn_only`, attention would warn and go on in kernels that add up in any order.
        torch.use_deterministic_algorithms(True)
