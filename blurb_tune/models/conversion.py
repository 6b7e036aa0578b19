"""Weights in other formats than safetensors: which a folder has, and how they become safetensors."""

from __future__ import annotations

import shlex
from pathlib import Path

WEIGHTS = "model.safetensors"
PICKLED_WEIGHTS = "pytorch_model.bin"
_SHARDS = "pytorch_model-*.bin"
# Of TensorFlow and of Flax, which current versions of transformers do not read.
_FOREIGN = {"tf_model*.h5": "TensorFlow", "*.ckpt.index": "TensorFlow", "flax_model*.msgpack": "Flax"}
_POINTER = b"version https://git-lfs"


def how_to_convert(folder: Path) -> str:
    """What to do where a folder has weights in another format only; empty where it has none."""
    if (folder / PICKLED_WEIGHTS).is_file() or any(folder.glob(_SHARDS)):
        return f". {PICKLED_WEIGHTS} is pickled and never loaded; {conversion_advice(folder)}"
    for pattern, name in _FOREIGN.items():
        if file := next(folder.glob(pattern), None):
            flag = "from_tf" if name == "TensorFlow" else "from_flax"
            how = f"AutoModel.from_pretrained(folder, {flag}=True).save_pretrained(folder)"
            return f". {file.name} is of {name}; transformers 4 makes safetensors of it: {how}"
    return ""


def conversion_advice(folder: Path) -> str:
    """How to make safetensors of the pickled weights in `folder`, tensor by tensor, if one trusts where they come from.

    Of a training checkpoint that has the weights among other things, and of ones saved from within DataParallel, too.
    """
    code = (
        "import glob, sys, torch, safetensors.torch as s; w = {}; d = sys.argv[1]; "
        "files = sorted(glob.glob(glob.escape(d) + '/pytorch_model*.bin')); "
        "[w.update(torch.load(f, map_location='cpu', weights_only=True)) for f in files]; "
        "w = next((w[k] for k in ('model_state_dict', 'state_dict', 'model') if isinstance(w.get(k), dict)), w); "
        f"s.save_file({{k.removeprefix('module.'): v.clone() for k, v in w.items()}}, d + '/{WEIGHTS}', {{'format': 'pt'}})"
    )
    return f"if you trust it, convert it once with\n  python -c {shlex.quote(code)} {shlex.quote(str(folder))}"


def prefix_advice(folder: Path, prefix: str) -> str:
    """How to take a prefix off the names of the tensors in a folder's safetensors file."""
    code = (
        "import sys, safetensors.torch as s; f = sys.argv[1]; w = s.load_file(f); "
        f"s.save_file({{k.removeprefix({prefix!r}): v for k, v in w.items()}}, f, {{'format': 'pt'}})"
    )
    return f"take it off with\n  python -c {shlex.quote(code)} {shlex.quote(str(folder / WEIGHTS))}"


def is_pointer(file: Path) -> bool:
    """Whether a file is what Git LFS leaves in its place where the file itself was not fetched."""
    with file.open("rb") as opened:
        return opened.read(len(_POINTER)) == _POINTER
