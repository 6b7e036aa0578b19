"""What a model folder holds, read without torch: the shape of the encoder, its weights, its tokenizer."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.core.paths import read_file
from blurb_tune.models.conversion import WEIGHTS, how_to_convert, is_pointer, prefix_advice
from blurb_tune.models.families import FAMILIES, family_of
from blurb_tune.models.tokenizer_files import VOCABULARY, check_tokenizer, has_tokenizer

CONFIG = "config.json"
WEIGHTS_INDEX = "model.safetensors.index.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
_FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


@dataclass(frozen=True)
class Shape:
    """What a config says of an encoder. max_length: the most tokens that one input can have."""

    family: str
    blocks: int
    hidden_size: int
    max_length: int


def read_shape(config: Path) -> Shape:
    """Read a config.json. Raises BlurbTuneError when it is not one or the family is not supported."""
    values = _read_config(config)
    if not isinstance(values.get("model_type"), str):
        raise BlurbTuneError(f"{config} names no model_type: {_advice_on_family(values)}")
    family = family_of(values["model_type"])
    positions = _count(config, values, "max_position_embeddings")
    if family.padded_positions:
        positions -= _padding_index(config, values, positions) + 1
    blocks, size = (
        # transformers writes the family's own name and reads either.
        _count(config, values, key if key in values else family.config_keys.get(key, key))
        for key in ("num_hidden_layers", "hidden_size")
    )
    return Shape(family.model_type, blocks, size, positions)


def _advice_on_family(values: Mapping[str, Any]) -> str:
    """By what the config calls the model's class, as old ones do."""
    names = values.get("architectures")
    first = str(names[0]).casefold() if isinstance(names, list) and names else ""
    families = [family for family in FAMILIES if first.startswith(re.sub(r"[^a-z0-9]", "", family))]
    if not families:
        return 'it is no config of a Hugging Face model, or lacks its family, such as "model_type": "bert"'
    return f'its class is {names[0]}, so add "model_type": "{max(families, key=len)}"'  # type: ignore[index]


