"""What all trials of a sweep have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of training and evaluation that no axis of the search has.

    metric: the dev metric that makes `dev_score`. score: the evaluation by which a trial is scored, and by which it is judged
    whether it has failed: its last, or that with the highest dev score. eval_every: steps between two evaluations, None for
    once an epoch. micro_batch_size: examples per forward pass in training, None for whole batches. select_best_checkpoint: a
    trial's model is that of its best dev evaluation, not of its last. crossed: see `core.seeds.streams`. frozen_dropout:
    frozen blocks have dropout, as those that learn; without it, they are a feature extractor, whose output is computed once.
    early_stopping_patience, early_stopping_threshold: a trial ends when its dev score has not improved by more than the
    threshold for so many evaluations (`results.early_stopping`); None for never. cuda_graphs: on a GPU, the passes of whole
    batches of texts are recorded once for each shape.
    """

    metric: str
    score: Literal["final", "best"] = "final"
    precision: str = "auto"
    eval_every: int | None = None
    micro_batch_size: int | None = None
    eval_batch_size: int = 64
    gradient_checkpointing: bool = False
    select_best_checkpoint: bool = False
    crossed: tuple[int, int] | None = None
    frozen_dropout: bool = False
    early_stopping_patience: int | None = None
    early_stopping_threshold: float = 0.0
    cuda_graphs: bool = False
