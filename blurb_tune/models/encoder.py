"""Pretrained encoders as plain data, and classifiers that are set back to them in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.initialization import no_init_weights
from transformers.utils import logging as hf_logging

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.models.catalog import ModelInfo, check_weights
from blurb_tune.models.download import hub_snapshot
from blurb_tune.models.families import family_of
from blurb_tune.models.layers import Part, is_in, layer_map
from blurb_tune.models.model_folder import TOKENIZER_CONFIG, is_cased_without_config
from blurb_tune.models.tiny import build_tiny, tiny_tokenizer

_Misshapen = Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True)
class Pretrained:
    """A pretrained encoder as plain data that crosses Ray's object store, where the arrays are shared and read-only.

    config: the Hugging Face config as a dict. weights: fp32, by parameter name in the family's sequence classifier; all but
    the head's, which is initialized in every trial. A pooler outside the head is among them where the checkpoint has one. The
    same weights serve sequence and token classifiers.
    """

    family: str
    config: Mapping[str, Any]
    weights: Mapping[str, np.ndarray]


def load_pretrained(info: ModelInfo) -> Pretrained:
    """Load an encoder from safetensors, in silence, downloading it first when it is on the hub only.

    Raises BlurbTuneError when the weights cannot be had, and InputError, which names the model, when they cannot be used: they
    are damaged, not finite, or not those of the encoder that the config describes.
    """
    if _is_tiny(info):
        return _as_pretrained(build_tiny(), missing=frozenset(), misshapen={})
    folder = _folder(info)
    try:
        with silence(), torch.random.fork_rng(devices=[]):
            model, report = AutoModelForSequenceClassification.from_pretrained(
                folder,
                config=_config(info, folder),
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError, StrictDataclassError) as error:
        raise _refusal(info, f"the weights in {folder} cannot be loaded: {error}") from error
    except (KeyError, TypeError, ArithmeticError, AssertionError) as error:  # what its config makes of transformers' own code
        raise _refusal(info, f"no model can be made of the config in {folder}: {error!r}") from error
    misshapen = {name: (tuple(found), tuple(expected)) for name, found, expected in report["mismatched_keys"]}
    try:
        return _as_pretrained(model, frozenset(report["missing_keys"]), misshapen)
    except ValueError as error:
        raise _refusal(info, f"the weights in {folder} {error}") from None


def _refusal(info: ModelInfo, what: str) -> InputError:
    return InputError([Problem(f"model {info.name}", what)])


def _differences(others: list[str], lacking: list[str], misshapen: _Misshapen) -> Iterator[str]:
    if others:
        found, expected = misshapen[others[0]]
        yield f"{len(others)} in another shape ({others[0]} in {found} instead of {expected}, for one)"
    if lacking:
        yield f"{len(lacking)} missing ({lacking[0]}, for one)"


def _as_pretrained(model: PreTrainedModel, missing: frozenset[str], misshapen: _Misshapen) -> Pretrained:
    """missing: parameters that the checkpoint has not. misshapen: those that it has in another shape, the checkpoint's and the
    model's. Raises ValueError where the encoder needs them, and for a tensor that is not finite.
    """
    layers = layer_map(model)
    encoder = {name: p for name, p in model.named_parameters() if not is_in(name, layers.family.head)}
    drawn = missing | misshapen.keys()
    needed = encoder.keys() - layers.names(Part.POOLER)
    if needed & drawn:
        differences = _differences(sorted(needed & misshapen.keys()), sorted(needed & missing), misshapen)
        raise ValueError(
            f"are not those of the {layers.family.model_type} encoder that its config describes: "
            f"of {len(needed)} tensors, {' and '.join(differences)}"
        )
    weights = {name: p.detach().numpy() for name, p in encoder.items() if name not in drawn}
    broken = next((name for name, array in weights.items() if not np.isfinite(array).all()), None)
    if broken is not None:
        raise ValueError(f"are not finite: {broken} has NaN or infinite values")
    return Pretrained(layers.family.model_type, model.config.to_dict(), weights)


def load_tokenizer(info: ModelInfo) -> PreTrainedTokenizerBase:
    """The model's own tokenizer. Raises BlurbTuneError when it cannot be had."""
    if _is_tiny(info):
        return tiny_tokenizer()
    folder = _folder(info)
    try:
        with silence():
            tokenizer = AutoTokenizer.from_pretrained(
                folder,
                config=_config(info, folder),
                trust_remote_code=False,
                local_files_only=True,
                **({"do_lower_case": False} if is_cased_without_config(folder) else {}),
            )
    except Exception as error:  # tokenizers raises bare exceptions, transformers KeyErrors, for a file that is not as expected
        raise BlurbTuneError(f"the tokenizer of model {info.name!r} in {folder} cannot be loaded: {error}") from error
    if tokenizer.pad_token_id is None:
        raise BlurbTuneError(
            f"the tokenizer of model {info.name!r} has no padding token; name it as `pad_token` in {folder / TOKENIZER_CONFIG}"
        )
    return tokenizer


