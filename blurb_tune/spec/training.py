"""The training section: what all trials have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from blurb_tune.spec.dimensions import SpecModel


def _steps_or_epoch(value: Any) -> Any:
    is_steps = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if value != "epoch" and not is_steps:
        raise ValueError(f"expected `epoch` or a number of steps, 1 or more, but got {value!r}")
    return value


class TrainingSpec(SpecModel):
    """What all trials have in common."""

    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 autocast on CUDA and on CPUs with avx512_bf16 or amx, else fp32"
    )
    eval_every: Annotated[Literal["epoch"] | int, BeforeValidator(_steps_or_epoch)] = Field(
        "epoch", description="dev is evaluated every epoch, or every so many steps"
    )
    max_length: Annotated[int, Field(ge=8)] | None = Field(None, description="tokens per example; null: the task's default")
    micro_batch_size: Annotated[int, Field(ge=1)] | None = Field(
        None, description="examples per forward pass, gradients add up to batch_size; null: all at once"
    )
    eval_batch_size: Annotated[int, Field(ge=1)] = Field(64, description="examples per forward pass on dev")
    frozen_dropout: bool = Field(
        False,
        description="frozen blocks have dropout like those that learn; false: they are a feature extractor, whose output is "
        "computed once",
    )
    prefix_cache_gb: Annotated[float, Field(ge=0)] = Field(
        20.0, description="disk on each node for that output, in GB; what does not fit is recomputed in each step"
    )
    prefix_gpu_gb: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="memory of a trial's GPU from which it reads that output, in GB; 0: from the node's. Not yet run on a GPU",
    )
    gradient_checkpointing: bool = Field(
        False, description="trades time for memory: activations are recomputed in the backward pass"
    )
    cuda_graphs: bool = Field(
        False,
        description="on a GPU, the passes of whole batches of texts are CUDA graphs, for lengths in steps of 32 tokens; tags "
        "and answers have none. Not yet run on a GPU",
    )
    early_stopping_patience: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="a trial ends when its dev score has not improved for so many evaluations, with its best one (so `score: "
        "best` must be set); it counts as any trial that ran to its end. null: never",
    )
    early_stopping_threshold: Annotated[float, Field(ge=0)] = Field(
        0.0, description="a dev score must be above the best one by more than this to be an improvement"
    )

    def digest_content(self) -> dict[str, Any]:
        """What digests of a sweep are made of: all that numbers depend on. What came later is left out where it is not used,
        so that a sweep of an earlier version can be taken up."""
        content = self.model_dump(mode="json", exclude={"prefix_cache_gb", "prefix_gpu_gb"})
        if self.early_stopping_patience is None:
            del content["early_stopping_patience"], content["early_stopping_threshold"]
        if not self.cuda_graphs:
            del content["cuda_graphs"]
        return content

    @model_validator(mode="after")
    def _records_what_it_computes(self) -> TrainingSpec:
        if self.cuda_graphs and self.gradient_checkpointing:
            raise ValueError(
                "`cuda_graphs` cannot be had with `gradient_checkpointing`, whose passes look at the random state"
            )
        return self

    @model_validator(mode="after")
    def _has_no_idle_threshold(self) -> TrainingSpec:
        if self.early_stopping_threshold and self.early_stopping_patience is None:
            raise ValueError("`early_stopping_threshold` has no effect without `early_stopping_patience`")
        return self
