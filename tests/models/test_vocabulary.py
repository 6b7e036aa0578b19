from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from blurb_tune.models.encoder import Pretrained, build_classifier
from blurb_tune.models.families import FAMILIES, family_of
from blurb_tune.models.vocabulary import Vocabulary
from tests.models.encoders import make_pretrained

IDS = np.array([7, 3, 41, 41, 12, 7], dtype=np.int32)


def parts(family: str) -> tuple[Pretrained, Vocabulary, int]:
    pretrained = make_pretrained(family, **family_of(family).settings)
    pad = int(pretrained.config["pad_token_id"])
    return pretrained, Vocabulary.of(pretrained, [IDS], pad), pad


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("per_token", [False, True])
def test_a_compact_model_says_the_same(family: str, per_token: bool) -> None:
    pretrained, vocabulary, pad = parts(family)
    outputs = []
    for of, renumber in ((pretrained, lambda ids: ids), (vocabulary.compact(pretrained), vocabulary.renumber)):
        model = build_classifier(of, 3, per_token=per_token).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.isnan().any():
                    parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter))
        batch = torch.from_numpy(renumber(np.array([[7, 3, 41, 41, 12, 7], [12, 7, pad, pad, pad, pad]])))
        mask = torch.tensor([[1] * 6, [1, 1, 0, 0, 0, 0]])
        with torch.no_grad():
            outputs.append(model(input_ids=batch, attention_mask=mask).logits)
    assert torch.equal(outputs[0], outputs[1])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_compact_table_has_the_rows_in_use_and_that_of_padding(family: str) -> None:
    pretrained, vocabulary, pad = parts(family)
    least = set(range(pad + 1)) if family_of(family).padded_positions else {pad}
    assert set(vocabulary.used) == {*IDS.tolist(), *least}
    compact = vocabulary.compact(pretrained)
    table = compact.weights[vocabulary.parameter]
    assert compact.config["vocab_size"] == len(table) == len(vocabulary.used)
    numbers = vocabulary.renumber(IDS)
    assert numbers.dtype == IDS.dtype
    assert np.array_equal(table[numbers], pretrained.weights[vocabulary.parameter][IDS])
    assert all(compact.weights[name] is array for name, array in pretrained.weights.items() if name != vocabulary.parameter)
    if family_of(family).padded_positions:
        assert compact.config["pad_token_id"] == pad, "positions start behind it"


@pytest.mark.parametrize("padding_row", [0, 59, -1])
def test_the_row_that_learns_nothing_stays_the_config_s(padding_row: int) -> None:
    """Also where the tokenizer pads with another token, and no text has that one."""
    pretrained = make_pretrained("bert", pad_token_id=padding_row % 60)
    pretrained = replace(pretrained, config={**pretrained.config, "pad_token_id": padding_row})
    vocabulary = Vocabulary.of(pretrained, [IDS], 5)
    assert set(vocabulary.used) == {*IDS.tolist(), 5, padding_row % 60}
    model = build_classifier(vocabulary.compact(pretrained), 3)
    table = model.get_submodule("bert.embeddings.word_embeddings")
    assert vocabulary.used[table.padding_idx] == padding_row % 60


def test_weights_are_written_back_with_all_rows() -> None:
    pretrained, vocabulary, _ = parts("bert")
    trained = {vocabulary.parameter: torch.ones(len(vocabulary.used), 16), "other": torch.zeros(2)}
    whole = vocabulary.with_all_rows(trained, 0.75)
    assert torch.equal(whole["other"], trained["other"])
    table = whole[vocabulary.parameter]
    assert torch.equal(table[vocabulary.used], trained[vocabulary.parameter])
    unused = np.setdiff1d(np.arange(60), vocabulary.used)
    assert np.allclose(table[unused], 0.75 * pretrained.weights[vocabulary.parameter][unused])
    assert len(table) == 60
