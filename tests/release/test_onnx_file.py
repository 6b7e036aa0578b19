"""An ONNX file says what PyTorch says, for texts of any length and any number of them; another model's does not pass."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.release import onnx_file
from blurb_tune.release.loading import load_model
from blurb_tune.release.onnx_file import ONNX_FILE, write_onnx
from blurb_tune.release.onward import Onward
from blurb_tune.tasks.encoding.features import Encoded, Tokenizer, encode
from blurb_tune.tasks.examples import Example
from tests.conftest import require
from tests.release.conftest import WORDS, MakeModel

HAS_ONNX = all(map(find_spec, ("onnx", "onnxscript", "onnxruntime")))


def encoded(tokenizer: Tokenizer, lengths: tuple[int, ...]) -> Encoded:
    task = WORDS.as_task()
    examples = [Example(str(n), ("drug",) * n, task.kind.blank_label(task, n)) for n in lengths]
    return encode(examples, tokenizer, WORDS.max_length, task)


@pytest.mark.slow
def test_it_says_what_pytorch_says_and_another_model_s_does_not_pass(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(HAS_ONNX, "the extra `onnx`")
    import onnxruntime

    folder = make_model(WORDS)
    model, tokenizer, _ = load_model(folder)
    dev = encoded(tokenizer, (3, 7, 12, 30))
    write_onnx(folder, dev, batch_size=3)
    session = onnxruntime.InferenceSession(folder / ONNX_FILE, providers=["CPUExecutionProvider"])
    for rows, length in ((1, 4), (5, 11)):  # neither of which has been seen in the making
        ids = np.random.default_rng(rows).integers(5, 100, (rows, length))
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        (found,) = session.run(["logits"], inputs)
        with torch.no_grad():
            expected = model(**{name: torch.from_numpy(values) for name, values in inputs.items()}).logits
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)

    monkeypatch.setattr(onnx_file, "_export", lambda model, inputs, file: shutil.copyfile(folder / ONNX_FILE, file))
    for name, change in (("other", 1.05), ("broken", np.nan)):
        other = make_model(WORDS, name)
        model.classifier.weight.data.mul_(change)
        model.save_pretrained(other)
        with pytest.raises(BlurbTuneError, match="the ONNX file differs from PyTorch, by"):
            write_onnx(other, dev, batch_size=2)


def test_without_the_packages_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blurb_tune.release.onward._OF_ONNX", ("onnx_of_another_name",))
    with pytest.raises(InputError, match=r"--onnx: needs onnx_of_another_name: pip install 'blurb-tune\[onnx\]'"):
        Onward(onnx=True).check()
