from __future__ import annotations

import dataclasses
import gc
import json
import math
import weakref
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from scipy import stats
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel

from blurb_tune.core.steps import total_steps
from blurb_tune.core.trial import Configuration, Measurement, Outcome, TrialReport
from blurb_tune.models.encoder import Pretrained, build_classifier
from blurb_tune.results.trivial import TRIVIAL_LOSS_MARGIN, TrivialLevel
from blurb_tune.tasks.encoding.features import collate
from blurb_tune.tasks.scoring.metrics import Evaluation, TrivialPredictor
from blurb_tune.training import fine_tuning
from blurb_tune.training.batching import epoch_batches
from blurb_tune.training.checkpoint import Checkpoint
from blurb_tune.training.fine_tuning import FineTuning
from blurb_tune.training.optimizer import Schedule
from blurb_tune.training.training_data import TrainingData
from blurb_tune.training.training_settings import TrainingSettings

SETTINGS = TrainingSettings(metric="pearson", precision="fp32")
CONFIGURATION = Configuration(epochs=3, batch_size=8, learning_rate=1e-3)
MIXED = dataclasses.replace(CONFIGURATION, freeze_depth=1, decay_rate=0.9, reinit_count=2)


def numbers(report: TrialReport) -> dict[str, Any]:
    """Everything that was measured but for the seconds."""
    assert report.measurement is not None
    values = dataclasses.asdict(report.measurement)
    return {name: value for name, value in values.items() if not name.endswith("seconds")}


def without_dropout(model: PreTrainedModel) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


class Runner:
    """Runs trials on one model, as a slot does."""

    def __init__(self, pretrained: Pretrained, data: TrainingData):
        self.pretrained, self.data = pretrained, data
        self.model: PreTrainedModel = build_classifier(pretrained, data.task.outputs)

    def start(self, configuration: Configuration, seed: int = 0, settings: TrainingSettings = SETTINGS) -> FineTuning:
        return FineTuning(self.model, self.pretrained, self.data, settings, configuration, seed)

    def run(self, configuration: Configuration, seed: int = 0, settings: TrainingSettings = SETTINGS) -> list[TrialReport]:
        trial, reports = self.start(configuration, seed, settings), []
        while not reports or reports[-1].outcome is None:
            reports.append(trial.advance())
        return reports


@pytest.fixture
def runner(pretrained: Pretrained, data: TrainingData) -> Runner:
    return Runner(pretrained, data)


@pytest.fixture
def brief(pretrained: Pretrained, few_data: TrainingData) -> Runner:
    """Of two steps an epoch, where nothing has to be learned in them."""
    return Runner(pretrained, few_data)


def test_what_is_computed_again_drops_what_it_has_dropped_before(pretrained: Pretrained, few_data: TrainingData) -> None:
    """Gradient checkpointing changes no number of a trial: each block's gradients are of the masks of its forward pass."""
    found = []
    for recomputes in (False, True):
        runner = Runner(pretrained, few_data)
        runner.model = build_classifier(pretrained, few_data.task.outputs, gradient_checkpointing=recomputes)
        runner.model.gradient_checkpointing = True  # all but the blocks are as with it
        found.append([numbers(report) for report in runner.run(CONFIGURATION)])
    for kept, recomputed in zip(*found, strict=True):
        assert recomputed.pop("extra") == pytest.approx(kept.pop("extra"), rel=1e-3)
        assert recomputed == pytest.approx(kept, rel=1e-3)


def test_a_trial_measures_once_an_epoch_and_ends_with_an_outcome(runner: Runner) -> None:
    reports = runner.run(CONFIGURATION)
    assert [r.measurement.epoch for r in reports if r.measurement] == [1.0, 2.0, 3.0]
    assert [r.measurement.step for r in reports if r.measurement] == [6, 12, 18]
    assert total_steps(len(runner.data.train), CONFIGURATION) == 18
    assert [r.outcome is None for r in reports] == [True, True, False]
    assert reports[-1].outcome in (Outcome.COMPLETED, Outcome.COLLAPSED)


