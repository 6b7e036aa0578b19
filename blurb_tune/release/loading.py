"""A released model, read by what Hugging Face has for everybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.models.encoder import silence
from blurb_tune.release.answering import TO_CLASSIFIER
from blurb_tune.release.folder import Facts
from blurb_tune.tasks.kinds import SPANS

_MOST_SHOWN = 3


def load_model(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, Facts]:
    """The model in evaluation mode, its tokenizer, and what it was trained to do.

    Raises InputError where the folder is none of an exported model, or its weights cannot be read.
    """
    facts = Facts.read(folder)
    if facts.members:
        one = folder / facts.members[0]
        raise InputError([Problem(str(folder), f"is an ensemble, no model; name one of its members, such as {one}")])
    model, tokenizer = _load(folder, facts)
    return model, tokenizer, facts


def load_models(folder: Path) -> tuple[list[PreTrainedModel], PreTrainedTokenizerBase, Facts]:
    """The models whose outputs are averaged, one unless the folder holds an ensemble; the rest as for `load_model`."""
    facts = Facts.read(folder)
    loaded = [load_model(folder / name) for name in facts.members]
    for name, (_, _, of_member) in zip(facts.members, loaded, strict=True):
        expected = replace(facts, members=(), temperature=of_member.temperature, trial=of_member.trial)
        if of_member != expected:
            raise InputError([Problem(str(folder / name), f"is another model than the ensemble in {folder} is made of")])
    if not loaded:
        model, tokenizer = _load(folder, facts)
        return [model], tokenizer, facts
    return [model for model, _, _ in loaded], loaded[0][1], facts


def mean_outputs(outputs: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of outputs of shape (m, outputs), in fp64: of logits, or of a regression's predictions."""
    mean: np.ndarray = np.mean([each.astype(np.float64) for each in outputs], axis=0)
    return mean


def _load(folder: Path, facts: Facts) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    task = facts.as_task()
    architecture = AutoModelForTokenClassification if task.per_token else AutoModelForSequenceClassification
    try:
        with silence():
            model, report = architecture.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype="float32",
                key_mapping=TO_CLASSIFIER if task.kind == SPANS else None,
                output_loading_info=True,
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # safetensors, tokenizers and transformers have errors of their own for a damaged file
        raise InputError([Problem(str(folder), f"the model cannot be loaded: {error}")]) from None
    if fault := next(_faults(model, sorted(report["missing_keys"]), facts), None):
        raise InputError([Problem(str(folder), fault)])
    return model.eval(), tokenizer


def _faults(model: PreTrainedModel, missing: list[str], facts: Facts) -> Iterator[str]:
    """How weights and config differ from what the facts say."""
    if missing:
        names = ", ".join(missing[:_MOST_SHOWN]) + (", ..." if len(missing) > _MOST_SHOWN else "")
        yield f"its weights lack {len(missing)} tensors: {names}"
    outputs, labels = facts.as_task().outputs, tuple(model.config.id2label.values())
    if model.config.num_labels != outputs:
        yield f"its config has {model.config.num_labels} labels, and its facts {outputs}"
    if facts.labels and labels != facts.labels:
        odd = next(label for label, known in zip(labels, facts.labels, strict=True) if label != known)
        yield f"its config has the label {odd!r}, which its facts have not at this place; they have {', '.join(facts.labels)}"