def _read_config(config: Path) -> dict[str, Any]:
    try:
        values = json.loads(read_file(config).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BlurbTuneError(f"{config} cannot be read as JSON: {error}") from None
    return values if isinstance(values, dict) else {}


def _count(config: Path, values: dict[str, Any], key: str) -> int:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BlurbTuneError(f"{config}: {key} must be a positive integer, but got {value!r}")
    return value


def _padding_index(config: Path, values: dict[str, Any], positions: int) -> int:
    """As transformers has it: 1 unless the config says otherwise, which MPNet's embeddings do not heed."""
    if values["model_type"] == "mpnet":
        return 1
    index = values.get("pad_token_id", 1)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < positions - 1:
        raise BlurbTuneError(
            f"{config}: pad_token_id, behind which position embeddings start, must be an integer from 0 to {positions - 2} "
            f"with {positions} of them, but got {json.dumps(index)}"
        )
    return index


def has_model(folder: Path) -> bool:
    """Whether all files of the weights and a tokenizer lie in the folder, whatever their state."""
    try:
        files = _weight_files(folder)
    except BlurbTuneError:
        return False
    return bool(files) and all(file.is_file() for file in files) and has_tokenizer(folder)


def is_cased_without_config(folder: Path) -> bool:
    """Whether the vocabulary has capitals though no setting says so: BERT's tokenizer would then lower-case all text.

    So it is with old cased models, such as BioBERT's descendants, that come with a vocabulary and no settings.
    """
    if not (folder / VOCABULARY).is_file():
        return False
    settings = folder / TOKENIZER_CONFIG
    if settings.is_file() and "do_lower_case" in settings.read_text(encoding="utf-8"):
        return False
    tokens = (folder / VOCABULARY).read_text(encoding="utf-8").split()
    return any(token != token.lower() for token in tokens if not token.startswith("["))


def check_folder(folder: Path, sha256: str | None = None) -> None:
    """Raise BlurbTuneError unless the folder holds a tokenizer and readable safetensors weights that fit its config.

    `sha256` is the expected digest of a single weights file, None where any will do. Only headers are read otherwise.
    """
    files = _weight_files(folder)
    if not files:
        raise BlurbTuneError(f"{folder} has no weights: expected {WEIGHTS}{how_to_convert(folder)}")
    shapes: dict[str, tuple[int, ...]] = {}
    dtypes: dict[str, str] = {}
    for file in files:
        try:
            with safe_open(file, framework="np") as opened:
                tensors = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
                shapes |= {name: tuple(tensor.get_shape()) for name, tensor in tensors.items()}
                dtypes |= {name: tensor.get_dtype() for name, tensor in tensors.items()}
        except (OSError, SafetensorError) as error:
            pointer = (
                "; it is a pointer of Git LFS: run `git lfs pull` in its folder" if file.is_file() and is_pointer(file) else ""
            )
            raise BlurbTuneError(f"{file} is no complete safetensors file: {error}{pointer}") from None
    if sha256 is not None:
        _check_digest(folder / WEIGHTS, sha256)
    misfit = _config_mismatch(folder / CONFIG, shapes)
    if misfit is not None:
        raise InputError([Problem(str(folder), f"{CONFIG} and the weights do not belong together: {misfit}")])
    _check_precision(folder, dtypes)
    check_tokenizer(folder, _rows(folder / CONFIG, shapes))


def _check_precision(folder: Path, dtypes: Mapping[str, str]) -> None:
    """Quantized weights lack what fine-tuning changes: they are refused, not cast."""
    method = _read_config(folder / CONFIG).get("quantization_config")
    named = str(method.get("quant_method", "quantized")) if isinstance(method, dict) else None
    quantized = next((name for name, dtype in dtypes.items() if dtype not in _FLOATS and name.endswith(".weight")), None)
    if named or quantized:
        what = f"quantization_config ({named})" if named else f"{quantized} is {dtypes[str(quantized)]}"
        raise BlurbTuneError(
            f"{folder}: the weights are quantized ({what}); fine-tuning needs the original ones, in fp32, fp16 or bf16"
        )


def _rows(config: Path, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """How many rows the token table has; None where the config does not tell which tensor that is."""
    family = FAMILIES.get(str(_read_config(config).get("model_type")))
    table = f"{family.token_table.partition('.')[2]}.weight" if family else None
    return next((size[0] for name, size in shapes.items() if table and (name == table or name.endswith(f".{table}"))), None)


def _config_mismatch(config: Path, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """What a config says otherwise than the names and shapes of the tensors: blocks, hidden size, tokens.

    It knows what is alike in all families; each tensor is compared when the weights are loaded.
    """
    values = _read_config(config)
    family = FAMILIES.get(str(values.get("model_type")))
    if family is None:  # a known model whose config does not name its family
        return None
    shape = read_shape(config)
    base, _, blocks = family.blocks.partition(".")
    tensors = {name.removeprefix(f"{base}."): size for name, size in shapes.items()}
    in_block = re.compile(rf"{re.escape(blocks)}\.(\d+)\.")
    found = {int(match[1]) for name in tensors if (match := in_block.match(name))}
    if found and found != set(range(shape.blocks)):
        return f"num_hidden_layers is {shape.blocks}, but the weights have {len(found)} blocks"
    if not found and (prefix := _prefix(tensors, in_block)):
        return f"the names of the tensors begin with {prefix!r}; {prefix_advice(config.parent, prefix)}"
    for name, size in tensors.items():
        # Every matrix of a block reads or writes the hidden states.
        if in_block.match(name) and len(size) == 2 and shape.hidden_size not in size:
            return f"hidden_size is {shape.hidden_size}, but {name} has the shape {size}"
    table, tokens = f"{family.token_table.partition('.')[2]}.weight", values.get("vocab_size")
    if table in tensors and isinstance(tokens, int) and tensors[table][0] != tokens:
        return f"vocab_size is {tokens}, but {table} has the shape {tensors[table]}"
    return None


def _prefix(names: Iterable[str], in_block: re.Pattern[str]) -> str | None:
    """What stands in front of all names, such as the `module.` of DataParallel; None where no block is among them at all."""
    names = list(names)
    match = next((match for name in names if (match := in_block.search(name))), None)
    first = names[0].partition(".")[0] + "." if names else ""
    return first if match is not None and all(name.startswith(first) for name in names) else None


def _weight_files(folder: Path) -> list[Path]:
    """The one file, or those that the index lists, there or not; none without either. Raises for a bad index."""
    index = folder / WEIGHTS_INDEX
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not index.is_file():
        return []
    try:
        values = json.loads(read_file(index).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BlurbTuneError(f"{index} is no index of weights: {error}") from None
    files = values.get("weight_map") if isinstance(values, dict) and isinstance(values.get("metadata"), dict) else None
    if not isinstance(files, dict) or not files or not all(isinstance(file, str) for file in files.values()):
        raise BlurbTuneError(
            f"{index} is no index of weights: expected metadata, and a weight_map that names the file of each tensor"
        )
    if strangers := sorted(file for file in set(files.values()) if Path(file).name != file):
        raise BlurbTuneError(f"{index} is no index of weights: expected files of its folder, but got {strangers[0]!r}")
    return [folder / file for file in sorted(set(files.values()))]


def _check_digest(file: Path, expected: str) -> None:
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != expected:
        raise BlurbTuneError(f"{file} is damaged or another model: SHA-256 {expected} expected, but got {found}")
