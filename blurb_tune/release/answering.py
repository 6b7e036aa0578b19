"""Extractive question answering as Hugging Face has it: a classifier of tokens whose head has another name there."""

from __future__ import annotations

import torch
from transformers import AutoModelForQuestionAnswering, PreTrainedModel
from transformers.initialization import no_init_weights

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models.families import family_of
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.kinds import SPANS

LABELS = ("start", "end")
_HEAD = "qa_outputs"
# By which weights of a released model are found in a classifier of tokens.
TO_CLASSIFIER = {rf"^{_HEAD}\.": "classifier."}


def as_released(model: PreTrainedModel, kind: Kind) -> PreTrainedModel:
    """A classifier as Hugging Face has it for this kind of task."""
    return as_question_answering(model).eval() if kind == SPANS else model


def as_question_answering(model: PreTrainedModel) -> PreTrainedModel:
    """Hugging Face's model with the weights of a classifier of tokens whose outputs say where answers start and end.

    Raises BlurbTuneError for a family that has more layers there.
    """
    with no_init_weights():
        answering = AutoModelForQuestionAnswering.from_config(model.config, dtype=torch.float32, trust_remote_code=False)
    names = dict(answering.named_parameters())
    head = f"{family_of(model.config.model_type).head}."
    weights = {
        f"{_HEAD}.{name.removeprefix(head)}" if name.startswith(head) and name not in names else name: parameter.detach()
        for name, parameter in model.named_parameters()
    }
    if weights.keys() != names.keys():
        raise BlurbTuneError(
            f"models of the family {model.config.model_type!r} cannot be exported for extractive question answering: "
            "Hugging Face's have other layers behind the encoder"
        )
    answering.load_state_dict(weights, strict=False)
    return answering
