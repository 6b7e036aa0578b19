"""A folder whose weights cannot be used is refused before anything starts, in words that help."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import warnings
from dataclasses import replace

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import CONFIG_MAPPING, AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.models.catalog import check_weights
from blurb_tune.models.encoder import load_pretrained
from blurb_tune.models.families import FAMILIES
from blurb_tune.models.model_folder import has_model, read_shape
from blurb_tune.models.tokenizer_files import unknown_share
from blurb_tune.preflight import make_plan
from blurb_tune.spec import load_spec


@pytest.fixture
def info(random_model, save):
    return save(random_model("bert"))


def refusal(info) -> str:
    """The same words from the check and from loading."""
    with pytest.raises(BlurbTuneError) as checked:
        check_weights(info)
    with pytest.raises(BlurbTuneError) as loaded:
        load_pretrained(info)
    assert str(checked.value) == str(loaded.value)
    return str(checked.value)


def test_a_complete_folder_passes(info):
    check_weights(info)


def test_no_weights(info):
    (info.path / "model.safetensors").unlink()
    assert refusal(info) == f"{info.path} has no weights: expected model.safetensors"


def test_other_safetensors_are_no_weights(info):
    (info.path / "model.safetensors").rename(info.path / "adapter_model.safetensors")
    assert "has no weights" in refusal(info)


def test_pickled_weights_are_refused_and_the_advice_works(info, random_model):
    """The command that the message prints makes a folder that loads the very same weights."""
    expected = load_pretrained(info).weights
    (info.path / "model.safetensors").unlink()
    torch.save(random_model("bert").state_dict(), info.path / "pytorch_model.bin")
    message = refusal(info)
    assert "pickled and never loaded" in message
    command = shlex.split(message.splitlines()[1])
    assert command[:2] == ["python", "-c"]
    subprocess.run([sys.executable, "-W", "ignore", *command[1:]], check=True)
    converted = load_pretrained(info).weights
    assert converted.keys() == expected.keys()
    assert all((converted[name] == expected[name]).all() for name in expected)


def with_config(info, **changes):
    config = info.path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | changes))
    return info


@pytest.mark.parametrize("architecture", [AutoModel, AutoModelForMaskedLM])
@pytest.mark.parametrize("sharding", [{}, {"max_shard_size": "5KB"}])
def test_weights_that_fit_their_config_pass(family, architecture, sharding, random_model, save):
    """Named with the base model in front and without, in one file and in several."""
    check_weights(save(random_model(family, architecture), **sharding))


@pytest.mark.parametrize("architecture", [AutoModel, AutoModelForMaskedLM])
def test_weights_of_another_size_than_their_config_are_refused_by_their_headers(family, architecture, random_model, save):
    info = save(random_model(family, architecture))
    blocks, size = (FAMILIES[family].config_keys.get(key, key) for key in ("num_hidden_layers", "hidden_size"))
    before = f"{info.path}: config.json and the weights do not belong together: "
    config = json.loads((info.path / "config.json").read_text())
    assert refusal(with_config(info, **{blocks: 5})) == f"{before}num_hidden_layers is 5, but the weights have 3 blocks"
    wide = refusal(with_config(info, **{**config, size: 36}))
    assert re.search(rf"^{re.escape(before)}hidden_size is 36, but \S+\.0\.\S+ has the shape \(\d+, \d+\)$", wide)
    table = FAMILIES[family].token_table.partition(".")[2]
    large = refusal(with_config(info, **{**config, "vocab_size": 50}))
    rows = config["vocab_size"]
    assert re.search(rf"^{re.escape(before)}vocab_size is 50, but {table}\.weight has the shape \({rows}, \d+\)$", large)


def test_no_block_is_dropped_in_silence(info):
    message = refusal(with_config(info, num_hidden_layers=2))
    assert message.endswith("num_hidden_layers is 2, but the weights have 3 blocks")


@pytest.fixture
def advised(monkeypatch):
    """What the command that a message prints does, as a shell splits it, in this process."""

    def run(message):
        python, option, code, *arguments = shlex.split(message.splitlines()[1])
        assert (python, option) == ("python", "-c")
        monkeypatch.setattr(sys, "argv", [option, *arguments])
        with warnings.catch_warnings(action="ignore"):
            exec(code, {})

    return run


def test_a_prefix_of_all_names_is_told_and_can_be_taken_off(info, advised):
    expected, file = load_pretrained(info).weights, info.path / "model.safetensors"
    save_file({f"module.{name}": tensor for name, tensor in load_file(file).items()}, file, {"format": "pt"})
    message = refusal(info)
    assert "the names of the tensors begin with 'module.'" in message
    advised(message)
    assert load_pretrained(info).weights.keys() == expected.keys()


@pytest.mark.parametrize(
    ("key", "name"), [("model_state_dict", "plain"), ("state_dict", 'it\'s a "model" $HOME'), (None, 'it\'s a "model" $HOME')]
)
def test_the_advice_works_for_checkpoints_of_a_training_and_for_any_folder(info, random_model, advised, key, name):
    expected = load_pretrained(info).weights
    weights = {f"module.{name}": tensor for name, tensor in random_model("bert").state_dict().items()}
    (info.path / "model.safetensors").unlink()
    torch.save({"epoch": 3, key: weights} if key else weights, info.path / "pytorch_model.bin")
    moved = replace(info, path=info.path.rename(info.path.with_name(name)))
    advised(refusal(moved))
    assert load_pretrained(moved).weights.keys() == expected.keys()


def test_shards_that_are_pickled_are_converted_together(info, random_model, advised):
    expected = load_pretrained(info).weights
    (info.path / "model.safetensors").unlink()
    weights = list(random_model("bert").state_dict().items())
    for number in (1, 2):
        torch.save(dict(weights[number - 1 :: 2]), info.path / f"pytorch_model-0000{number}-of-00002.bin")
    advised(refusal(info))
    assert load_pretrained(info).weights.keys() == expected.keys()


@pytest.mark.parametrize(("name", "of"), [("tf_model.h5", "TensorFlow"), ("flax_model.msgpack", "Flax")])
def test_weights_of_another_framework_are_told(info, name, of):
    (info.path / "model.safetensors").rename(info.path / name)
    assert f"{name} is of {of}; transformers 4 makes safetensors of it" in refusal(info)


def test_quantized_weights_are_refused_and_not_cast(info):
    file = info.path / "model.safetensors"
    weights = load_file(file)
    name = next(name for name, tensor in weights.items() if name.endswith("query.weight"))
    save_file({**weights, name: weights[name].to(torch.int8)}, file, {"format": "pt"})
    assert f"the weights are quantized ({name} is I8)" in refusal(info)
    save_file(weights, file, {"format": "pt"})
    message = refusal(with_config(info, quantization_config={"quant_method": "bitsandbytes"}))
    assert "the weights are quantized (quantization_config (bitsandbytes))" in message


def test_a_tokenizer_with_more_tokens_than_rows_is_told(info):
    file = info.path / "tokenizer.json"
    values = json.loads(file.read_text())
    values["model"]["vocab"]["toomuch"] = 5000
    file.write_text(json.dumps(values))
    assert re.search(r"tokens up to number 5000, but the weights have \d+ rows for them", refusal(info))


def test_a_tokenizer_without_a_token_for_unknown_words_is_told(info):
    file = info.path / "tokenizer.json"
    values = json.loads(file.read_text())
    values["model"] |= {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"[CLS]": 0, "word": 1}}
    file.write_text(json.dumps(values))
    assert "the tokenizer has no token for unknown words" in refusal(info)


def test_a_vocabulary_may_hold_whatever_else_ends_a_line(info):
    """As that of the Chinese BERT: a token is a line of the file, and U+2028 and U+0085 are tokens."""
    for file in info.path.glob("tokenizer*"):
        file.unlink()
    rows = json.loads((info.path / "config.json").read_text())["vocab_size"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u2028", "\x85", *(f"w{number}" for number in range(7, rows))]
    (info.path / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    check_weights(info)
    (info.path / "vocab.txt").write_text("\r\n".join([*tokens, "more"]), encoding="utf-8", newline="")
    assert f"tokens up to number {rows}, but the weights have {rows} rows" in refusal(info)


def test_a_tokenizer_that_git_lfs_has_not_fetched_is_told(info):
    (info.path / "spm.model").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    assert "spm.model is a pointer of Git LFS and not the file itself; run `git lfs pull`" in refusal(info)


def test_truncated_weights(info):
    weights = info.path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "model.safetensors is no complete safetensors file" in refusal(info)


def test_a_pointer_of_git_lfs(info):
    (info.path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    assert "is no complete safetensors file" in refusal(info)


def test_no_tokenizer(info):
    for file in info.path.glob("tokenizer*"):
        file.unlink()
    assert "has no tokenizer: expected one of tokenizer.json, vocab.txt" in refusal(info)


def test_shards(random_model, save):
    info = save(random_model("bert"), max_shard_size="20KB")
    shards = sorted(info.path.glob("model-*.safetensors"))
    assert len(shards) > 1
    check_weights(info)
    shards[1].unlink()
    assert shards[1].name in refusal(info)


@pytest.mark.parametrize(("sharding", "files"), [({}, 2), ({"max_shard_size": "20KB"}, 5)])
def test_a_folder_has_its_model_when_no_file_of_it_is_missing(random_model, save, sharding, files):
    """Weights in one file, or in all those that the index lists; and a tokenizer."""
    folder = save(random_model("bert"), **sharding).path
    needed = [*folder.glob("model*"), folder / "tokenizer.json"]
    assert len(needed) == files
    for file in needed:
        assert has_model(folder)
        content = file.read_bytes()
        file.unlink()
        assert not has_model(folder), file.name
        file.write_bytes(content)


@pytest.mark.parametrize(
    "index",
    [
        "",
        "[" * 100_000,
        "[]",
        '{"weights": {}}',
        '{"metadata": {}, "weight_map": {}}',
        '{"metadata": {}, "weight_map": []}',
        '{"metadata": {}, "weight_map": {"a": 5}}',
        '{"metadata": {}, "weight_map": {"a": "model-00001-of-00001.safetensors", "b": null}}',
        '{"metadata": {}, "weight_map": {"a": ["x"]}}',
        '{"weight_map": {"a": "model-00001-of-00001.safetensors"}}',
        '{"metadata": null, "weight_map": {"a": "model-00001-of-00001.safetensors"}}',
    ],
)
def test_an_index_that_is_none(random_model, save, index):
    info = save(random_model("bert"), max_shard_size="20KB")
    (info.path / "model.safetensors.index.json").write_text(index)
    assert "model.safetensors.index.json is no index of weights: " in refusal(info)
    assert not has_model(info.path)


PADDED = ["roberta", "xlm-roberta", "camembert", "mpnet"]
UNSAID = object()


def config_with(folder, family: str, padding: object):
    """The path of a small config with 12 positions and this `pad_token_id`."""
    sizes = {"max_position_embeddings": 12, "num_hidden_layers": 1, "hidden_size": 4, "num_attention_heads": 1}
    said = {} if padding is UNSAID else {"pad_token_id": padding}
    config = folder / "config.json"
    config.write_text(json.dumps({"model_type": family, "intermediate_size": 4, "vocab_size": 50, **sizes, **said}))
    return config


@pytest.mark.parametrize("family", PADDED)
@pytest.mark.parametrize("padding", [UNSAID, 0, 1, 5, 10])
def test_the_longest_input_is_the_longest_that_transformers_takes(tmp_path, family, padding):
    config = config_with(tmp_path, family, padding)
    longest = read_shape(config).max_length
    model = AutoModelForSequenceClassification.from_config(CONFIG_MAPPING[family].from_pretrained(tmp_path)).eval()
    model(input_ids=torch.full((1, longest), 20))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, longest + 1), 20))


@pytest.mark.parametrize("family", PADDED)
@pytest.mark.parametrize("padding", [None, -1, 11, 40, "1", 1.0, True])
def test_a_padding_token_that_no_position_follows_is_refused(tmp_path, family, padding):
    """MPNet in transformers has its padding at 1 whatever the config says."""
    config = config_with(tmp_path, family, padding)
    if family == "mpnet":
        assert read_shape(config).max_length == 10
        return
    with pytest.raises(BlurbTuneError) as refused:
        read_shape(config)
    assert str(refused.value) == (
        f"{config}: pad_token_id, behind which position embeddings start, must be an integer from 0 to 10 "
        f"with 12 of them, but got {json.dumps(padding)}"
    )


@pytest.mark.parametrize(
    ("text", "share"), [("a cough at night", 0.0), ("ein Husten bei Nacht", 1.0), ("a Husten at Nacht", 0.5)]
)
def test_the_share_of_words_that_a_tokenizer_does_not_know(tmp_path, text, share):
    words = ["[UNK]", "a", "cough", "at", "night"]
    tokenizer = Tokenizer(WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert unknown_share(tmp_path, [text] * 3) == share


def test_what_files_do_not_tell_is_no_unknown_word(tmp_path):
    assert unknown_share(tmp_path, ["a cough"]) == 0


def test_a_tokenizer_that_knows_few_words_of_the_data_is_told_at_the_model_s_line(info, tmp_path):
    (tmp_path / "notes.csv").write_text(
        "note,ill\n" + "".join(f"ночью кашель {n},{'yes' if n % 2 else 'no'}\n" for n in range(20))
    )
    task = {"train": "notes.csv", "text": "note", "label": "ill", "kind": "binary"}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({"task": task, "model": str(info.path)}, sort_keys=False))
    with pytest.raises(InputError) as caught:
        make_plan(load_spec(tmp_path / "s.yaml"))
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path}/s.yaml:6"
    assert "of the words of train are unknown to its tokenizer" in problem.what
    newer = json.loads((info.path / "tokenizer.json").read_text()) | {"pre_tokenizer": {"type": "Newest"}}
    (info.path / "tokenizer.json").write_text(json.dumps(newer))
    with pytest.raises(InputError, match=r"s.yaml:6: .*tokenizer.json is no tokenizer that can be read: data did not match"):
        make_plan(load_spec(tmp_path / "s.yaml"))
