"""Small random encoders of every family, and what is known of their names, written down independently of the package."""

from __future__ import annotations

from functools import cache

import torch
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
)

from blurb_tune.models.encoder import Pretrained

# Where a family leaves a choice, the models have everything: ELECTRA's and DeBERTa's embeddings are smaller than the hidden
# states, DeBERTa-v2 has the convolution of v2 and the position buckets of v3.
_OWN = {
    "electra": {"embedding_size": 6},
    "deberta": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "deberta-v2": {
        "relative_attention": True,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "conv_kernel_size": 3,
        "embedding_size": 6,
    },
    "modernbert": {"pad_token_id": 0, "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3},
    "distilbert": {},
    "mpnet": {},
    "big_bird": {"sep_token_id": 3},
}
FAMILIES = ("bert", "roberta", "xlm-roberta", "camembert", *_OWN)

_DENSE = ("classifier.dense",)
POOLERS = {
    "bert": ("bert.pooler",),
    "roberta": _DENSE,
    "xlm-roberta": _DENSE,
    "camembert": _DENSE,
    "electra": _DENSE,
    "deberta": ("pooler",),
    "deberta-v2": ("pooler",),
    "modernbert": ("model.final_norm", "head"),
    "distilbert": ("pre_classifier",),
    "mpnet": _DENSE,
    "big_bird": ("classifier.dense", "bert.pooler"),
}


def make_config(family: str, **changes: object) -> PreTrainedConfig:
    """Three blocks unless `changes` say otherwise."""
    values = {"vocab_size": 60, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}
    values |= {"max_position_embeddings": 40, "initializer_range": 0.05, **_OWN.get(family, {}), **changes}
    if family == "distilbert":
        values["hidden_dim"] = values.pop("intermediate_size")
    return AutoConfig.for_model(family, **values)


def make_model(family: str, architecture: type = AutoModelForSequenceClassification, **changes: object) -> PreTrainedModel:
    """No two tensors alike: biases and norms are random as well, as after pretraining."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = architecture.from_config(make_config(family, **changes))
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@cache
def make_pretrained(family: str, **changes: object) -> Pretrained:
    """Everything but the head, which is what a checkpoint with a pooler becomes; read-only, as out of the object store."""
    model = make_model(family, **changes)
    weights = {n: p.detach().numpy().copy() for n, p in model.named_parameters() if not n.startswith("classifier.")}
    for array in weights.values():
        array.flags.writeable = False
    return Pretrained(family, model.config.to_dict(), weights)


def architecture(per_token: bool) -> type:
    return AutoModelForTokenClassification if per_token else AutoModelForSequenceClassification


def level(parameter: str, blocks: int) -> int:
    """0 embeddings, 1..L blocks, L + 1 the rest, read off the name. The only number in a name is its block's."""
    pieces = parameter.split(".")
    if numbers := [int(piece) for piece in pieces if piece.isdigit()]:
        return numbers[0] + 1
    if "conv" in pieces:
        return 1
    lowest = {"embeddings", "embeddings_project", "rel_embeddings", "relative_attention_bias"}
    is_lowest = lowest & {*pieces} or parameter.startswith("deberta.encoder.LayerNorm.")
    return 0 if is_lowest else blocks + 1


def is_bias_or_norm(parameter: str) -> bool:
    *modules, kind = parameter.split(".")
    return kind.endswith("bias") or "norm" in modules[-1].lower()


def has_weight_decay(parameter: str) -> bool:
    """MPNet's table of relative attention biases is drawn like a matrix, and a bias all the same."""
    return not is_bias_or_norm(parameter) and "relative_attention_bias" not in parameter


def is_pooler(parameter: str, family: str) -> bool:
    return any(parameter.startswith(f"{module}.") for module in POOLERS[family])


def is_idle(parameter: str, family: str) -> bool:
    """Whether the classifiers make no use of the parameter, which is there all the same."""
    return family == "big_bird" and parameter.startswith("bert.pooler.")