def test_evaluation_every_n_steps_includes_the_last(runner: Runner) -> None:
    reports = runner.run(CONFIGURATION, settings=dataclasses.replace(SETTINGS, eval_every=4))
    assert [r.measurement.step for r in reports if r.measurement] == [4, 8, 12, 16, 18]


def test_how_often_dev_is_evaluated_does_not_change_training(brief: Runner) -> None:
    often = brief.run(MIXED, settings=dataclasses.replace(SETTINGS, eval_every=1))
    seldom = brief.run(MIXED)
    assert numbers(often[-1])["dev_score"] == numbers(seldom[-1])["dev_score"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_same_seed_same_numbers_whatever_ran_before_or_runs_beside_it(brief: Runner, precision: str) -> None:
    settings = dataclasses.replace(SETTINGS, precision=precision)
    mixed, plain = (dataclasses.replace(configuration, epochs=2) for configuration in (MIXED, CONFIGURATION))
    alone = [numbers(r) for r in Runner(brief.pretrained, brief.data).run(mixed, 7, settings)]
    torch.manual_seed(123)
    brief.run(plain, 3, settings)
    after_another = [numbers(r) for r in brief.run(mixed, 7, settings)]
    ours, beside = brief.start(mixed, 7, settings), Runner(brief.pretrained, brief.data).start(plain, 1, settings)
    interleaved = []
    for _ in range(2):
        interleaved.append(numbers(ours.advance()))
        beside.advance()
        torch.rand(5)
    assert alone == after_another == interleaved
    assert [numbers(r) for r in brief.run(mixed, 8, settings)] != alone


@pytest.mark.parametrize("above", [2**32, 2**33, 2**62])
def test_every_bit_of_a_seed_counts_for_weights_dropout_and_order(runner: Runner, above: int) -> None:
    starts = []
    for seed in (5, 5 + above):
        trial = runner.start(MIXED, seed)
        drawn = [
            p.detach().clone() for name, p in runner.model.named_parameters() if "layer.3" in name or "classifier" in name
        ]
        starts.append(
            (trial._random.state()["dropout"], [weights for weights in drawn if weights.ndim > 1], next(trial._batches))
        )
    (dropout, weights, rows), (other_dropout, other_weights, other_rows) = starts
    assert not torch.equal(dropout, other_dropout)
    assert len(weights) > 5
    assert not any(torch.equal(one, other) for one, other in zip(weights, other_weights, strict=True))
    assert not np.array_equal(rows, other_rows)


def test_predictions_are_not_rounded_to_bf16(runner: Runner) -> None:
    trial = runner.start(CONFIGURATION, settings=dataclasses.replace(SETTINGS, precision="bf16"))
    trial.advance()
    outputs = torch.from_numpy(trial._runner.outputs(runner.data.dev))
    assert outputs.dtype == torch.float32
    assert (outputs != outputs.bfloat16().float()).sum() > len(outputs) // 2


def test_training_leaves_the_process_s_own_generator_alone(brief: Runner) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    brief.run(CONFIGURATION)
    assert torch.equal(torch.rand(3), expected)


def test_the_neutral_strategy_is_plain_fine_tuning(runner: Runner, data: TrainingData) -> None:
    """Losses equal those of a loop written out with transformers' own model and torch's own AdamW, without dropout."""
    configuration = dataclasses.replace(CONFIGURATION, epochs=2)
    without_dropout(runner.model)
    head_drawn = runner.start(configuration, seed=1)
    start = {name: tensor.clone() for name, tensor in runner.model.state_dict().items()}
    ours = [numbers(head_drawn.advance())["train_loss"] for _ in range(2)]

    config = AutoConfig.for_model(**runner.pretrained.config)
    config.num_labels = 1
    model = AutoModelForSequenceClassification.from_config(config)
    model.load_state_dict(start)
    model.train()
    without_dropout(model)
    no_decay = ("bias", "LayerNorm.weight", "LayerNorm.bias")
    grouped: dict[bool, list[torch.nn.Parameter]] = {True: [], False: []}
    for name, parameter in model.named_parameters():
        grouped[not name.endswith(no_decay)].append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": grouped[True], "weight_decay": 0.01}, {"params": grouped[False], "weight_decay": 0.0}], lr=1e-3, fused=True
    )
    theirs, step = [], 0
    for epoch in range(2):
        losses = []
        for rows in epoch_batches(data.train.lengths, 8, seed=1, epoch=epoch):
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 * Schedule(12, 0.1).factor(step)
            batch = {name: torch.from_numpy(v) for name, v in collate(data.train, rows, data.pad_token_id).items()}
            loss = torch.nn.functional.mse_loss(model(**batch).logits.squeeze(-1), torch.from_numpy(data.train.labels[rows]))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.detach())
        theirs.append(float(torch.stack(losses).mean()))
    assert ours == pytest.approx(theirs, rel=1e-4)


