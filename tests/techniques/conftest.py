"""Small random classifiers of every family as a trial finds them: encoder weights from a checkpoint, a head still to draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from blurb_tune.core.trial import Configuration
from blurb_tune.models.encoder import Pretrained, build_classifier, restore_weights
from blurb_tune.models.layers import LayerMap, layer_map
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.kinds import CLASSIFICATION
from blurb_tune.techniques.treatment import Treatment, restore_modules
from blurb_tune.training.parameter_groups import parameter_groups
from blurb_tune.training.preparation import prepare
from tests.models import encoders
from tests.models.encoders import FAMILIES

BLOCKS = 4
OUTPUTS = 3


@dataclass
class Subject:
    """A restored model on which a strategy is to be proved."""

    model: PreTrainedModel
    layers: LayerMap
    pretrained: Pretrained
    treatment: Treatment | None = None
    configuration: Configuration = field(default_factory=Configuration)

    def treat(self, seed: int = 0, steps: int = 8, kind: Kind = CLASSIFICATION, **settings: Any) -> Treatment:
        """Prepare the model for a configuration, as a trial does."""
        self.configuration = Configuration(**settings)
        self.treatment, self.layers = prepare(
            self.model, self.pretrained, self.configuration, kind, init_seed=seed, seed=seed, steps=steps, steps_per_epoch=4
        )
        return self.treatment

    def groups(self, *, learning_rate: float = 1e-2, weight_decay: float = 0.01) -> list[dict[str, Any]]:
        assert self.treatment is not None
        configuration = replace(self.configuration, learning_rate=learning_rate, weight_decay=weight_decay)
        return parameter_groups(self.model, self.layers, self.treatment, configuration)

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: p.detach().cpu().clone() for name, p in self.model.named_parameters()}

    def changed(self, before: dict[str, torch.Tensor]) -> set[str]:
        """Parameters of which any bit differs from `before`; NaN, a head that nobody has drawn, equals itself."""
        return {name for name, now in self.weights().items() if now.numpy().tobytes() != before[name].numpy().tobytes()}

    def train(self, steps: int = 3, *, seed: int = 0, gradients_only: bool = False) -> list[float]:
        """Losses of real AdamW steps, dropout included."""
        return train(self.model, torch.optim.AdamW(self.groups()), steps, seed, gradients_only)


def train(
    model: PreTrainedModel, optimizer: torch.optim.Optimizer, steps: int, seed: int, gradients_only: bool
) -> list[float]:
    device = next(model.parameters()).device
    model.train()
    per_token = type(model).__name__.endswith("ForTokenClassification")
    losses = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(steps):
            tokens = torch.randint(5, model.config.vocab_size, (8, 12)).to(device)
            labels = torch.randint(OUTPUTS, (8, 12) if per_token else (8,)).to(device)
            loss = model(tokens, labels=labels).loss
            loss.backward()
            losses.append(loss.item())
            if not gradients_only:
                optimizer.step()
                optimizer.zero_grad()
    return losses


def make_subject(family: str, per_token: bool = False) -> Subject:
    """Biases and norms are random too, as after pretraining, so that drawing them anew shows."""
    pretrained = encoders.make_pretrained(family, hidden_size=32, num_hidden_layers=BLOCKS, intermediate_size=48)
    model = build_classifier(pretrained, OUTPUTS, per_token=per_token)
    return Subject(model, layer_map(model), pretrained)


@pytest.fixture(autouse=True, scope="package")
def one_thread() -> Iterator[None]:
    """Models this small take ten times as long where two threads wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[False, True], ids=["text", "token"])
def per_token(request: pytest.FixtureRequest) -> bool:
    """A classifier of texts, or of tokens."""
    return request.param


@pytest.fixture
def subject(family: str, per_token: bool, shared_subjects: dict[tuple[str, bool], Subject]) -> Subject:
    """Set back as a slot does for each trial: what a test adds to the modules itself stays, and is for `new_subject`."""
    shared = shared_subjects[family, per_token]
    restore_modules(shared.model)
    restore_weights(shared.model, shared.pretrained)
    shared.model.train()
    return Subject(shared.model, layer_map(shared.model), shared.pretrained)


@pytest.fixture
def new_subject() -> Callable[..., Subject]:
    return make_subject


@pytest.fixture(scope="session")
def shared_subjects() -> dict[tuple[str, bool], Subject]:
    """One of each family and kind, in whatever state the last test has left it."""
    return {(family, per_token): make_subject(family, per_token) for family in FAMILIES for per_token in (False, True)}


@pytest.fixture
def plain_train() -> Callable[..., list[float]]:
    return train


@pytest.fixture
def level() -> Callable[[str], int]:
    """0 embeddings, 1..L blocks, L + 1 the rest, read off the name independently of the layer map."""
    return lambda parameter: encoders.level(parameter, BLOCKS)
