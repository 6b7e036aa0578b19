"""What a training step computes, and where its time goes, by what its operators are for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

Train = Callable[[Callable[[int], None]], None]

# By the name of an operator, or of what it runs in; the first that fits counts.
_GROUPS = {
    "dropout": r"dropout|bernoulli|aten::(where|ge)\b",
    "attention": r"bmm|softmax|scaled_dot_product|flash_attention|Attention",
    "embedding": r"embedding",
    "optimizer and clipping": r"Optimizer\.|adam|_foreach|vector_norm|clip_coef",
    "norms": r"layer_norm|LayerNorm",
    "activation": r"gelu|tanh",
    "casts and copies": r"aten::(copy_|to|_to_copy|clone|contiguous|cat|index|index_select)\b",
    "fills": r"aten::(fill_|zero_|zeros)",
    "matrix products": r"aten::(addmm|mm|linear|matmul)\b|mkldnn|onednn",
}


def profile(train: Train, start: int, end: int) -> dict[str, float]:
    """Shares of the time from step `start` of a training to its step `end`."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    recorder, marks = profiler(activities=[ProfilerActivity.CPU]), list[float]()

    def at(step: int) -> None:
        if step == start:
            recorder.start()
            marks.append(time.perf_counter())
        elif step == end:
            marks.append(time.perf_counter())
            recorder.stop()

    train(at)
    whole = marks[1] - marks[0]
    shares = dict.fromkeys([*_GROUPS, "other operators"], 0.0)
    for event in recorder.events():
        shares[_group(event)] += event.self_cpu_time_total / 1e6 / whole
    return shares | {"Python and NumPy": 1 - sum(shares.values())}


def _group(event: Any) -> str:
    chain = []
    while event is not None:
        chain.append(event.name)
        event = event.cpu_parent
    names = " < ".join(chain)
    return next((group for group, pattern in _GROUPS.items() if re.search(pattern, names)), "other operators")


def count_flops(train: Train, start: int, end: int) -> float:
    """FLOPs of all matrix products between these steps, as they are computed."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    actions = {start: counter.__enter__, end: lambda: counter.__exit__(None, None, None)}
    train(lambda step: actions.get(step, lambda: None)())
    return float(counter.get_total_flops())


def nominal_flops(classifier: Any, lengths: Any) -> float:
    """Those of a step over examples of these lengths (n,), forward and backward, in every block for every real token.

    For each token 6 for each weight of a block; for each pair of tokens, block and hidden unit 12 in attention, which is two
    products and thrice. Embeddings, pooler and head are left out.
    """
    tokens, pairs = float(lengths.sum()), float((lengths.astype(float) ** 2).sum())
    weights = sum(of.numel() for name, of in classifier.named_parameters() if ".layer." in name and of.ndim == 2)
    config = classifier.config
    return 6 * weights * tokens + 12 * config.num_hidden_layers * config.hidden_size * pairs