def test_accumulated_micro_batches_equal_whole_batches(runner: Runner) -> None:
    """Without dropout, whose draws depend on the batch's shape, the gradients are the same."""
    without_dropout(runner.model)
    once = dataclasses.replace(CONFIGURATION, epochs=1)
    whole = numbers(runner.run(once)[-1])
    for size in (1, 5, 8, 99):
        parts = numbers(runner.run(once, settings=dataclasses.replace(SETTINGS, micro_batch_size=size))[-1])
        assert parts["train_loss"] == pytest.approx(whole["train_loss"], rel=1e-3)
        assert parts["dev_score"] == pytest.approx(whole["dev_score"], abs=1e-2)


def test_a_loss_that_is_not_finite_ends_the_trial_at_once(runner: Runner) -> None:
    reports = runner.run(dataclasses.replace(CONFIGURATION, learning_rate=1e30, max_grad_norm=None, warmup_share=0.0))
    last = reports[-1]
    assert last.outcome is Outcome.DIVERGED
    assert last.measurement is not None
    assert last.measurement.step < 18
    assert "not finite" in last.reason
    assert not math.isfinite(last.measurement.train_loss)
    assert math.isnan(last.measurement.dev_score)


def test_a_last_step_that_breaks_the_model_is_a_divergence(runner: Runner) -> None:
    """The train loss is finite to the end: it is measured before the step."""
    size = len(runner.data.train)
    broken = Configuration(epochs=1, batch_size=size, learning_rate=1e38, warmup_share=0.0)
    (only,) = runner.run(broken)
    assert only.measurement is not None
    assert math.isfinite(only.measurement.train_loss)
    assert only.outcome is Outcome.DIVERGED
    assert only.reason == "the dev loss is not finite at step 1"


def test_a_run_that_learns_nothing_has_collapsed(runner: Runner) -> None:
    last = runner.run(dataclasses.replace(CONFIGURATION, freeze_depth=4, epochs=1, learning_rate=1e-9))[-1]
    measured = last.measurement
    assert measured is not None
    level = runner.data.trivial.level("pearson")
    assert measured.train_loss > level.loss
    assert measured.dev_score <= level.noise_bound
    assert last.outcome is Outcome.COLLAPSED
    assert f"against {level.loss:.4g}" in last.reason


def script(monkeypatch: pytest.MonkeyPatch, pearson: list[float], spearman: float = 0.9) -> None:
    """Have the evaluations of the next trial give these scores, whatever the model says."""
    scores = iter(pearson)

    def evaluate(*_: object) -> Evaluation:
        return Evaluation({"pearson": next(scores), "spearman": spearman, "mse": 1.0}, 1.0, 0.5)

    monkeypatch.setattr(fine_tuning, "evaluate", evaluate)


