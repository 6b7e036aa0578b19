"""Pretrained encoders as plain data, and classifiers that are set back to them in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.initialization import no_init_weights
from transformers.utils import logging as hf_logging

from blurb_tune.errors import BlurbTuneError
from blurb_tune.models.catalogue import ModelInfo, check_weights
from blurb_tune.models.hub import hub_snapshot
from blurb_tune.models.layers import Part, layer_map
from blurb_tune.models.tiny import build_tiny, tiny_tokenizer


@dataclass(frozen=True)
class Pretrained:
    """A pretrained encoder as plain data that crosses Ray's object store, where the arrays are shared and read-only.

    config: the Hugging Face config as a dict. weights: fp32, by parameter name in the family's sequence classifier; those
    of the encoder alone, as the head is drawn in every trial. A pooler is among them where the checkpoint has one.
    """

    family: str
    config: Mapping[str, Any]
    weights: Mapping[str, np.ndarray]


def load_pretrained(info: ModelInfo) -> Pretrained:
    """Load an encoder from safetensors, in silence, downloading it first when it is on the hub only.

    Raises BlurbTuneError when the weights cannot be had, are damaged, or are not those of the encoder that the config
    describes.
    """
    if _is_tiny(info):
        return _as_pretrained(build_tiny(), drawn=frozenset())
    folder = _folder(info)
    try:
        with _silence(), torch.random.fork_rng(devices=[]):
            model, report = AutoModelForSequenceClassification.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BlurbTuneError(f"the weights of model {info.name!r} in {folder} cannot be loaded: {error}") from error
    drawn = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
    return _as_pretrained(model, frozenset(drawn))


def _as_pretrained(model: PreTrainedModel, drawn: frozenset[str]) -> Pretrained:
    """`drawn`: parameters that the checkpoint has not, or not in this shape."""
    layers = layer_map(model)
    prefix = f"{model.base_model_prefix}."
    encoder = {name: p for name, p in model.named_parameters() if name.startswith(prefix)}
    lacking = sorted((encoder.keys() & drawn) - layers.names(Part.POOLER))
    if lacking:
        raise BlurbTuneError(
            f"the checkpoint lacks {len(lacking)} of the {len(encoder)} tensors of the {layers.family.model_type} encoder "
            f"that its config describes, such as {lacking[0]!r}"
        )
    weights = {name: p.detach().numpy() for name, p in encoder.items() if name not in drawn}
    return Pretrained(layers.family.model_type, model.config.to_dict(), weights)


def load_tokenizer(info: ModelInfo) -> PreTrainedTokenizerBase:
    """The model's own tokenizer. Raises BlurbTuneError when it cannot be had."""
    if _is_tiny(info):
        return tiny_tokenizer()
    folder = _folder(info)
    try:
        with _silence():
            return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # tokenizers raises bare exceptions, transformers KeyErrors, for a file that is not as expected
        raise BlurbTuneError(f"the tokenizer of model {info.name!r} in {folder} cannot be loaded: {error}") from error


def build_classifier(pretrained: Pretrained, outputs: int) -> PreTrainedModel:
    """A classifier with `outputs` outputs, in fp32 on the CPU, restored to the pretrained weights; its head stays in fp32
    under autocast.

    Costs seconds for a large model: build one per slot and restore it for every trial.
    """
    config = AutoConfig.for_model(**pretrained.config)
    config.num_labels = outputs
    with no_init_weights():
        model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32, trust_remote_code=False)
    _keep_in_fp32(model.get_submodule(layer_map(model).family.head))
    restore_weights(model, pretrained)
    return model


def _keep_in_fp32(head: torch.nn.Module) -> None:
    """Have the head compute in fp32 under autocast too: it costs nothing, and in bf16 scores near 2 would come in steps of
    1/64, which makes ties of predictions that differ.
    """
    forward = head.forward

    def run(features: torch.Tensor, *arguments: Any, **options: Any) -> Any:
        with torch.autocast(features.device.type, enabled=False):
            return forward(features.float(), *arguments, **options)

    head.forward = run


@torch.no_grad()
def restore_weights(model: PreTrainedModel, pretrained: Pretrained) -> None:
    """Set the model back to the pretrained weights in place: every parameter trainable and without gradient.

    Parameters without pretrained weights become NaN, so that one which is not drawn before training cannot go unnoticed,
    and none keeps what an earlier trial learnt. Raises ValueError when the weights are not this model's.
    """
    parameters = dict(model.named_parameters())
    unknown = pretrained.weights.keys() - parameters.keys()
    if unknown:
        raise ValueError(f"the model has no parameters {sorted(unknown)}")
    for name, parameter in parameters.items():
        parameter.requires_grad_(True)
        parameter.grad = None
        weights = pretrained.weights.get(name)
        if weights is None:
            parameter.fill_(torch.nan)
        elif weights.shape != parameter.shape:
            raise ValueError(f"{name} has shape {tuple(parameter.shape)}, its pretrained weights {weights.shape}")
        else:
            # torch.tensor copies; torch.from_numpy would warn that a shared array is read-only.
            parameter.copy_(torch.tensor(weights))


def _is_tiny(info: ModelInfo) -> bool:
    return info.path is None and info.hub_id is None


def _folder(info: ModelInfo) -> Path:
    """The folder with the model's files, downloaded and checked."""
    if info.path is not None:
        check_weights(info)
        return info.path
    if info.hub_id is not None:
        return hub_snapshot(info.hub_id)
    raise ValueError(f"model {info.name!r} is made on the fly and has no files")


@contextmanager
def _silence() -> Iterator[None]:
    """Keep transformers from showing progress bars and from reporting the head it has drawn, which is drawn again."""
    verbosity, has_bars = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        hf_logging.set_verbosity(verbosity)
        if has_bars:
            hf_logging.enable_progress_bar()
