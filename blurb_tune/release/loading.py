"""A released model, read by what Hugging Face has for everybody."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.models.encoder import silence
from blurb_tune.release.folder import Facts


def load_model(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, Facts]:
    """The model in evaluation mode, its tokenizer, and what it was trained to do.

    Raises InputError where the folder is none of an exported model, or its weights cannot be read.
    """
    facts = Facts.read(folder)
    architecture = AutoModelForTokenClassification if facts.as_task().per_token else AutoModelForSequenceClassification
    try:
        with silence():
            model = architecture.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype="float32"
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # safetensors, tokenizers and transformers have errors of their own for a damaged file
        raise InputError([Problem(str(folder), f"the model cannot be loaded: {error}")]) from None
    if model.config.num_labels != facts.as_task().outputs:
        expected = f"its config has {model.config.num_labels} labels, and its facts {facts.as_task().outputs}"
        raise InputError([Problem(str(folder), expected)])
    return model.eval(), tokenizer, facts
