"""How a process of this sweep is set up before it computes."""

from __future__ import annotations

import os

import torch


def set_up_process(cpus: int, device: str) -> None:
    """Pin the threads, and have CUDA compute the same each time."""
    torch.set_num_threads(cpus)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        # With `warn_only`, attention would warn and go on in kernels that add up in any order.
        torch.use_deterministic_algorithms(True)
