"""The usual way: Hugging Face's Trainer in trials of Ray Tune, both by their defaults.

Usage: python trainer.py JOB.json

Each trial is a process of its own, which loads data, tokenizer and model for itself. They keep no checkpoints and report to
Ray Tune alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import ray
from ray import tune


def train(config: dict[str, Any]) -> None:
    import torch
    from datasets import load_dataset
    from recipes import apply_strategy, parameter_groups
    from scipy.stats import pearsonr
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    job, run = config["job"], config["run"]
    set_seed(run["seed"])
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    raw = load_dataset("json", data_files={split: f"{job['data']}/{split}.jsonl" for split in ("train", "dev")})

    def encode(batch: dict[str, list[Any]]) -> Any:
        return tokenizer(batch["sentence1"], batch["sentence2"], truncation=True, max_length=job["max_length"])

    encoded = raw.map(encode, batched=True, remove_columns=["id", "sentence1", "sentence2"])
    model = AutoModelForSequenceClassification.from_pretrained(job["model"], num_labels=1)
    apply_strategy(model, run)
    optimizer = None
    if run["decay_rate"] < 1:
        optimizer = torch.optim.AdamW(parameter_groups(model, job, run["decay_rate"]), fused=True)
    began = 0.0

    class Reporter(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            nonlocal began
            began = time.time()

        def on_evaluate(self, *_: Any, metrics: dict[str, float], **__: Any) -> None:
            tune.report({"score": metrics["eval_pearson"], "began": began, "ended": time.time(), "process": os.getpid()})

    Trainer(
        model=model,
        args=TrainingArguments(
            output_dir="trainer",
            num_train_epochs=job["epochs"],
            per_device_train_batch_size=job["batch_size"],
            per_device_eval_batch_size=64,
            learning_rate=job["learning_rate"],
            warmup_steps=job["warmup_share"],
            weight_decay=job["weight_decay"],
            bf16=job["precision"] == "bf16",
            use_cpu=True,
            seed=run["seed"],
            eval_strategy="epoch",
            save_strategy="no",
            report_to="none",
        ),
        data_collator=DataCollatorWithPadding(tokenizer),
        train_dataset=encoded["train"],
        eval_dataset=encoded["dev"],
        compute_metrics=lambda found: {"pearson": pearsonr(found.predictions[:, 0], found.label_ids).statistic},
        optimizers=(optimizer, None),
        callbacks=[Reporter()],
    ).train()


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    ray.init("local", num_cpus=job["slots"], include_dashboard=False)
    results = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space={"run": tune.grid_search(job["runs"]), "job": job},
        run_config=tune.RunConfig(storage_path=job["scratch"]),
    ).fit()
    if results.num_errors:
        sys.exit(str(results.errors[0]))
    names = ("score", "began", "ended", "process")
    runs = [{**of.config["run"], **{name: of.metrics[name] for name in names}} for of in results]
    Path(job["out"]).write_text(json.dumps(runs))


if __name__ == "__main__":
    main()
