"""AdamW with a schedule of the learning rate, and bias correction that can be switched off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

EPSILON = 1e-8
BERTADAM_EPSILON = 1e-6


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the steps of a trial; kind: `linear`, `cosine` or `constant` behind the warm-up."""

    total_steps: int
    warmup_share: float = 0.0
    kind: str = "linear"

    def factor(self, step: int) -> float:
        """The factor on the peak learning rate at optimizer step `step`, counted from 1.

        Equal to transformers' `get_scheduler` of the same name (for `constant` its `constant_with_warmup`) at every step, with
        `ceil` of the warm-up steps as its Trainer has it: 0 at the first step of a warm-up, 1 behind it, then down to 0 in a
        line (Gu et al. 2021, arXiv 2007.15779) or half a cosine, or constant.
        """
        done, warmup_steps = step - 1, math.ceil(self.total_steps * self.warmup_share)
        if done < warmup_steps:
            return done / warmup_steps
        if self.kind == "constant":
            return 1.0
        left = (self.total_steps - done) / max(1, self.total_steps - warmup_steps)
        return max(0.0, left) if self.kind == "linear" else (1 - math.cos(math.pi * left)) / 2


class ScheduledAdamW:
    """torch's fused AdamW whose rates follow the schedule.

    Without bias correction it does the steps of BERTAdam (Zhang et al. 2021, arXiv 2006.05987), p -= lr * (m /
    (sqrt(v) + eps) + wd * p), with the eps = 1e-6 of BERT's own `AdamWeightDecayOptimizer`; AdamW's is 1e-8. AdamW divides m
    by 1 - b1^t and v by 1 - b2^t, so lr, eps and weight decay are scaled in each step by what cancels the division.

    A parameter without a gradient stays as it is in a step, and so do its moments.

    watched: a parameter whose `shrinkage` is followed: what weight decay alone has left of an element of it, the product of
    1 - rate * decay over the steps in which it had a gradient.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        schedule: Schedule,
        *,
        bias_correction: bool = True,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float | None = None,
        watched: torch.nn.Parameter | None = None,
    ):
        self._base = [(float(group["lr"]), float(group["weight_decay"])) for group in groups]
        self._factor = schedule.factor
        self._bias_correction, self._betas = bias_correction, betas
        self._epsilon = epsilon or (EPSILON if bias_correction else BERTADAM_EPSILON)
        self._adamw = torch.optim.AdamW(groups, betas=betas, eps=self._epsilon, fused=True)
        self._watched = watched
        self.steps = 0
        self.shrinkage = 1.0

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        return [parameter for group in self._adamw.param_groups for parameter in group["params"]]

    @property
    def peak_rate(self) -> float:
        """The largest learning rate of the last step, which is the head's."""
        return max(rate for rate, _ in self._base) * self._factor(max(1, self.steps))

    def next_rates(self, names: Mapping[torch.Tensor, str]) -> dict[str, float]:
        """The learning rates of the next step, by the parameters' names."""
        factor, groups = self._factor(self.steps + 1), zip(self._adamw.param_groups, self._base, strict=True)
        return {names[parameter]: rate * factor for group, (rate, _) in groups for parameter in group["params"]}

    def step(self) -> None:
        """One update from the gradients at hand, which are dropped."""
        self.steps += 1
        factor = self._factor(self.steps)
        scale, root = (1.0, 1.0) if self._bias_correction else self._cancel_bias_correction()
        for group, (rate, decay) in zip(self._adamw.param_groups, self._base, strict=True):
            group["lr"] = rate * factor * scale
            group["weight_decay"] = decay / scale
            group["eps"] = self._epsilon / root
            if any(parameter is self._watched for parameter in group["params"] if parameter.grad is not None):
                self.shrinkage *= 1 - rate * factor * decay
        self._adamw.step()
        self._adamw.zero_grad(set_to_none=True)

    def state(self, names: Mapping[torch.Tensor, str]) -> dict[str, torch.Tensor]:
        """The moments of each parameter that has had a gradient, by `<its name>/<moment>`, on the CPU."""
        return {
            f"{names[parameter]}/{moment}": value.detach().cpu()
            for parameter, moments in self._adamw.state.items()
            for moment, value in moments.items()
        }

    def load(self, steps: int, state: Mapping[str, torch.Tensor], names: Mapping[torch.Tensor, str]) -> None:
        """Go on as the optimizer whose `state` this is did after `steps`."""
        parameters = {name: parameter for parameter, name in names.items()}
        for key, value in state.items():
            name, _, moment = key.rpartition("/")
            parameter = parameters[name]
            self._adamw.state[parameter][moment] = value.to(parameter.device, copy=True)
        self.steps = steps

    def _cancel_bias_correction(self) -> tuple[float, float]:
        """What cancels the bias correction. Parameters that had no gradient in earlier steps are counted on for it, too."""
        for parameter in self.parameters if self.steps > 1 else ():
            if parameter.grad is not None:
                moments = self._adamw.state[parameter] or self._first_moments(parameter)
                moments["step"].fill_(self.steps - 1)
        first, second = (1 - beta**self.steps for beta in self._betas)
        return first / second**0.5, second**0.5

    def _first_moments(self, parameter: torch.nn.Parameter) -> dict[str, torch.Tensor]:
        moments = {name: torch.zeros_like(parameter, requires_grad=False) for name in ("exp_avg", "exp_avg_sq")}
        moments["step"] = torch.zeros((), device=parameter.device)
        self._adamw.state[parameter] = moments
        return moments
