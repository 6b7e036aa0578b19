"""Low-rank adaptation: the attention's projections learn a change of low rank, all else stays as pretrained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from blurb_tune.techniques.protocol import Axis, Citation, Subject, Technique

if TYPE_CHECKING:
    import torch

_ADAPTER = "default"
_BASE = ".base_layer."


class LoRA(Technique):
    """W + (alpha / r) B A in place of W, where A and B of rank r learn, A random and B 0 at first.

    (Hu et al. 2021, arXiv 2106.09685, by the package `peft`.) It is on what makes queries and values, as in the paper, in
    blocks that are not frozen; the family says which modules these are. The head learns too. A is uniform within
    1 / sqrt(inputs), as in peft, from the trial's own generator. What is tested and kept are the merged weights.
    """

    name = "lora"
    doing = "low-rank adaptation (LoRA)"
    example = "lora_rank: [0, 4, 8]"
    citation = Citation("hu2021", "Hu and others", 2021, "2106.09685")
    axes = (
        Axis(
            "lora_rank",
            int,
            neutral=0,
            word="lora",
            meaning="rank of the change that queries' and values' projections learn, all other blocks' weights frozen (LoRA)",
            low=0,
            high=1024,
        ),
        Axis(
            "lora_alpha",
            float,
            neutral=16.0,
            word="alpha",
            meaning="LoRA's change is scaled by this over the rank",
            low=0,
            open_low=True,
        ),
        Axis(
            "lora_dropout",
            float,
            neutral=0.0,
            word="dropout",
            meaning="dropout before LoRA's change",
            low=0,
            high=1,
            open_high=True,
        ),
    )
    after = ("freeze",)
    excludes = ("reinit", "mixout", "wdpre", "bitfit")
    adds_weights = True
    lora_rank: int
    lora_alpha: float
    lora_dropout: float

    @classmethod
    def conflict(cls, values: Mapping[str, Any], blocks: float) -> str | None:
        """A block is left that can learn."""
        return f"freeze_depth < {blocks:g}" if values["freeze_depth"] >= blocks else None

    def prepare(self, subject: Subject) -> None:
        import torch
        from peft import LoraConfig, inject_adapter_in_model

        self._pretrained = set(subject.pretrained)
        config = LoraConfig(
            r=self.lora_rank,
            lora_alpha=self.lora_alpha,
            lora_dropout=self.lora_dropout,
            target_modules=[name for name in subject.layers.projections if subject.rate_factor(f"{name}.weight") != 0],
        )
        with torch.random.fork_rng(devices=[]):
            inject_adapter_in_model(config, subject.model, _ADAPTER)
        generator = subject.generator(self.name)
        with torch.no_grad():
            for name, parameter in subject.model.named_parameters():
                if ".lora_A." in name:
                    drawn = generator.uniform(parameter.numel()).view(parameter.shape)
                    parameter.copy_((2 * drawn - 1) * parameter.shape[1] ** -0.5)

    @staticmethod
    def restore(model: torch.nn.Module) -> None:
        for name, module in list(model.named_modules()):
            if hasattr(module, "lora_A"):
                parent, _, own = name.rpartition(".")
                setattr(model.get_submodule(parent), own, module.base_layer)
        vars(model).pop("peft_config", None)

    def rate_factor(self, parameter: str) -> float:
        return float(".lora_" in parameter or (parameter not in self._pretrained and _BASE not in parameter))

    def export(self, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        merged = {name.replace(_BASE, "."): weight for name, weight in weights.items() if ".lora_" not in name}
        for name, inner in weights.items():
            if ".lora_A." in name:
                outer, module = weights[name.replace(".lora_A.", ".lora_B.")], name.partition(".lora_A.")[0]
                merged[f"{module}.weight"] = merged[f"{module}.weight"] + outer @ inner * (self.lora_alpha / self.lora_rank)
        return merged