@pytest.mark.parametrize(
    ("score", "scores", "outcome"),
    [
        ("final", [0.9, 0.0, 0.0], Outcome.COLLAPSED),
        ("best", [0.9, 0.0, 0.0], Outcome.COMPLETED),
        ("best", [0.0, 0.9, math.nan], Outcome.COMPLETED),
        ("final", [0.0, math.nan, 0.9], Outcome.COMPLETED),
        ("best", [-0.5, -0.2, -0.9], Outcome.COLLAPSED),
        ("best", [math.nan, math.nan, math.nan], Outcome.COLLAPSED),
    ],
)
def test_a_trial_is_judged_where_it_is_scored(
    brief: Runner, monkeypatch: pytest.MonkeyPatch, score: Literal["final", "best"], scores: list[float], outcome: Outcome
) -> None:
    script(monkeypatch, scores)
    last = brief.run(CONFIGURATION, settings=dataclasses.replace(SETTINGS, score=score))[-1]
    assert last.outcome is outcome
    assert last.measurement is not None
    assert last.measurement.step == 6
    if scores[1] == -0.2:
        assert last.reason.startswith("was at its best, at step 4, no better than the trivial predictor: dev pearson -0.2000 ")


STOPS_EARLY = dataclasses.replace(SETTINGS, score="best", select_best_checkpoint=True, early_stopping_patience=2)


@pytest.mark.parametrize(
    ("scores", "threshold", "steps", "outcome"),
    [
        ([0.5, 0.7, 0.6, 0.7, 0.9, 0.9], 0.0, 8, Outcome.COMPLETED),
        ([0.5, 0.7, 0.6, 0.8, 0.9, 0.9], 0.0, 12, Outcome.COMPLETED),
        ([0.5, 0.7, 0.75, 0.8, 0.9, 0.9], 0.1, 8, Outcome.COMPLETED),
        ([-0.1, -0.2, math.nan, 0.9, 0.9, 0.9], 0.0, 6, Outcome.COLLAPSED),
        ([0.5, 0.6, 0.7, 0.8, 0.8, 0.8], 0.0, 12, Outcome.COMPLETED),
    ],
)
def test_a_trial_without_improvement_ends_early_with_its_best(
    brief: Runner, monkeypatch: pytest.MonkeyPatch, scores: list[float], threshold: float, steps: int, outcome: Outcome
) -> None:
    settings = dataclasses.replace(STOPS_EARLY, early_stopping_threshold=threshold)
    script(monkeypatch, scores)
    trial, reports, weights = brief.start(dataclasses.replace(CONFIGURATION, epochs=6), settings=settings), [], []
    while not reports or reports[-1].outcome is None:
        reports.append(trial.advance())
        weights.append({name: p.detach().clone() for name, p in brief.model.named_parameters()})
    last = reports[-1]
    assert last.measurement is not None
    assert (last.measurement.step, last.outcome, last.stopped_early) == (steps, outcome, steps < 12)
    by = " by more than 0.1" if threshold else ""
    why = f"stopped early at step {steps} of 12: its dev score has not improved{by} for 2 evaluations"
    assert last.reason.startswith(why) == last.stopped_early
    assert ("trivial predictor" in last.reason) == (outcome is Outcome.COLLAPSED)
    assert_same_weights(trial.weights(), weights[int(np.nanargmax(scores[: len(reports)]))])


