"""No framework at all: processes side by side, each of which trains its share of the runs in a plain PyTorch loop.

Usage: python bare.py JOB.json

Each process loads data and model once. Nothing is reported, logged, kept or taken up again.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

Run = dict[str, Any]


def train_share(job: dict[str, Any], share: int) -> list[Run]:
    """Every `slots`-th of the runs, one after the other."""
    import torch
    from recipes import apply_strategy, draw, parameter_groups
    from scipy.stats import pearsonr
    from torch.nn.utils.rnn import pad_sequence
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    rows = {split: _rows(Path(job["data"]) / f"{split}.jsonl") for split in ("train", "dev")}
    names = ("input_ids", "token_type_ids")
    inputs: dict[str, list[dict[str, torch.Tensor]]] = {}
    labels: dict[str, torch.Tensor] = {}
    for split, found in rows.items():
        texts = [row["sentence1"] for row in found], [row["sentence2"] for row in found]
        tokens = tokenizer(*texts, truncation=True, max_length=job["max_length"])
        inputs[split] = [{name: torch.tensor(tokens[name][i]) for name in names} for i in range(len(found))]
        labels[split] = torch.tensor([row["label"] for row in found])
    model = AutoModelForSequenceClassification.from_pretrained(job["model"], num_labels=1)
    pretrained = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def predict(split: str, batch: torch.Tensor) -> torch.Tensor:
        chosen = [inputs[split][i] for i in batch]
        padded = {name: pad_sequence([row[name] for row in chosen], batch_first=True) for name in names}
        lengths = torch.tensor([len(row["input_ids"]) for row in chosen])
        mask = torch.arange(padded["input_ids"].shape[1]) < lengths[:, None]
        is_bf16 = job["precision"] == "bf16"
        with torch.autocast("cpu", dtype=torch.bfloat16) if is_bf16 else contextlib.nullcontext():
            return model(**padded, attention_mask=mask.long()).logits.squeeze(-1).float()

    def train(run: Run) -> Run:
        torch.manual_seed(run["seed"])
        model.load_state_dict(pretrained)
        model.requires_grad_(True)
        draw(model, model.classifier)
        apply_strategy(model, run)
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(parameter_groups(model, job, run["decay_rate"]), fused=True)
        steps = job["epochs"] * math.ceil(len(labels["train"]) / job["batch_size"])
        schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(steps * job["warmup_share"]), steps)
        began, score = time.time(), math.nan
        for _ in range(job["epochs"]):
            model.train()
            for batch in torch.randperm(len(labels["train"])).split(job["batch_size"]):
                torch.nn.functional.mse_loss(predict("train", batch), labels["train"][batch]).backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            model.eval()
            with torch.inference_mode():
                score = pearsonr(predict("dev", torch.arange(len(labels["dev"]))), labels["dev"]).statistic
        return {**run, "score": float(score), "began": began, "ended": time.time(), "process": os.getpid()}

    return [train(run) for run in job["runs"][share :: job["slots"]]]


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def main() -> None:
    file = sys.argv[1]
    job = json.loads(Path(file).read_text())
    if len(sys.argv) > 2:
        print(json.dumps(train_share(job, int(sys.argv[2]))))
        return
    shares = range(min(job["slots"], len(job["runs"])))
    commands = [[sys.executable, __file__, file, str(share)] for share in shares]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    found = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit("a process failed")
    runs = list(job["runs"])
    for share, text in enumerate(found):
        runs[share :: job["slots"]] = json.loads(text.splitlines()[-1])
    Path(job["out"]).write_text(json.dumps(runs))


if __name__ == "__main__":
    main()
