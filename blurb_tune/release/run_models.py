"""The runs of a sweep as models again: their weights, the data they are judged by, and the folder that others load."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.paths import SweepPaths
from blurb_tune.execution.cleanup import WEIGHTS_SUFFIX, weights_name
from blurb_tune.execution.prepare import encode_for
from blurb_tune.execution.sweep_folder import storage_of
from blurb_tune.execution.weights import load_weights
from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.models.encoder import build_classifier, load_pretrained, load_tokenizer, silence
from blurb_tune.models.families import family_of
from blurb_tune.models.tokens import add_tokens
from blurb_tune.preflight import Plan
from blurb_tune.release.answering import LABELS, as_released
from blurb_tune.release.calibration import temperature_of
from blurb_tune.release.folder import Facts
from blurb_tune.release.soup import Weights
from blurb_tune.tasks.checking.task_data import load_data, load_test
from blurb_tune.tasks.encoding.cache import cache_folder
from blurb_tune.tasks.encoding.features import Encoded
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.kinds import REGRESSION, SPANS
from blurb_tune.tasks.scoring.metrics import evaluate
from blurb_tune.training.batch_runner import BatchRunner

# In what a text's tokens are padded to, products are added up in another order.
_TOLERANCE = 1e-3
# How many of the examples, or words, may be answered otherwise for rounding, and at least how many. Beside fp32, MiniLM in
# bf16 did so for 3 of 5,229 words and for none of 300 texts.
_ROUNDED_SHARE, _LEAST_ROUNDED = 0.005, 3
_DRAWS = 100


class RunModels:
    """One model of a sweep, into which the weights of its runs are put.

    trial: by whose model and fold. say: told what comes next. The model is loaded when it is first needed, and InputError
    raised then where it or the data are gone.
    """

    def __init__(self, plan: Plan, paths: SweepPaths, record: SweepRecord, trial: TrialRecord, say: Callable[[str], None]):
        self.plan, self.record, self._fold = plan, record, trial.fold
        self._info = plan.models[record.configurations[trial.configuration_id].configuration.model]
        self._storage = storage_of(plan.spec.storage, paths).child("weights")
        self.precision = record.header.precision or "fp32"
        self._say = say

    @cached_property
    def _loaded(self) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
        self._say(f"loading the model {self._info.name}")
        task, tokenizer = self.plan.task, load_tokenizer(self._info)
        pretrained = add_tokens(load_pretrained(self._info), tokenizer, task.markers)
        return build_classifier(pretrained, task.outputs, per_token=task.per_token), tokenizer

    @property
    def model(self) -> PreTrainedModel:
        return self._loaded[0]

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        return self._loaded[1]

    @cached_property
    def dev(self) -> Encoded:
        """What the runs were judged by: the dev split, or their fold."""
        data = load_data(self.plan.source, cache=cache_folder())
        if self._fold is None:
            return self._encoded(data.dev)
        return self._encoded([data.train[row] for row in data.folds[self._fold]])

    def test(self) -> Encoded | None:
        """The test split; None where there is none. Raises BlurbTuneError while no winner is named."""
        if not self.plan.source.has_test:
            return None
        selection = self.record.selection
        if selection is None:
            raise BlurbTuneError("the test split stays closed until a winner is named")
        return self._encoded(load_test(self.plan.source, selection))

    def _encoded(self, examples: Sequence[Example]) -> Encoded:
        return encode_for(self.plan, self._info, examples, self.tokenizer)

    @cached_property
    def _kept(self) -> frozenset[str]:
        try:
            return frozenset(name.removesuffix(WEIGHTS_SUFFIX) for name in self._storage.names())
        except OSError as error:
            raise BlurbTuneError(f"the weights in {self._storage.uri} cannot be read: {error}") from None

    def has_weights(self, run: TrialRecord) -> bool:
        """Whether they were kept."""
        return weights_name(run.trial_id, run.attempt) in self._kept

    def weights(self, run: TrialRecord) -> Weights:
        """All of its parameters, by name, in fp32. Raises BlurbTuneError where they are gone or not this model's."""
        try:
            weights = load_weights(self._storage, weights_name(run.trial_id, run.attempt))
        except OSError as error:
            kept = "they are kept of the winner's runs where the spec says `final_test: true`, of all with `keep_weights: all`"
            raise BlurbTuneError(f"the weights of {run.trial_id} cannot be read: {error}; {kept}") from None
        shapes = {name: tensor.shape for name, tensor in weights.items()}
        if shapes != {name: parameter.shape for name, parameter in self.model.named_parameters()}:
            raise BlurbTuneError(f"the weights of {run.trial_id} are not those of the model that the spec names")
        return weights

    def put(self, weights: Weights) -> None:
        """Have the model compute with these; the buffers, which no training changes, stay as they are."""
        self.model.load_state_dict(weights, strict=False)

    def outputs(self, data: Encoded) -> np.ndarray:
        """Of the model as it stands, as in the sweep: fp32, (m, task outputs); NaN for words that it does not read."""
        runner = BatchRunner(
            self.model,
            self.plan.task,
            self.tokenizer.pad_token_id,
            precision=self.precision,
            micro_batch_size=1,
            eval_batch_size=self.plan.spec.training.eval_batch_size,
        )
        return runner.outputs(data)

    def measured(self, run: TrialRecord) -> float:
        """The score on dev by which the sweep has judged a run."""
        judged = self.record.scored_measurement(run)
        assert judged is not None, "a run with a model has been measured"
        return judged.dev_score

    def score(self, outputs: np.ndarray, data: Encoded) -> float:
        """The sweep's metric."""
        return evaluate(self.plan.task, outputs, data.labels, data.words).metrics[self.plan.metric]

    def check(self, name: str, outputs: np.ndarray, measured: float) -> None:
        """Raise BlurbTuneError unless outputs on dev score what was measured of the same weights before.

        Of a sweep in fp32 on CPUs that is the same number, but for the order in which products are added up. In bf16, which
        has 8 significant bits, it depends on the machine: GPUs, CPUs that multiply in it and those that emulate it round at
        different places, and an example whose outputs are close to each other may be answered otherwise. On a small dev split
        one such example is more than any fixed tolerance, and in a rare class it counts more than in a frequent one. So the
        score may be as far off as it comes when a few examples, or words, have the outputs of others.
        """
        found = self.score(outputs, self.dev)
        off = abs(found - measured)
        if not off <= _TOLERANCE and (self._is_exact or not off <= self._reach(outputs, found)):
            raise BlurbTuneError(
                f"the weights of {name} score {found:.4f} on dev, but the sweep measured {measured:.4f}: they are not those "
                "of this run, or the data have changed; nothing was written"
            )

    @property
    def _is_exact(self) -> bool:
        """Whether the sweep has computed as this process does, in fp32 on CPUs; logs of before do not say it."""
        return self.record.header.precision == "fp32" and not self.plan.spec.resources.gpus

    def _reach(self, outputs: np.ndarray, score: float) -> float:
        """How far a score on dev moves at most when few rows of the outputs are exchanged among each other."""
        read, generator = np.flatnonzero(np.isfinite(outputs).all(axis=1)), np.random.default_rng(0)
        few = min(len(read), max(_LEAST_ROUNDED, round(_ROUNDED_SHARE * len(read))))
        farthest = 0.0
        for _ in range(_DRAWS):
            rows, others = generator.choice(read, few, replace=False), outputs.copy()
            others[rows] = outputs[generator.permutation(rows)]
            farthest = max(farthest, abs(self.score(others, self.dev) - score))
        return farthest

    def write(self, folder: Path, outputs: np.ndarray, name: str) -> Facts:
        """Write the model as it stands, whose outputs on dev these are, with tokenizer and facts.

        name: of the run, or of what it is made of. A regression's head gives scores in the unit of the data from here on.
        Raises BlurbTuneError where there is no room for it.
        """
        task, plan = self.plan.task, self.plan
        center, scale = self._unit
        self._rescale(self.model, scale, center)
        self._describe()
        released = as_released(self.model, task.kind)
        self.tokenizer.model_max_length = min(plan.spec.training.max_length or task.max_length, self._info.max_length)
        try:
            with silence():
                released.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        except Exception as error:  # safetensors and tokenizers have errors of their own for a full disk
            raise BlurbTuneError(f"the model cannot be written: {error}") from None
        facts = Facts(
            task=task.name,
            kind=task.kind.name,
            fields=task.fields,
            labels=task.labels,
            label_range=task.scores.limits,
            markers=task.markers,
            max_length=self.tokenizer.model_max_length,
            precision=self.precision,
            temperature=self.temperature(outputs),
            sweep=self.record.header.sweep_id,
            trial=name,
        )
        facts.write(folder)
        return facts

    def temperature(self, outputs: np.ndarray) -> float:
        """By which these outputs on dev are divided for probabilities."""
        return temperature_of(self.plan.task, outputs, self.dev)

    def to_the_unit_of_training(self, written: PreTrainedModel) -> None:
        """Undo in a model that was written and read back what its head was changed by."""
        center, scale = self._unit
        self._rescale(written, 1 / scale, -center / scale)

    @property
    def _unit(self) -> tuple[float, float]:
        """Center and scale: a regression learns (score - center) / scale, and the head that is written takes that back."""
        return self.plan.task.scores.center or 0.0, self.plan.task.scores.unit or 1.0

    @torch.no_grad()
    def _rescale(self, model: PreTrainedModel, scale: float, center: float) -> None:
        if self.plan.task.kind != REGRESSION:
            return
        head = model.get_submodule(family_of(model.config.model_type).head).modules()
        last = [module for module in head if isinstance(module, torch.nn.Linear)][-1]
        last.weight.mul_(scale)
        last.bias.mul_(scale).add_(center)

    def _describe(self) -> None:
        task, config = self.plan.task, self.model.config
        config.problem_type = task.kind.problem_type
        labels = LABELS if task.kind == SPANS else task.labels or (task.label_field,)
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: number for number, label in enumerate(labels)}


def check_written(name: str, found: float, here: float) -> None:
    """Raise BlurbTuneError unless a model that was read back scores what it did in this process before it was written."""
    if not abs(found - here) <= _TOLERANCE:
        raise BlurbTuneError(f"{name} scores {here:.4f} on dev, but {found:.4f} once it is read back; nothing was written")
