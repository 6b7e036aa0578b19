"""An ONNX file says what PyTorch says, for texts of any length and any number of them; another model's does not pass."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.models.families import FAMILIES
from blurb_tune.release import onnx_file
from blurb_tune.release.loading import load_model
from blurb_tune.release.onnx_file import ONNX_FILE, write_onnx
from blurb_tune.release.onward import Onward
from blurb_tune.tasks.encoding.features import Encoded, Tokenizer, encode
from blurb_tune.tasks.examples import WORD, Example
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.kinds import find_kind
from blurb_tune.tasks.task import Task
from tests.conftest import require
from tests.disks import Disk
from tests.models.encoders import make_model as make_family
from tests.release.conftest import PAIRS, WORDS, MakeModel, write_folder
from tests.tasks.small_tokenizers import make_tokenizer

# Those whose blocks are not BERT's, and a model of tokens; each takes ten seconds. docs/log.md has all families.
FAMILIES_AND_KINDS = {
    "electra": "token classification",
    "deberta-v2": "classification",
    "modernbert": "multi-label",
    "distilbert": "extractive question answering",
}
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


def write_family(folder: Path, family: str, kind: Kind) -> Encoded:
    """Write the folder of a small model with random weights; returns examples for it, of different lengths."""
    fields, labels = PAIRS.fields[: len(kind.rows[0]) - 1], WORDS.labels if kind.has_labels else ()
    facts = replace(PAIRS, kind=kind.name, fields=fields, labels=labels, markers=())
    task, tokenizer = facts.as_task(), make_tokenizer("byte-level")
    architecture = AutoModelForTokenClassification if task.per_token else AutoModelForSequenceClassification
    sizes = {"vocab_size": len(tokenizer), "num_labels": task.outputs, "num_hidden_layers": 2}
    model = make_family(family, architecture, **sizes, **FAMILIES[family].settings).eval()
    inputs = signature(model.forward).parameters
    tokenizer.model_input_names = [name for name in tokenizer.model_input_names if name in inputs]
    write_folder(folder, model, tokenizer, facts)
    return encode([example_of(task, row) for row in kind.rows], tokenizer, facts.max_length, task)


def example_of(task: Task, row: Sequence[str]) -> Example:
    listed = task.kind.word_list_fields(task)
    cells = {field: WORD.findall(text) if field in listed else text for field, text in zip(task.fields, row, strict=False)}
    texts = task.kind.read_texts(task, cells)
    return Example("", texts, task.kind.blank_label(task, len(texts) - (task.kind.word_field or 0)))


@pytest.mark.slow
@pytest.mark.parametrize(("family", "kind"), FAMILIES_AND_KINDS.items())
def test_other_families_and_kinds_can_be_written(family: str, kind: str, tmp_path: Path) -> None:
    """`write_onnx` itself holds what is written to PyTorch."""
    require(HAS_ONNX, "the extra `onnx`")
    import onnxruntime

    write_onnx(tmp_path, write_family(tmp_path, family, find_kind(kind)), batch_size=2)
    session = onnxruntime.InferenceSession(tmp_path / ONNX_FILE, providers=["CPUExecutionProvider"])
    expected = ["start_logits", "end_logits"] if kind == "extractive question answering" else ["logits"]
    assert [output.name for output in session.get_outputs()] == expected


@pytest.mark.slow
def test_a_fault_of_the_exporter_is_told(disk: Disk) -> None:
    require(HAS_ONNX, "the extra `onnx`")
    folder = disk.folder / "model"
    dev = write_family(folder, "bert", find_kind("classification"))
    disk.fill()
    with pytest.raises(BlurbTuneError, match=r"PyTorch cannot write a bert model as ONNX: .*No space left on device"):
        write_onnx(folder, dev, batch_size=2)


def test_without_the_packages_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blurb_tune.release.onward._OF_ONNX", ("onnx_of_another_name",))
    with pytest.raises(InputError, match=r"--onnx: needs onnx_of_another_name: pip install 'blurb-tune\[onnx\]'"):
        Onward(onnx=True).check()
