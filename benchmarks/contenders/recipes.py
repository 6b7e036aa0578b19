"""What a hand-written script does for each strategy, in a BERT: freeze, re-initialize, and group parameters by their rates."""

from __future__ import annotations

from typing import Any


def apply_strategy(model: Any, run: dict[str, Any]) -> None:
    """Freeze embeddings and lower blocks by `requires_grad`, draw pooler and upper blocks as the model's own code does."""
    count, depth = run["reinit_count"], run["freeze_depth"]
    if count:
        for module in (model.bert.pooler, *model.bert.encoder.layer[-count:]):
            draw(model, module)
    if depth:
        for module in (model.bert.embeddings, *model.bert.encoder.layer[:depth]):
            module.requires_grad_(False)


def draw(model: Any, module: Any) -> None:
    for parameter in module.parameters():
        parameter._is_hf_initialized = False  # transformers passes over what has come from a checkpoint
    for part in module.modules():
        model._init_weights(part)


def parameter_groups(model: Any, job: dict[str, Any], decay_rate: float) -> list[dict[str, Any]]:
    """For AdamW: the rate falls by `decay_rate` from block to block downwards; biases and norms have no weight decay."""
    blocks = model.config.num_hidden_layers
    groups: dict[tuple[int, bool], list[Any]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((_level(name, blocks), parameter.ndim == 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": job["learning_rate"] * decay_rate ** (blocks + 1 - level),
            "weight_decay": 0.0 if is_bias_or_norm else job["weight_decay"],
        }
        for (level, is_bias_or_norm), parameters in groups.items()
    ]


def _level(name: str, blocks: int) -> int:
    """0 for the embeddings, i for block i, and one above the blocks for pooler and head."""
    if ".encoder.layer." in name:
        return 1 + int(name.split(".encoder.layer.")[1].split(".")[0])
    return 0 if ".embeddings." in name else blocks + 1