def _config(info: ModelInfo, folder: Path) -> PreTrainedConfig:
    """Read by the class of the model's family: configs of old checkpoints do not name it."""
    return CONFIG_MAPPING[info.family].from_pretrained(folder, local_files_only=True)


def build_classifier(
    pretrained: Pretrained, outputs: int, *, per_token: bool = False, gradient_checkpointing: bool = False
) -> PreTrainedModel:
    """A classifier of texts or, with `per_token`, of tokens, in fp32 on the CPU, restored to the pretrained weights.

    Its logits have the shape (batch, outputs), or (batch, tokens, outputs). The head stays in fp32 under autocast. Gradient
    checkpointing recomputes each block in the backward pass instead of keeping what it computed: less memory, a third more
    time, the same gradients.

    Costs seconds for a large model: build one per slot and restore it for every trial. Raises BlurbTuneError where the family
    has no gradient checkpointing.
    """
    family = family_of(pretrained.family)
    if gradient_checkpointing and not family.checkpointing:
        raise BlurbTuneError(
            f"gradient checkpointing is not possible with models of the family {family.model_type!r}, "
            "for which transformers does not offer it; leave it off"
        )
    config = AutoConfig.for_model(**{**pretrained.config, **family.settings})
    config.num_labels = outputs
    architecture = AutoModelForTokenClassification if per_token else AutoModelForSequenceClassification
    with no_init_weights():
        model = architecture.from_config(config, dtype=torch.float32, trust_remote_code=False)
    if gradient_checkpointing:
        _checkpoint_blocks(model)
    in_blocks = [f"{family.blocks}.{block}.{name}" for block in range(config.num_hidden_layers) for name in family.fp32]
    for module in (family.head, *in_blocks):
        _keep_in_fp32(model.get_submodule(module))
    restore_weights(model, pretrained)
    return model


def _checkpoint_blocks(model: PreTrainedModel) -> None:
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable  # before 5.23
    enable({"use_reentrant": False})
    # The embeddings' output would require a gradient, which frozen blocks would then be run twice for.
    model.disable_input_require_grads()


def recomputes_blocks(model: torch.nn.Module) -> bool:
    """Whether the model was built with gradient checkpointing."""
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


def _keep_in_fp32(module: torch.nn.Module) -> None:
    """Have a module compute in fp32 under autocast too.

    A head does, as it costs nothing, and as scores near 2 would come in steps of 1/64 in bf16, which makes ties of predictions
    that differ.
    """
    forward = module.forward

    def run(features: torch.Tensor, *arguments: Any, **options: Any) -> Any:
        with torch.autocast(features.device.type, enabled=False):
            return forward(features.float(), *arguments, **options)

    module.forward = run


@torch.no_grad()
def restore_weights(model: PreTrainedModel, pretrained: Pretrained) -> None:
    """Set the model back to the pretrained weights in place: every parameter trainable and without gradient.

    A pretrained pooler is left out where the model, a token classifier, has none. Parameters without pretrained weights become
    NaN, so that one which is not initialized before training cannot go unnoticed, and none keeps what an earlier trial
    learned. Raises ValueError when the weights are not this model's.
    """
    parameters = dict(model.named_parameters())
    pooler = family_of(pretrained.family).pooler
    unknown = {
        name for name in pretrained.weights if name not in parameters and not any(is_in(name, module) for module in pooler)
    }
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
def silence() -> Iterator[None]:
    """Keep transformers from showing progress bars and from reporting its new head, which is initialized again."""
    verbosity, has_bars = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        hf_logging.set_verbosity(verbosity)
        if has_bars:
            hf_logging.enable_progress_bar()