def test_a_resumed_trial_ends_early_where_the_whole_one_does(
    brief: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configuration, scores = dataclasses.replace(CONFIGURATION, epochs=6), [0.5, 0.7, 0.6, 0.65, 0.9, 0.9]
    for done in range(1, 4):
        script(monkeypatch, scores)
        lost = brief.start(configuration, settings=STOPS_EARLY)
        for _ in range(done):
            assert lost.advance().outcome is None
        lost.checkpoint().save(tmp_path / "checkpoint")
        script(monkeypatch, scores[done:])
        trial = brief.start(configuration, settings=STOPS_EARLY)
        trial.resume(Checkpoint.load(tmp_path / "checkpoint"))
        reports = [trial.advance() for _ in range(done, 4)]
        assert [report.outcome is None for report in reports] == [True] * (3 - done) + [False]
        assert reports[-1].stopped_early
        assert reports[-1].outcome is Outcome.COMPLETED


def test_patience_that_is_never_spent_changes_no_number(brief: Runner) -> None:
    patient = dataclasses.replace(SETTINGS, early_stopping_patience=99)
    assert [numbers(r) for r in brief.run(MIXED, settings=patient)] == [numbers(r) for r in brief.run(MIXED)]


def test_the_train_loss_is_that_of_the_evaluation_that_is_judged(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores within the noise, the first the best: the loss has left the trivial level at the end, not at first."""
    losses = [report.measurement.train_loss for report in runner.run(CONFIGURATION) if report.measurement]
    level = TrivialLevel(0.0, 0.5, (losses[0] + losses[-1]) / 2 / (1 - TRIVIAL_LOSS_MARGIN))
    monkeypatch.setattr(TrivialPredictor, "level", lambda *_: level)
    outcomes = {}
    for score in ("final", "best"):
        script(monkeypatch, [0.4] + [0.3] * 2)
        outcomes[score] = runner.run(CONFIGURATION, settings=dataclasses.replace(SETTINGS, score=score))[-1].outcome
    assert outcomes == {"final": Outcome.COMPLETED, "best": Outcome.COLLAPSED}


def test_a_trial_is_judged_by_the_metric_of_the_sweep(brief: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = dataclasses.replace(SETTINGS, metric="spearman")
    for spearman, outcome in ((0.9, Outcome.COMPLETED), (-0.1, Outcome.COLLAPSED)):
        script(monkeypatch, [0.1, 0.1, 0.1], spearman)
        assert brief.run(CONFIGURATION, settings=settings)[-1].outcome is outcome


def test_training_lowers_the_loss(runner: Runner) -> None:
    losses = [r.measurement.train_loss for r in runner.run(dataclasses.replace(CONFIGURATION, epochs=10)) if r.measurement]
    assert losses[-1] < 0.7 * losses[0]


def test_gradient_norms_are_measured_before_clipping(runner: Runner) -> None:
    free = runner.run(dataclasses.replace(CONFIGURATION, epochs=1, max_grad_norm=None))[0].measurement
    clipped = runner.run(dataclasses.replace(CONFIGURATION, epochs=1, max_grad_norm=1e-3))[0].measurement
    assert free is not None
    assert clipped is not None
    assert clipped.grad_norm > 0.1


def test_another_metric_of_the_task_can_be_the_score(brief: Runner) -> None:
    by_pearson = brief.run(CONFIGURATION)[-1].measurement
    by_spearman = brief.run(CONFIGURATION, settings=dataclasses.replace(SETTINGS, metric="spearman"))[-1].measurement
    assert isinstance(by_pearson, Measurement)
    assert isinstance(by_spearman, Measurement)
    assert by_spearman.dev_score == by_pearson.extra["spearman"]
    assert by_spearman.extra["pearson"] == by_pearson.dev_score


def test_trials_one_after_another_leave_no_tensors_behind(brief: Runner) -> None:
    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    once = dataclasses.replace(MIXED, epochs=1)
    brief.run(once)
    before = tensors()
    for seed in range(3):
        brief.run(once, seed)
    assert tensors() <= before
    assert all(parameter.grad is None for parameter in brief.model.parameters())


def test_a_trial_s_memory_is_free_when_the_trial_is_dropped(runner: Runner) -> None:
    """Without waiting for the garbage collector, which tensors do not wake."""
    gc.disable()
    try:
        trial = runner.start(MIXED)
        trial.advance()
        alive = weakref.ref(trial), weakref.ref(trial._optimizer), weakref.ref(trial._optimizer._adamw)
        del trial
        assert [reference() for reference in alive] == [None, None, None]
    finally:
        gc.enable()


def test_reading_weights_from_shared_memory_changes_nothing_in_it(brief: Runner) -> None:
    before = {name: array.copy() for name, array in brief.pretrained.weights.items()}
    brief.run(CONFIGURATION)
    assert all(np.array_equal(before[name], array) for name, array in brief.pretrained.weights.items())


def test_a_trial_s_weights_are_those_of_its_last_step_or_of_its_best(runner: Runner) -> None:
    keeping = dataclasses.replace(SETTINGS, select_best_checkpoint=True, eval_every=2)
    trial, history = runner.start(CONFIGURATION, seed=1, settings=keeping), []
    while not history or history[-1][0].outcome is None:
        report = trial.advance()
        history.append((report, {name: p.detach().clone() for name, p in runner.model.named_parameters()}))
    scores = [report.measurement.dev_score for report, _ in history]
    best = scores.index(max(scores))
    assert best < len(scores) - 1, "or this shows nothing"
    assert_same_weights(trial.weights(), history[best][1])

    trial = runner.start(CONFIGURATION, seed=1)
    while trial.advance().outcome is None:
        pass
    assert_same_weights(trial.weights(), history[-1][1])


def assert_same_weights(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    assert all(torch.equal(tensor, right[name]) for name, tensor in left.items())


def test_crossed_seeds_share_the_initialization_or_the_order(brief: Runner) -> None:
    crossed = dataclasses.replace(SETTINGS, crossed=(2, 2))
    heads, orders = [], []
    for seed in range(4):
        trial = brief.start(MIXED, seed, crossed)
        heads.append({name: weight.clone() for name, weight in trial.weights().items()})
        orders.append([batch.tolist() for batch in trial._batches])
    same = [[all(torch.equal(heads[i][name], heads[j][name]) for name in heads[i]) for j in range(4)] for i in range(4)]
    assert same == [[i // 2 == j // 2 for j in range(4)] for i in range(4)]
    assert [[orders[i] == orders[j] for j in range(4)] for i in range(4)] == [
        [i % 2 == j % 2 for j in range(4)] for i in range(4)
    ]
    assert [numbers(r) for r in brief.run(MIXED, 7, crossed)] == [numbers(r) for r in brief.run(MIXED, 7)], "no pair's seed"


def difference_of_means(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    return x.mean(axis) - y.mean(axis)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["vanilla", "reinit 2"])
def test_scores_are_distributed_as_before_the_engines(pretrained: Pretrained, demo_data: TrainingData, strategy: str) -> None:
    """20 seeds beside 20 recorded with padded batches, torch's own dropout and transformers' own forward pass."""
    before = json.loads((Path(__file__).parent / "recorded" / "before_engines.json").read_text())[strategy]
    changes = {"vanilla": {}, "reinit 2": {"reinit_count": 2}}[strategy]
    configuration = Configuration(epochs=4, learning_rate=1e-3, **changes)
    runner = Runner(pretrained, demo_data)
    settings = dataclasses.replace(SETTINGS, eval_every=18)  # only the last epoch is looked at
    after = [numbers(runner.run(configuration, seed, settings)[-1]) for seed in range(len(before))]
    for name in ("dev_score", "dev_loss", "train_loss", "grad_norm"):
        samples = tuple(np.array([run[name] for run in runs]) for runs in (before, after))
        found = stats.permutation_test(samples, difference_of_means, vectorized=True, n_resamples=2000, rng=0)
        assert found.pvalue > 0.01, name
        assert stats.mannwhitneyu(np.abs(samples[0] - samples[0].mean()), np.abs(samples[1] - samples[1].mean())).pvalue > 0.01
