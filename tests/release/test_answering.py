"""Classifiers of tokens as Hugging Face's models for questions, in every family."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForTokenClassification

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.release.answering import as_question_answering
from tests.models.encoders import FAMILIES, make_model


@pytest.mark.parametrize("family", FAMILIES)
def test_starts_and_ends_are_what_the_classifier_says(family: str) -> None:
    model = make_model(family, AutoModelForTokenClassification, num_labels=2).eval()
    if family == "big_bird":
        with pytest.raises(BlurbTuneError, match=r"'big_bird' cannot be exported .* other layers behind the encoder"):
            as_question_answering(model)
        return
    answering = as_question_answering(model).eval()
    ids = torch.randint(4, 60, (2, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits, found = model(input_ids=ids).logits, answering(input_ids=ids)
    torch.testing.assert_close(torch.stack([found.start_logits, found.end_logits], dim=-1), logits)
