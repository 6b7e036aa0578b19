"""Where the time of a training step goes, by what its operators are for, and the arithmetic that it cannot do without."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# By the name of an operator, or of what it runs in; the first that fits counts.
_GROUPS = {
    "dropout": r"dropout|bernoulli",
    "attention": r"bmm|softmax|scaled_dot_product|flash_attention|attention",
    "embedding": r"embedding",
    "optimizer and clipping": r"Optimizer\.|adam|_foreach|vector_norm|clip_coef",
    "norms": r"layer_norm|LayerNorm",
    "activation": r"gelu|tanh",
    "casts and copies": r"aten::(copy_|to|_to_copy|clone|contiguous|cat|index|index_select)\b",
    "fills": r"aten::(fill_|zero_|zeros)",
    "matrix products": r"aten::(addmm|mm|linear|matmul)\b|mkldnn|onednn",
}


def profile(train: Callable[..., None], steps: int) -> dict[str, float]:
    """Shares of the time that torch's operators take, in so many steps behind a first one."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    recorder = profiler(activities=[ProfilerActivity.CPU])
    train(steps + 1, lambda step: recorder.start() if step == 1 else recorder.stop() if step == steps + 1 else None)
    shares = dict.fromkeys([*_GROUPS, "other"], 0.0)
    for event in recorder.events():
        shares[_group(event)] += event.self_cpu_time_total
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def _group(event: Any) -> str:
    chain = []
    while event is not None:
        chain.append(event.name)
        event = event.cpu_parent
    names = " < ".join(chain)
    return next((group for group, pattern in _GROUPS.items() if re.search(pattern, names)), "other")


def block_weights(classifier: Any) -> int:
    """Weights of the matrices in the encoder's blocks."""
    return sum(weights.numel() for name, weights in classifier.named_parameters() if ".layer." in name and weights.ndim == 2)


def arithmetic(classifier: Any, lengths: Any) -> float:
    """FLOPs of a step over examples of these lengths (n,) without padding, forward and backward.

    For each token 6 for each weight of a block; for each pair of tokens, block and hidden unit 12 in attention, which is two
    products and thrice. Embeddings, pooler and head are left out.
    """
    tokens, pairs = float(lengths.sum()), float((lengths.astype(float) ** 2).sum())
    config = classifier.config
    return 6 * block_weights(classifier) * tokens + 12 * config.num_hidden_layers * config.hidden_size * pairs
