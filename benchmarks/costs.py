"""What a run costs, computed: tokens of each BLURB data set, arithmetic and memory of a model.

    BLURB_DATA_DIR=blurb python benchmarks/costs.py

Arithmetic: 6 N floating-point operations per token and pass over the training set, N being the parameters of the blocks
(Kaplan et al. 2020, arXiv 2001.08361, section 2.1), and 12 L h s more for attention over s tokens. Memory: 16 bytes per
parameter for weights, gradients and Adam's two moments in fp32, and s b h (34 + 5 a s / h) bytes per block for what the
backward pass needs in 16 bits (Korthikanti et al. 2022, arXiv 2205.05198, equation 2); fused attention needs less.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blurb_tune.models.catalog import describe_model
from blurb_tune.tasks.blurb.definitions import BLURB
from blurb_tune.tasks.task import Task

EPOCHS = 10


@dataclass(frozen=True)
class Model:
    """L blocks of width h with a heads."""

    name: str
    blocks: int
    width: int
    heads: int
    vocabulary: int

    @property
    def in_blocks(self) -> int:
        """Parameters of the blocks: attention 4 h², feed-forward 8 h², biases and norms 13 h."""
        return self.blocks * (12 * self.width**2 + 13 * self.width)

    @property
    def parameters(self) -> int:
        """With the embeddings of tokens, 512 positions and 2 segments, and the pooler."""
        return self.in_blocks + (self.vocabulary + 514) * self.width + self.width**2

    def operations(self, tokens: int, length: float) -> float:
        """Of one training pass over so many tokens in texts of this mean length."""
        return tokens * (6 * self.in_blocks + 12 * self.blocks * self.width * length)

    def gigabytes(self, batch: int, length: int) -> float:
        """Of one trial: weights, gradients, optimizer, and activations of a batch of texts of this length."""
        activations = self.blocks * length * batch * self.width * (34 + 5 * self.heads * length / self.width)
        return (16 * self.parameters + activations) / 1e9


MODELS = (
    Model("MiniLM-L6", 6, 384, 12, 30522),
    Model("BERT-base", 12, 768, 12, 30522),
    Model("BERT-large", 24, 1024, 16, 30522),
)


def tokens_of(task: Task, folder: Path) -> list[int]:
    """The length of each training example, in MiniLM's (that is, BERT's uncased) word pieces, cut at the task's length."""
    from tokenizers import Tokenizer

    path = describe_model("minilm").path
    tokenizer = Tokenizer.from_file(str(Path(str(path)) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    encoded = tokenizer.encode_batch(list(_texts(folder / "train.jsonl")))
    return [min(len(of.ids), task.max_length) for of in encoded]


def _texts(file: Path) -> Iterator[str | tuple[str, str]]:
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "tokens" in row:
            yield " ".join(row["tokens"])
        elif "sentence1" in row:
            yield row["sentence1"], row["sentence2"]
        else:
            yield row["sentence"]


def main() -> None:
    folder = Path(os.environ["BLURB_DATA_DIR"])
    print("| model | parameters | memory, batch 16 of 128 tokens | of 256 | of 512 |\n|---|---:|---:|---:|---:|")
    for model in MODELS:
        memory = " | ".join(f"{model.gigabytes(16, length):.1f} GB" for length in (128, 256, 512))
        print(f"| {model.name} | {model.parameters / 1e6:.0f} M | {memory} |")
    names = " | ".join(f"{model.name}, 10^12 operations" for model in MODELS)
    print(f"\n| data set | examples | tokens of one | {names} |\n|---|---:|---:|{'---:|' * len(MODELS)}")
    for task in BLURB:
        found = [of for of in sorted(folder.iterdir()) if task.is_called(of.name) or of.name == task.data_set.folder]
        if not found:
            continue
        lengths = tokens_of(task, found[0])
        mean = sum(lengths) / len(lengths)
        work = " | ".join(f"{EPOCHS * model.operations(sum(lengths), mean) / 1e12:,.0f}" for model in MODELS)
        print(f"| {task.name} | {len(lengths):,} | {mean:.0f} | {work} |")


if __name__ == "__main__":
    main()
