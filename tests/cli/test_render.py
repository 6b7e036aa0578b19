"""The summary at the end of a run."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from rich.cells import cell_len
from rich.console import Console

from blurb_tune.cli.render import plain_summary, summary_view
from blurb_tune.core.trial import Configuration, Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.answer import answer_of
from blurb_tune.report.hyperparameters import telling_settings
from tests.report.sweeps import SweepWriter, large_sweep, model_sweep, small_sweep, sweeps


def cells(text: str, first: str) -> str:
    """What stands behind `first` in the one table row that begins with it, single-spaced."""
    (row,) = [line.split() for line in text.splitlines() if re.match(rf"{re.escape(first)} +\S", line)]
    return " ".join(row[1:])


def shown(record: SweepRecord, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    with console.capture() as capture:
        console.print(summary_view(record))
    return re.sub(r"\x1b\[[0-9;]*m", "", capture.get())


@pytest.fixture(scope="module")
def text() -> str:
    return plain_summary(small_sweep().finish(wall_seconds=200.0))


def test_the_family_table_has_all_configurations_of_a_family_and_is_there_only_if_one_has_several(text: str) -> None:
    assert "Strategy families" not in text
    sweep = SweepWriter(seeds=(0, 1), configurations=3)
    for name, depth, scores in (("c0", 0, (0.1, 0.3)), ("c1", 2, (0.5, 0.7)), ("c2", 4, (0.0, 0.4))):
        sweep.configuration(name, freeze_depth=depth)
        for seed, score in enumerate(scores):
            sweep.trial(name, seed, [score], Outcome.COMPLETED if score else Outcome.COLLAPSED)
    table = plain_summary(sweep.finish()).partition("Configurations, the best first")[0]
    # tried, n, mean, std within, failed with interval, best against vanilla: of one seed in four the share is 5 to 70 %
    assert cells(table, "freeze") == "2 4 0.40 0.22 1/4 5-70 % +0.40"
    assert cells(table, "vanilla") == "1 2 0.20 0.14 0/2 0-66 % -"


def test_a_sweep_in_which_every_run_failed_says_so(text: str) -> None:
    assert "nothing in this sweep has learned the task" not in text
    sweep = SweepWriter()
    sweep.configuration("c0")
    for seed in (0, 1):
        sweep.trial("c0", seed, [0.1, -0.1], Outcome.COLLAPSED)
    assert "nothing in this sweep has learned the task" in plain_summary(sweep.finish())


def failing_sweep(others: Outcome, **header: Any) -> str:
    """Every run of c0 fails; of c1 one run has no result, and the other ends as it is told."""
    sweep = SweepWriter(**header)
    for name in ("c0", "c1"):
        sweep.configuration(name)
    for seed in (0, 1):
        sweep.trial("c0", seed, [0.0], Outcome.COLLAPSED)
    sweep.trial("c1", 0, [0.5], others)
    sweep.trial("c1", 1, [], Outcome.ERRORED)
    return plain_summary(sweep.finish())


def test_a_sweep_in_which_one_run_has_learned_is_not_said_to_have_learned_nothing() -> None:
    """Of the configurations, the one with all its results is the best, though all of them failed."""
    assert "Every run of it failed, though 1 run of others did not." in failing_sweep(Outcome.COMPLETED)
    stopped = failing_sweep(Outcome.PRUNED_UNDERPERFORMING)
    assert "Every run of it failed, and so did all others that ran to their end." in stopped
    assert "nothing in this sweep has learned" in failing_sweep(Outcome.COLLAPSED)


def sweep_of_failures(max_failed_share: float) -> str:
    """c0 fails with every seed alike, c1 with one of two: by mean_minus_std c0, with a spread of 0, would be the better."""
    sweep = SweepWriter(seeds=(0, 1), max_failed_share=max_failed_share)
    for name, depth, scores in (("c0", 0, (0.0, 0.0)), ("c1", 3, (0.0, 0.5))):
        sweep.configuration(name, freeze_depth=depth)
        for seed, score in enumerate(scores):
            sweep.trial(name, seed, [score], Outcome.COMPLETED if score else Outcome.COLLAPSED)
    return plain_summary(sweep.finish())


def test_failed_runs_come_before_the_objective_and_it_is_said_where_that_decides() -> None:
    text = sweep_of_failures(0.0)
    assert "Best configuration by mean_minus_std: c1, freeze 3" in text
    assert text.index("\nc1 ") < text.index("\nc0 ")
    assert "1 configuration with a higher objective had more failed runs than max_failed_share (0) allows." in text
    tolerant = sweep_of_failures(1.0)
    assert "Best configuration by mean_minus_std: c0, vanilla" in tolerant
    assert tolerant.index("\nc0 ") < tolerant.index("\nc1 ")
    assert "max_failed_share" not in tolerant
    assert "Every run of it failed, though 1 run of others did not." in tolerant
    assert "Most runs of this sweep failed: 3/4." in tolerant


def test_the_configuration_table_has_the_best_first(text: str) -> None:
    # learning rate, epochs, bias correction, clipping; n, mean, its interval by Student's t, std, failed, objective
    assert cells(text, "c1") == "freeze 2 + reinit 1 5e-5 4 on 1 3 0.47 -0.65 to 1.59 0.45 1/4 0.02"
    assert text.index("\nc0 ") < text.index("\nc1 ") < text.index("\nc2 "), "c1 lacks a seed, so the best is c0"


def test_the_best_configuration_can_be_pasted_into_a_spec(text: str) -> None:
    assert (
        "Best configuration by mean_minus_std: c0, vanilla, lr 5e-5, epochs 4, bias correction on, clip 1\n"
        "pearson 0.050 on dev, std 0.208 over 4 seeds; failed 2/4"
    ) in text
    block = re.search(r"^model: .*\nspace:\n(  .*\n)+", text, re.MULTILINE)
    assert block
    spec = yaml.safe_load(block.group())
    assert spec["space"].keys() == {"learning_rate", "batch_size", "epochs"}, "and nothing that is at its default"
    assert Configuration(model=spec["model"], **spec["space"]) == Configuration(model="minilm", epochs=4)


def test_its_settings_are_those_of_its_techniques_and_what_is_not_at_its_default() -> None:
    asked = {"model": "tiny", "lora_rank": 4, "rdrop": 1.0, "max_grad_norm": None, "batch_size": 8}
    told = telling_settings(Configuration(**asked))
    assert told == {
        "lora_rank": 4,
        "rdrop": 1.0,
        "learning_rate": 5e-5,
        "batch_size": 8,
        "epochs": 20,
        "max_grad_norm": None,
    }
    assert Configuration(model="tiny", **told) == Configuration(**asked)


def test_what_it_cost_and_how_trials_ended(text: str) -> None:
    assert "Sweep toy (ab12cd): finished after 3 min 20 s, 12 trials on 2 slots." in text
    assert "Task biosses, model minilm.\nAll scores: pearson on the dev split, at the last evaluation of a run." in text
    flowing = " ".join(text.split())
    outcomes = "5 completed, 2 collapsed, 1 diverged, 1 pruned_unstable, 1 pruned_underperforming, 1 errored, 1 unfinished."
    assert f"Outcomes: {outcomes}" in flowing
    assert "Stopped: 2 runs, which saved 5 of 36 epochs (14%)." in flowing
    group = "Control group: 2 runs went on that were to be stopped; 1 ended well (9% to 91% with 95 % confidence)."
    assert group in flowing


def test_the_answer_comes_last_with_its_reason_for_doubt() -> None:
    sweep = SweepWriter(seeds=(0, 1))
    for name, depth, scores in (("c0", 0, (0.1, 0.3)), ("c1", 3, (0.6, 0.8))):
        sweep.configuration(name, freeze_depth=depth)
        for seed, score in enumerate(scores):
            sweep.trial(name, seed, [score])
    record = sweep.finish()
    text = plain_summary(record)
    assert "pearson 0.700 on dev, std 0.141 over 2 seeds; failed 0/2\n" in text
    said = " ".join(text.partition("The answer\n")[2].split())
    assert said == " ".join(answer_of(record).sentences).translate({0x2212: "-"})
    assert "cannot be decided yet" in said
    claims = text.partition("Against the best vanilla")[2]
    assert cells(claims, "freeze") == "3 c1 2:2 +0.50 -0.11 to +1.11 - 1.00 3"
    for word in ("Stopped", "Control", "may look better"):
        assert word not in text


def test_several_models_are_each_compared_with_their_own_vanilla() -> None:
    text = plain_summary(model_sweep().finish())
    assert "Task biosses, models base, large." in text
    assert re.search(r"^base: freeze 4 .* \+0\.30 ", text, re.MULTILINE)
    assert re.search(r"^large: freeze 4 .* -0\.30 ", text, re.MULTILINE)
    assert re.search(r"^c2 +base: freeze 4 .*\+0\.30$", text, re.MULTILINE)
    assert "Best configuration by mean_minus_std: c1, large: vanilla" in text
    assert "minus that of the best vanilla configuration of the same model" in " ".join(text.split())


def test_a_best_configuration_without_all_its_seeds_is_marked() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1)
    sweep.configuration("c0")
    sweep.trial("c0", 0, [0.5])
    sweep.trial("c0", 1, [0.1], Outcome.PRUNED_UNDERPERFORMING, rule="median")
    text = plain_summary(sweep.finish("interrupted"))
    assert "No configuration has a result for every seed: this one may look better than it is." in text
    assert "pearson 0.500 on dev, one seed; failed 0/2" in text
    assert "Control group: empty, so how often the stops are wrong is not known." in text
    assert "interrupted after" in text


def test_stopped_configurations_stand_apart_with_what_they_had() -> None:
    sweep = SweepWriter(seeds=range(3), configurations=3)
    for name, depth in (("c0", 0), ("c1", 3), ("c2", 4)):
        sweep.configuration(name, freeze_depth=depth)
        sweep.trial(name, 0, [0.9 - 0.1 * depth])
    sweep.stop_configuration("c1")
    sweep.stop_configuration("c0", "failures")
    for seed in (1, 2):
        sweep.trial("c2", seed, [0.5])
    text = plain_summary(sweep.finish())
    above, below = text.split("Stopped before their last seed, and so not ranked")
    assert re.search(r"^c2 +freeze 4 ", above, re.MULTILINE)
    assert not re.search(r"^c[01] +[vf]", above, re.MULTILINE)
    assert "Best configuration by mean_minus_std: c2" in text, "though c0 had a higher score"
    assert cells(below, "c1") == "freeze 3 1/3 0.600 0/1 race, after 1 seed"
    assert cells(below, "c0") == "vanilla 1/3 0.900 0/1 failures, after 1 seed"
    assert "Vanilla itself was stopped, and has few seeds to compare with" in " ".join(text.split())


def test_the_rest_of_many_configurations_is_counted() -> None:
    text = plain_summary(large_sweep(20, 3).finish())
    assert sum(bool(re.match(r"c\d{4} ", line)) for line in text.splitlines()) == 15
    assert "5 more in configurations.csv" in text


def test_a_sweep_without_trials_or_results() -> None:
    sweep = SweepWriter()
    assert plain_summary(sweep.record).startswith("Sweep toy (ab12cd): running, 0 trials on 2 slots.")
    sweep.configuration("c0")
    sweep.trial("c0", 0, [], Outcome.ERRORED)
    assert "No configuration has a result yet." in plain_summary(sweep.record)


def test_an_empty_log_has_no_summary() -> None:
    with pytest.raises(LookupError):
        summary_view(SweepRecord())


def test_plain_text_is_ascii_of_at_most_100_columns() -> None:
    text = plain_summary(large_sweep(30, 3).finish())
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 100


def test_names_are_no_markup() -> None:
    text = plain_summary(SweepWriter(models={"[red]a[/]:smile:": 6}).record)
    assert "model [red]a[/]:smile:." in text


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("sweep", [large_sweep(20, 3), small_sweep(), model_sweep()])
def test_the_view_fits_the_terminal_and_loses_no_number(sweep: SweepWriter, width: int) -> None:
    view = shown(sweep.finish(), width)
    assert max(cell_len(line) for line in view.splitlines()) <= width
    assert "…" not in view
    words = set(re.findall(r"[a-z]{3,}", view))
    heads = {"configuration", "strategy", "learning", "correction", "objective", "interval", "better", "needed"}
    broken = {word for word in words for head in heads if word != head and head.startswith(word) and len(word) > 5}
    assert not broken, "no word is cut in two"


def test_the_searched_settings_are_columns_where_they_have_room_and_words_where_they_have_none() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=2)
    ranges = {"warmup_share": 0.05, "weight_decay": 0.1, "batch_size": 8, "epochs": 3, "bias_correction": False}
    sweep.configuration("c0", learning_rate=5e-5)
    sweep.configuration("c1", learning_rate=2.0417361e-5, max_grad_norm=None, **ranges)
    for name in ("c0", "c1"):
        for seed in (0, 1):
            sweep.trial(name, seed, [0.5])
    record = sweep.finish()
    wide = re.search(r"^c1 +vanilla .*", shown(record, 160), re.MULTILINE)
    assert wide
    assert wide.group().split()[2:9] == ["2.04e-5", "8", "3", "0.05", "0.1", "off", "unset"]
    narrow = " ".join(shown(record, 60).split())
    for words in ("lr 2.04e-5,", "batch 8,", "epochs 3,", "warmup 0.05,", "decay 0.1,", "clip unset"):
        assert words in narrow
    assert "2.0417361" not in plain_summary(record), "no more digits than a result can support"


def test_a_single_run_that_learned_does_not_make_a_sweep_a_success() -> None:
    """Of 18 runs one learned: the advice for a sweep without a result is given all the same."""
    sweep = SweepWriter(seeds=(0, 1, 2), configurations=6, trivial_loss=1.05)
    for index in range(6):
        sweep.configuration(f"c{index}", freeze_depth=index)
        for seed in range(3):
            learned = index == 5 and seed == 2
            sweep.trial(f"c{index}", seed, [0.8 if learned else 0.0], Outcome.COMPLETED if learned else Outcome.COLLAPSED)
    text = " ".join(plain_summary(sweep.finish()).split())
    assert "Most runs of this sweep failed: 17/18." in text
    assert "try more epochs than 20, or rates above 5e-5." in text


def test_only_a_winner_that_learned_is_bold() -> None:
    def bold(outcome: Outcome) -> bool:
        sweep = SweepWriter(seeds=(0, 1), configurations=1)
        sweep.configuration("c0")
        for seed in (0, 1):
            sweep.trial("c0", seed, [0.5], outcome)
        console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
        with console.capture() as capture:
            console.print(summary_view(sweep.finish()))
        return any(line.startswith("\x1b[1mc0") for line in capture.get().splitlines())

    assert bold(Outcome.COMPLETED)
    assert not bold(Outcome.COLLAPSED)


@settings(max_examples=40, deadline=None)
@given(sweeps())
def test_any_sweep_has_a_summary_at_any_point(sweep: SweepWriter) -> None:
    record = sweep.record
    assert all(cell_len(line) <= 80 for line in shown(record, 80).split("\n"))
    assert plain_summary(record).endswith("\n")


def test_in_a_cross_validation_the_spread_is_that_of_the_seeds_not_of_the_folds() -> None:
    sweep = SweepWriter(seeds=(0, 1), folds=2)
    sweep.configuration("c0")
    for seed in (0, 1):
        for fold, score in enumerate((0.4, 0.6)):
            sweep.trial("c0", seed, [score + 0.01 * seed], fold=fold)
    text = plain_summary(sweep.finish())
    assert cells(text, "c0") == "vanilla 2 0.5050 0.4415 to 0.5685 0.0071 0.5000 0/4 0-49 % 0.4979 -"
    assert "n: seeds with a result, each the mean of its folds, failed ones included." in " ".join(text.split())


def test_a_confirmed_winner_is_quoted_by_the_seeds_that_no_decision_has_seen() -> None:
    fresh = range(1_000_000, 1_000_005)
    sweep = SweepWriter(seeds=range(4), confirmation_seeds=list(fresh))
    for name, depth, scores in (("c0", 0, (0.1, 0.3, 0.2, 0.2)), ("c1", 3, (0.6, 0.8, 0.9, 0.7))):
        sweep.configuration(name, freeze_depth=depth)
        for seed, value in enumerate(scores):
            sweep.trial(name, seed, [value])
        sweep.end_configuration(name)
    sweep.select("c1", "c0")
    for name, level in (("c1", 0.5), ("c0", 0.2)):
        for k, seed in enumerate(fresh):
            sweep.trial(name, seed, [level + 0.01 * k])
    text = plain_summary(sweep.finish())
    best = text[text.index("Best configuration") :]
    first, second, third, fourth, *_ = best.splitlines()[1:]
    assert first == "Confirmed on 5 fresh seeds: pearson 0.520 on dev, std 0.016, failed 0/5"
    assert " ".join([second, third]) == (
        "Vanilla (c0) on the same: 0.220, std 0.016, failed 0/5; difference +0.300 (+0.277 to +0.323 with 95 % confidence), "
        "p = 0.008"
    )
    assert fourth == "By the seeds of the search, of which the best was picked:"
    assert "pearson 0.750 on dev, std 0.129 over 4 seeds; failed 0/4" in best
    assert "rather too high" not in best


def test_a_sweep_without_a_result_says_so_and_what_to_try() -> None:
    sweep = SweepWriter(trivial_loss=1.05)
    sweep.configuration("c0", reinit_count=1)
    for seed in (0, 1):
        sweep.trial("c0", seed, [0.0], Outcome.COLLAPSED)
    sweep.no_result("2 of 2 runs of the best configuration, c0, failed")
    text = " ".join(plain_summary(sweep.finish()).split())
    assert "No result: 2 of 2 runs of the best configuration, c0, failed" in text
    assert "Training has hardly begun (train loss 1, 1.05 for constant predictions, and 10 steps at most are few)" in text
    assert "Not tried: freezing of the lower encoder blocks (`freeze_depth: [0, 2, 4]`), layerwise decay" in text
    assert "re-initializing" not in text
    assert "Best configuration" not in text
