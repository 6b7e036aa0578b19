"""What all trials of a sweep share, as it crosses to the actors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from transformers import PreTrainedModel

from blurb_tune.core.storage import Storage
from blurb_tune.core.trial import TrialConfig
from blurb_tune.execution.checkpoints import Checkpoints
from blurb_tune.execution.halt import Halt
from blurb_tune.execution.slot_settings import SlotSettings
from blurb_tune.models.encoder import Pretrained, build_classifier
from blurb_tune.models.vocabulary import Vocabulary
from blurb_tune.tasks.encoding.cache import states_folder
from blurb_tune.tasks.task import Task
from blurb_tune.training.engines.prefix import Prefixes
from blurb_tune.training.engines.states_cache import StatesCache
from blurb_tune.training.fine_tuning import FineTuning
from blurb_tune.training.training_data import FoldedData, TrainingData
from blurb_tune.training.training_settings import TrainingSettings


@dataclass(frozen=True, eq=False)
class ModelEnvironment:
    """A model, and the sweep's data in its tokens. data: in the numbers that `vocabulary` gives the tokens in use."""

    pretrained: Pretrained
    vocabulary: Vocabulary
    data: TrainingData | FoldedData

    @property
    def compact(self) -> Pretrained:
        """The model that is trained: with the rows of the tokens in use alone."""
        return self.vocabulary.compact(self.pretrained)

    def fold(self, number: int | None) -> TrainingData:
        """Train and dev; of fold `number` where the sweep cross-validates, which copies the arrays."""
        if isinstance(self.data, FoldedData):
            assert number is not None, "a trial of a cross-validation has a fold"
            return self.data.fold(number)
        return self.data


@dataclass(frozen=True, eq=False)
class TrialEnvironment:
    """It goes through Ray's object store once, and its arrays are mapped from there, not copied.

    models: by the name that the spec gives them. cpus: threads of a trial. states_bytes: for hidden states of frozen blocks
    on a node's disk; device_states_bytes: for them in the memory of a trial's GPU. The rest are the driver's `SlotSettings`.
    """

    task: Task
    models: Mapping[str, ModelEnvironment]
    settings: TrainingSettings
    cpus: int
    device: str
    weights: Storage | None = None
    checkpoints: Checkpoints | None = None
    halt: Halt | None = None
    hang_seconds: float | None = None
    logs: Storage | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    states_bytes: float = 0.0
    device_states_bytes: float = 0.0

    def under(self, settings: SlotSettings) -> TrialEnvironment:
        """With what the sweep's driver has settled."""
        places = {name: getattr(settings, name) for name in ("weights", "halt", "hang_seconds", "logs", "versions")}
        storage = settings.checkpoints
        checkpoints = None if storage is None else Checkpoints(storage, settings.checkpoint_seconds)
        return replace(self, settings=replace(self.settings, precision=settings.precision), checkpoints=checkpoints, **places)

    def classifier(self, model: str, *, whole: bool = False) -> PreTrainedModel:
        """A classifier for the task, on the device; it costs seconds for a large model.

        whole: one that knows all of its tokens, and not just those of the sweep's data.
        """
        classifier = build_classifier(
            self.models[model].pretrained if whole else self.models[model].compact,
            self.task.outputs,
            per_token=self.task.per_token,
            gradient_checkpointing=self.settings.gradient_checkpointing,
        )
        return classifier.to(self.device)

    def prefixes(self) -> Prefixes:
        """Where a process keeps the hidden states that trials with frozen blocks begin from."""
        return Prefixes(StatesCache(states_folder(), self.states_bytes), self.device_states_bytes)

    def fine_tuning(
        self, classifier: PreTrainedModel, data: TrainingData, trial: TrialConfig, prefixes: Prefixes | None = None
    ) -> FineTuning:
        """A trial from its beginning, in a classifier of its model and on its fold's data."""
        configuration = trial.configuration
        model = self.models[configuration.model]
        settings = self.settings
        if trial.halvings:
            size = min(settings.micro_batch_size or configuration.batch_size, configuration.batch_size)
            settings = replace(settings, micro_batch_size=max(1, -(-size // 2**trial.halvings)))
        return FineTuning(
            classifier,
            model.compact,
            data,
            settings,
            configuration,
            trial.seed,
            prefixes=prefixes,
            vocabulary=model.vocabulary,
        )
