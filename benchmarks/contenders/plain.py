"""An exported model by transformers alone, scored by other people's metrics: nothing of this project is imported.

Usage: python plain.py FOLDER TEST.jsonl entities|relations|pairs

Prints the score as JSON: seqeval's F1 of BIO tags, scikit-learn's micro F1 without the class `0`, or scipy's Pearson.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer

Row = dict[str, Any]


def main(folder: str, test: str, what: str) -> None:
    rows = [json.loads(line) for line in Path(test).read_text(encoding="utf-8").splitlines()]
    of_words = what == "entities"
    architecture = AutoModelForTokenClassification if of_words else AutoModelForSequenceClassification
    model, tokenizer = architecture.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    score = {"entities": entity_f1, "relations": relation_f1, "pairs": pearson}[what](model, tokenizer, rows)
    print(json.dumps({"score": score, "ours": sorted(name for name in sys.modules if name.startswith("blurb_tune"))}))


@torch.no_grad()
def entity_f1(model: Any, tokenizer: Any, rows: list[Row]) -> float:
    from seqeval.metrics import f1_score

    predicted = []
    for row in rows:
        encoded = tokenizer(row["tokens"], is_split_into_words=True, truncation=True, return_tensors="pt")
        tags = model(**encoded).logits[0].argmax(-1).tolist()
        found = ["O"] * len(row["tokens"])  # what is cut off counts as outside
        for place, word in reversed(list(enumerate(encoded.word_ids()))):
            if word is not None:
                found[word] = model.config.id2label[tags[place]]
        predicted.append([_with_type(tag) for tag in found])
    return float(f1_score([[_with_type(tag) for tag in row["ner_tags"]] for row in rows], predicted))


def _with_type(tag: str) -> str:
    return tag if tag == "O" or "-" in tag else f"{tag}-X"


@torch.no_grad()
def relation_f1(model: Any, tokenizer: Any, rows: list[Row]) -> float:
    from sklearn.metrics import f1_score

    encoded = (tokenizer(row["sentence"], truncation=True, return_tensors="pt") for row in rows)
    predicted = [model.config.id2label[int(model(**each).logits.argmax())] for each in encoded]
    scored = sorted(label for label in model.config.label2id if label != "0")
    return float(f1_score([row["label"] for row in rows], predicted, labels=scored, average="micro", zero_division=0))


@torch.no_grad()
def pearson(model: Any, tokenizer: Any, rows: list[Row]) -> float:
    from scipy.stats import pearsonr

    encoded = (tokenizer(row["sentence1"], row["sentence2"], truncation=True, return_tensors="pt") for row in rows)
    return float(pearsonr([model(**each).logits.item() for each in encoded], [row["label"] for row in rows]).statistic)


if __name__ == "__main__":
    main(*sys.argv[1:])
