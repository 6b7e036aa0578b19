"""The three sentences, of sweeps whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from blurb_tune.core.trial import Outcome
from blurb_tune.log import events as ev
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.answer import Answer, Verdict, answer_of
from blurb_tune.report.caveats import Caveat
from blurb_tune.report.claims import confirmation_of
from blurb_tune.report.evidence import evidence_of
from blurb_tune.report.provenance import Provenance
from blurb_tune.report.report_files import report_text
from tests.report.sweeps import NAN, SweepWriter, sweeps

LOW = [0.50, 0.52, 0.54, 0.56, 0.58, 0.60, 0.62, 0.64]
_SHUFFLED = [LOW[seed] for seed in (5, 0, 3, 6, 1, 7, 2, 4)]  # seeds are not alike in different recipes
HIGH = [score + 0.3 for score in _SHUFFLED]
NEAR = [score + 0.01 for score in _SHUFFLED]
FRESH = range(100, 106)


def run(
    scores: dict[str, Sequence[float]],
    *,
    settings: dict[str, dict[str, Any]] | None = None,
    failed: dict[str, int] | None = None,
    confirmed: dict[str, Sequence[float]] | None = None,
    tested: dict[str, Sequence[float]] | None = None,
    interval: Sequence[float] = (0.4, 0.99),
    **header: Any,
) -> SweepWriter:
    """`vanilla` and recipes that freeze blocks, each with its dev scores by seed; the last so many of them are of failed runs.

    confirmed: scores on fresh seeds of the first of `scores` that is not vanilla, and of vanilla. tested: on the test split.
    """
    fresh = list(FRESH)[: len(next(iter(confirmed.values())))] if confirmed else []
    seeds = range(max(map(len, scores.values())))
    sweep = SweepWriter(seeds=seeds, configurations=len(scores), confirmation_seeds=fresh, max_failed_share=1.0, **header)
    for index, (name, of) in enumerate(scores.items()):
        values = (settings or {}).get(name, {"freeze_depth": 0 if name == "vanilla" else index + 1})
        sweep.configuration(name, **values)
        few = len(of) - (failed or {}).get(name, 0)
        for seed, score in enumerate(of):
            sweep.trial(name, seed, [score], Outcome.COMPLETED if seed < few else Outcome.COLLAPSED)
        sweep.end_configuration(name)
    best = sweep.record.best_configuration()
    if (confirmed or tested) and best is not None:
        sweep.select(best.name, "vanilla" if best.name != "vanilla" else None)
    for name, of in (confirmed or {}).items():
        for seed, score in zip(fresh, of, strict=True):
            sweep.trial(name, seed, [score])
    for name, of in (tested or {}).items():
        for seed, score in zip(fresh or seeds, of, strict=False):
            sweep.test(f"{name}-s{seed}", score, interval)
    return sweep


def answer(*args: Any, **kwargs: Any) -> Answer:
    return answer_of(run(*args, **kwargs).finish())


def test_a_clear_winner_is_better_with_its_interval_its_failures_and_no_more_than_was_measured() -> None:
    found = answer({"vanilla": LOW, "good": HIGH}, failed={"vanilla": 2})
    assert found.verdict is Verdict.BETTER
    assert found.recipe == (
        "Freeze 2 is better than vanilla fine-tuning: pearson 0.87 on dev (the mean of 8 seeds) against 0.57 of vanilla, "
        "0.30 more (with 95 % confidence between 0.25 and 0.35 more); none of its 8 runs failed (with 95 % confidence at "
        "most 32 % do), and 2 of the 8 of vanilla."
    )
    assert "p = 0.0002" in found.sureness
    assert found.kind is Caveat.NOT_CONFIRMED
    assert found.sentences == (found.recipe, found.sureness, found.caveat)


def test_what_may_be_chance_is_not_called_better_and_says_how_many_seeds_would_settle_it() -> None:
    found = answer({"vanilla": LOW, "near": NEAR})
    assert found.verdict is Verdict.UNDECIDED
    assert "is not shown to be better than vanilla" in found.recipe
    assert "anything from 0.04 less to 0.06 more" in found.recipe
    assert "fresh seeds of each (`confirm`) would settle it" in found.sureness
    assert "better than vanilla fine-tuning:" not in found.recipe.replace(
        "not shown to be better than vanilla fine-tuning:", ""
    )


@pytest.mark.parametrize(("n", "verdict"), [(3, Verdict.UNDECIDABLE), (4, Verdict.BETTER)])
def test_below_the_first_possible_n_nothing_is_decided_however_far_apart(n: int, verdict: Verdict) -> None:
    found = answer({"vanilla": LOW[:n], "good": [score + 9 for score in LOW[:n]]})
    assert found.verdict is verdict
    if verdict is Verdict.UNDECIDABLE:
        assert found.kind is Caveat.TOO_FEW_SEEDS
        assert found.caveat.startswith("Cannot decide before n = 4 seeds of each, and there are 3")
        assert "significant" not in " ".join(found.sentences)
        assert "cannot be decided yet" in found.recipe


def test_the_winner_pays_for_all_that_it_was_picked_from() -> None:
    few = [0.02 * k for k in range(6)]
    alone = {"vanilla": few, "good": [score + 0.1 for score in few]}
    assert answer(alone).verdict is Verdict.BETTER
    rivals = {f"r{k}": [score + 0.001 * k for score in few] for k in range(8)}
    among = evidence_of(run(alone | rivals).finish())
    assert among is not None
    assert among.comparison is not None
    assert among.picked_from == 9
    assert among.p == pytest.approx(min(1.0, 9 * among.comparison.p))
    assert answer(alone | rivals).verdict is not Verdict.BETTER


def test_among_hundreds_only_fresh_seeds_can_decide() -> None:
    sweep = SweepWriter(seeds=range(4), configurations=262)
    rivals = {f"r{k}": ({"freeze_depth": 1, "learning_rate": 1e-5 + 1e-8 * k}, [0.1] * 4) for k in range(260)}
    for name, (values, scores) in {"vanilla": ({}, LOW[:4]), "good": ({"freeze_depth": 2}, HIGH[:4]), **rivals}.items():
        sweep.configuration(name, **values)
        for seed, score in enumerate(scores):
            sweep.trial(name, seed, [score])
    found = answer_of(sweep.finish())
    assert (found.verdict, found.kind) == (Verdict.UNDECIDABLE, Caveat.TOO_FEW_SEEDS)
    assert found.caveat.startswith("The winner was picked from 261 configurations")
    assert "4 seeds of the search of one of 261 configurations cannot decide anything." in found.sureness


def test_fresh_seeds_decide_and_need_no_correction() -> None:
    rivals = {f"r{k}": LOW[:5] for k in range(8)}
    scores = {"vanilla": LOW[:5], "good": HIGH[:5], **rivals}
    settled = answer(scores, confirmed={"good": HIGH[:4], "vanilla": LOW[:4]})
    assert settled.verdict is Verdict.BETTER
    assert "4 fresh seeds, which no choice had seen" in settled.sureness
    assert "corrected" not in settled.sureness
    refuted = answer(scores, confirmed={"good": LOW[:5], "vanilla": HIGH[:5]})
    assert refuted.verdict is Verdict.WORSE
    assert "worse than vanilla fine-tuning on fresh seeds" in refuted.recipe
    open_still = answer(scores, confirmed={"good": NEAR[:5], "vanilla": LOW[:5]})
    assert open_still.verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("errored", [0, 4], ids=["vanilla's fresh runs are to come", "all of vanilla's fresh runs errored"])
def test_while_vanilla_has_no_fresh_result_the_seeds_of_the_search_speak(errored: int) -> None:
    sweep = run({"vanilla": LOW, "good": HIGH}, confirmed={"good": HIGH[:4]})
    for seed in FRESH[:errored]:
        sweep.trial("vanilla", seed, [], Outcome.ERRORED, error="OSError: gone")
    record = sweep.finish() if errored else sweep.record
    evidence, confirmation = evidence_of(record), confirmation_of(record)
    assert evidence is not None
    assert confirmation is not None
    assert (evidence.is_confirmed, evidence.winner.n) == (False, 8)
    assert (confirmation.winner.n, confirmation.comparison) == (4, None)
    found = answer_of(record)
    assert found.verdict is (Verdict.BETTER if errored else Verdict.UNDECIDED)
    assert "0.87 on dev (the mean of 8 seeds) against 0.57 of vanilla, 0.30 more" in found.recipe
    assert "confirmed on 4 fresh seeds of it, which" in report_text(record, Provenance(), "md")


def test_a_winner_by_its_worst_seed_may_have_the_lower_mean_without_a_fresh_seed() -> None:
    vanilla = [0.60, *(0.95 + seed / 1000 for seed in range(9))]
    found = answer({"vanilla": vanilla, "steady": [0.70 + seed / 1000 for seed in range(10)]}, objective="worst")
    assert found.verdict is Verdict.WORSE
    assert "but its mean is lower than vanilla's: pearson 0.70 on dev (the mean of 10 seeds) against 0.92" in found.recipe
    assert "fresh" not in found.recipe
    assert "By 10 seeds of the search" in found.sureness


def test_vanilla_may_win_and_the_closest_rival_is_named() -> None:
    found = answer({"vanilla": HIGH, "a": LOW, "b": NEAR})
    assert found.verdict is Verdict.VANILLA
    assert found.recipe.startswith("Vanilla did best: pearson 0.87")
    assert "The closest other recipe, freeze 3, has 0.29 less" in found.sureness


def test_without_vanilla_nothing_is_compared() -> None:
    found = answer({"a": LOW, "b": HIGH})
    assert found.verdict is Verdict.ALONE
    assert "vanilla has no result here to compare with" in found.sureness


def test_searched_settings_are_part_of_the_recipe() -> None:
    settings = {"vanilla": {"learning_rate": 1e-5}, "a": {"freeze_depth": 2, "learning_rate": 5e-5, "decay_rate": 0.9921}}
    assert answer({"vanilla": LOW, "a": HIGH}, settings=settings).recipe.startswith(
        "Freeze 2 + decay 0.9921 (learning rate 5e-5) is better"
    )


# What weighs most, each with all that weighs less.

UNTUNED = {
    "a": {"freeze_depth": 1},
    "b": {"freeze_depth": 1, "epochs": 5},
    "c": {"freeze_depth": 1, "epochs": 6},
    "vanilla": {},
}
TUNED_SCORES = {"vanilla": LOW, "a": HIGH, "b": LOW, "c": LOW}
NOTES = {"notes": ["5 of 64 train examples (8 %) are longer than the model reads here, and cut"]}
TEST_APART = {"tested": {"a": [0.97] * 8, "vanilla": [0.5] * 8}, "interval": (0.49, 0.98)}


def test_most_failed_outweighs_all_but_that_nothing_learned() -> None:
    sweep = run({"vanilla": LOW, "a": HIGH, "b": LOW}, failed={"vanilla": 8, "b": 8}, **NOTES)
    assert answer_of(sweep.record).kind is Caveat.MOST_FAILED
    assert "(16 of 24)" in answer_of(sweep.finish()).caveat


def test_a_winner_most_of_whose_runs_failed_is_none_and_says_what_to_try() -> None:
    found = answer({"vanilla": [0.0] * 4, "a": [0.1] * 4}, failed={"vanilla": 4, "a": 3}, trivial_loss=1.0)
    assert (found.verdict, found.kind) == (Verdict.NONE, Caveat.NOTHING_LEARNED)
    assert found.recipe.startswith("No recipe is good here:")
    assert "7 of 8 runs ended no better than a constant prediction (pearson 0.000)" in found.sureness
    assert "try more epochs" in found.caveat


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_an_unfinished_sweep_claims_nothing(status: str) -> None:
    sweep = run({"vanilla": LOW, "good": HIGH}, **NOTES)
    found = answer_of(sweep.record if status == "running" else sweep.finish(status))
    assert (found.verdict, found.kind) == (Verdict.UNDECIDED, Caveat.UNFINISHED)
    assert "did best so far, but it is not shown to be better" in found.recipe
    assert "does not settle it yet" in found.sureness
    assert "16 of 16 runs" in found.caveat


def test_too_few_seeds_outweigh_the_test() -> None:
    found = answer({"vanilla": LOW[:1], "a": HIGH[:1]}, tested={"a": [0.1], "vanilla": [0.3]})
    assert found.kind is Caveat.TOO_FEW_SEEDS
    assert found.caveat.startswith("A single seed says nothing of how the next one will do")


def test_the_test_may_not_confirm_the_gain() -> None:
    found = answer(TUNED_SCORES, settings=UNTUNED, tested={"a": [0.4] * 8, "vanilla": [0.5] * 8}, **NOTES)
    assert found.kind is Caveat.TEST_DISAGREES
    assert "there the winner is 0.100 behind vanilla; but 20 test items cannot separate the two" in found.caveat
    assert "On the test split, read once, it is 0.400 against 0.500 (−0.100)." in found.sureness


def test_few_test_items_cannot_separate() -> None:
    found = answer(TUNED_SCORES, settings=UNTUNED, tested={"a": [0.55] * 8, "vanilla": [0.5] * 8}, **NOTES)
    assert found.kind is Caveat.FEW_TEST_ITEMS
    assert found.caveat.startswith("The 20 test items cannot separate these two: their difference there, +0.050,")


def test_a_test_that_is_clearly_lost_is_not_called_too_small() -> None:
    sweep = run({"vanilla": [0.2, *HIGH[1:]], "a": LOW}, objective="worst")
    sweep.select("a", "vanilla")
    for name, score in (("a", 0.5), ("vanilla", 0.97)):
        for seed in range(8):
            sweep.test(f"{name}-s{seed}", score, (score - 0.02, score + 0.02))
    found = answer_of(sweep.finish())
    assert found.verdict is Verdict.WORSE
    assert "it is 0.500 against 0.970 (−0.470)" in found.sureness
    assert "cannot separate" not in " ".join((found.caveat, *found.others))


def test_vanilla_stopped_early_is_no_fair_reference() -> None:
    sweep = run({"vanilla": LOW[:5], "a": [*HIGH, 0.9]})
    sweep.stop_configuration("vanilla", replicates=5)
    found = answer_of(sweep.finish())
    assert (found.verdict, found.kind) == (Verdict.UNDECIDED, Caveat.VANILLA_CUT_SHORT)
    shorter = run({"vanilla": LOW[:3], "a": HIGH[:4], "b": NEAR[:4]})
    shorter.stop_configuration("vanilla", replicates=3)
    assert answer_of(shorter.finish()).caveat == (
        "Vanilla itself was stopped after 3 seeds, which are too few: cannot decide before n = 5 seeds of each."
    )


def test_an_untuned_vanilla_is_named_before_the_lack_of_confirmation() -> None:
    found = answer(TUNED_SCORES, settings=UNTUNED, **NOTES)
    assert found.kind is Caveat.VANILLA_UNTUNED
    assert found.caveat.startswith("Vanilla was one untuned configuration against 3 of the other strategies")
    assert any("picked by the same seeds" in other for other in found.others)


def test_notes_on_the_data_come_behind_all_doubts_of_the_statistics() -> None:
    confirmed = {"good": HIGH[:6], "vanilla": LOW[:6]}
    assert answer({"vanilla": LOW, "good": HIGH}, confirmed=confirmed, **NOTES).kind is Caveat.DATA
    assert answer({"vanilla": LOW, "good": HIGH}, confirmed=confirmed).kind is Caveat.SCOPE


def test_a_spent_budget_is_said() -> None:
    sweep = run({"vanilla": LOW, "good": HIGH})
    sweep._add(ev.BudgetSpent, budget="trials", reason="16 trials have run")
    found = answer_of(sweep.finish())
    assert (found.verdict, found.kind) == (Verdict.BETTER, Caveat.UNFINISHED)
    assert "16 trials have run" in found.caveat


def test_nothing_yet_and_errors_alone() -> None:
    assert answer_of(SweepWriter().record).recipe == "There is no answer yet: no configuration has a result."
    sweep = SweepWriter()
    sweep.configuration("c0")
    sweep.trial("c0", 0, [], Outcome.ERRORED, error="OSError: gone")
    found = answer_of(sweep.finish())
    assert (found.verdict, found.kind) == (Verdict.NONE, Caveat.NOTHING_LEARNED)
    assert found.recipe.startswith("There is no answer: all of the 1 run that ended errored")
    with pytest.raises(LookupError):
        answer_of(SweepRecord())


def test_undefined_scores_count_as_the_trivial_predictors() -> None:
    found = answer({"vanilla": [NAN] * 4, "good": HIGH[:4]}, failed={"vanilla": 4})
    assert found.verdict is Verdict.BETTER
    assert "against 0.00 of vanilla" in found.recipe
    assert "4 of the 4 of vanilla" in found.recipe


@settings(max_examples=60)
@given(sweeps())
def test_any_sweep_has_an_honest_answer(sweep: SweepWriter) -> None:
    record = sweep.record
    found = answer_of(record)
    text = " ".join(found.sentences)
    assert all(sentence.endswith(".") for sentence in (*found.sentences, *found.others))
    assert "nan" not in text.lower().split()
    if record.status != "finished":
        assert found.verdict not in (Verdict.BETTER, Verdict.WORSE)
    if found.verdict is Verdict.BETTER:
        evidence = evidence_of(record)
        assert evidence is not None
        assert evidence.p <= 0.05


@pytest.mark.slow
def test_equal_strategies_are_called_better_no_more_often_than_alpha() -> None:
    """30 sweeps of six equal recipes and vanilla: 5 false ones or more have a probability of 0.016 at a level of 0.05."""
    generator = np.random.default_rng(3)
    verdicts = []
    for _ in range(30):
        scores = {name: generator.normal(0.5, 0.05, 6).tolist() for name in ("vanilla", *"abcdef")}
        verdicts.append(answer(scores).verdict)
    assert verdicts.count(Verdict.BETTER) < 5
    assert verdicts.count(Verdict.WORSE) == 0
