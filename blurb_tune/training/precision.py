"""In which number format a forward pass runs."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

_BF16_CPU_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """The autocast type for `auto`, `fp32` or `bf16` on a device; None means plain fp32.

    `auto` is bf16 where the hardware multiplies in it: on CUDA, and on CPUs with avx512_bf16 or amx.
    """
    if precision == "fp32":
        return None
    if precision == "bf16":
        return torch.bfloat16
    fast = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else _cpu_multiplies_bf16()
    return torch.bfloat16 if fast else None


def resolve_precision(precision: str, device: str) -> str:
    """`fp32` or `bf16`: what `auto` means on a device of this process, `cpu` or `cuda`."""
    return "fp32" if autocast_dtype(precision, torch.device(device)) is None else "bf16"


@cache
def _cpu_multiplies_bf16() -> bool:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return not _BF16_CPU_FLAGS.isdisjoint(flags.split())
