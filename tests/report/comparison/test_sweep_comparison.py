"""What is said of several sweeps together: known truths, sums by hand, and the claims of the sweeps one by one."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blurb_tune.core.trial import Outcome
from blurb_tune.report.blocks import Table
from blurb_tune.report.claims import claims_of
from blurb_tune.report.comparison import SweepComparison, compare_sweeps
from blurb_tune.report.comparison.answer import answer_of
from blurb_tune.report.comparison.comparison_report import report_of
from blurb_tune.report.comparison.formats import FORMATS
from blurb_tune.report.comparison.tables import claims_table, confirmed_table
from blurb_tune.stats.multiple import holm
from tests.report.comparison.examples import FREEZE, REINIT, SAME, VANILLA, numbered, sweeps_of, written
from tests.report.sweeps import SweepWriter, model_sweep, sweeps

BLURB_TEST = {  # PubMedBERT's published scores (Gu et al. 2021), which make 81.16
    **{"bc5-chem": ("entity_f1", 93.33), "bc5-disease": ("entity_f1", 85.62), "ncbi-disease": ("entity_f1", 87.82)},
    **{"bc2gm": ("entity_f1", 84.52), "jnlpba": ("entity_f1", 79.10), "ebm-pico": ("word_macro_f1", 73.38)},
    **{"chemprot": ("micro_f1", 77.24), "ddi": ("micro_f1", 82.36), "gad": ("micro_f1", 83.96)},
    **{"biosses": ("pearson", 92.30), "hoc": ("micro_f1", 82.32), "pubmedqa": ("accuracy", 55.84)},
    "bioasq": ("accuracy", 87.56),
}


def two_tasks() -> tuple[SweepWriter, SweepWriter]:
    first = {
        "c0": (VANILLA, numbered(0.1, 0.3, 0.2, 0.25, 0.15)),
        "c1": (FREEZE, numbered(0.6, 0.8, 0.9, 0.7, 0.75)),
        "c2": (REINIT, numbered(0.2, 0.3, 0.1, 0.4, 0.2)),
    }
    second = {"c0": (VANILLA, numbered(0.5, 0.6, 0.55, 0.52, 0.58)), "c1": (REINIT, numbered(0.7, 0.72, 0.71, 0.74, 0.7))}
    return written("a", first), written("b", second, task="ddi", metric="micro_f1")


def rows_of(comparison: SweepComparison) -> dict[tuple[str, str, str], float]:
    return {(r.pool.setting.task, r.pool.model, r.label): r.entry.result.summary.mean for r in comparison.rows}


def test_the_claims_are_those_of_each_sweep_with_one_correction_over_all() -> None:
    writers = two_tasks()
    comparison = compare_sweeps(sweeps_of(*writers))
    alone = [claim for writer in writers for claim in claims_of(writer.record)]
    assert [(row.label, list(row.entry.ids.values())) for row in comparison.claims] == [
        (claim.label, [claim.result.name]) for claim in alone
    ]
    corrected = holm([claim.comparison.p for claim in alone])
    for row, claim, p in zip(comparison.claims, alone, corrected, strict=True):
        assert row.comparison is not None
        assert row.comparison.p_holm == pytest.approx(p)
        uncorrected = replace(row.comparison, p_holm=0, p_variance_holm=0, first_decidable=None, is_decidable=True)
        expected = replace(claim.comparison, p_holm=0, p_variance_holm=0, first_decidable=None, is_decidable=True)
        assert uncorrected == expected
        assert row.entry.result == claim.result


def test_each_model_is_compared_with_its_own_vanilla() -> None:
    comparison = compare_sweeps(sweeps_of(model_sweep(), written("b", {"c0": (VANILLA, numbered(0.5, 0.6))}, task="ddi")))
    assert rows_of(comparison) == pytest.approx(
        {
            ("biosses", "base", "vanilla"): 0.3,
            ("biosses", "base", "freeze 4"): 0.6,
            ("biosses", "large", "vanilla"): 0.7,
            ("biosses", "large", "freeze 4"): 0.4,
            ("ddi", "minilm", "vanilla"): 0.55,
        }
    )
    differences = {row.pool.model: row.comparison.difference for row in comparison.claims if row.comparison}
    assert differences == pytest.approx({"base": 0.3, "large": -0.3})
    assert comparison.models == ("base", "large", "minilm")


def test_what_was_stopped_is_in_no_row_that_has_a_whole_one_and_is_compared_with_nothing() -> None:
    sweep = written(
        "a",
        {
            "c0": (VANILLA, numbered(0.1, 0.2, 0.3)),
            "c1": (FREEZE, numbered(0.9, 0.8)),
            "c2": ({**REINIT, "learning_rate": 1e-5}, numbered(0.99, 0.98)),
            "c3": (REINIT, numbered(0.5, 0.6, 0.7)),
        },
        finished=False,
    )
    for name in ("c1", "c2"):
        sweep.stop_configuration(name, replicates=2)
    sweep.finish()
    other = written("b", {"c0": (VANILLA, numbered(0.5, 0.6))}, task="ddi")
    comparison = compare_sweeps(sweeps_of(sweep, other))
    assert {(row.label, *row.entry.ids.values()) for row in comparison.stopped} == {("freeze 2", "c1"), ("reinit 1", "c2")}
    assert [(row.label, *row.entry.ids.values()) for row in comparison.claims] == [("reinit 1", "c3")]
    (frozen,) = (row for row in comparison.rows if row.label == "freeze 2")
    assert frozen.entry.is_censored
    assert frozen.comparison is None


def test_an_unfinished_sweep_is_taken_as_far_as_it_goes_and_said_to_be_unfinished() -> None:
    running = written("a", {"c0": (VANILLA, numbered(0.1, 0.2))}, seeds=(0, 1, 2), finished=False)
    running.start("c0", 2)
    comparison = compare_sweeps(sweeps_of(running, two_tasks()[1]))
    assert comparison.notes[0] == (
        "a has not ended: its numbers are those so far, with 1 of 1 configurations not through their seeds."
    )
    assert comparison.rows[0].entry.lacks_seeds
    assert comparison.rows[0].entry.result.n == 2


def test_more_than_fifteen_strategies_are_families() -> None:
    many = {"c0": (VANILLA, numbered(0.1, 0.2))}
    many |= {f"c{k}": ({"freeze_depth": k % 6 + 1, "decay_rate": 1 - k / 100}, numbered(0.1, k / 100)) for k in range(1, 18)}
    comparison = compare_sweeps(sweeps_of(written("a", many), two_tasks()[1]))
    assert comparison.by_family
    assert comparison.labels == ("vanilla", "freeze+decay", "reinit")
    best = next(row for row in comparison.rows if row.label == "freeze+decay")
    objectives = [entry.result.objective for entry in best.pool.entries if not entry.configuration.strategy.is_vanilla]
    assert best.entry.result.objective == max(objectives)


def confirming(name: str, task: str, level: float, *, winner: str = "c1", outcome: Outcome = Outcome.COMPLETED) -> SweepWriter:
    """Vanilla (c0) and freeze 2 (c1, at this level on fresh seeds). outcome: of vanilla's fresh runs."""
    sweep = written(
        name,
        {"c0": (VANILLA, numbered(0.1, 0.2)), "c1": (FREEZE, numbered(0.8, 0.9))},
        task=task,
        finished=False,
        confirmation_seeds=list(range(100, 106)),
    )
    sweep.select(winner, "c0" if winner != "c0" else None)
    for seed in range(100, 106):
        sweep.trial("c0", seed, [0.1 + (seed * 7 % 5) / 1000], outcome)
        if winner == "c1":
            sweep.trial("c1", seed, [level + (seed * 3 % 5) / 1000])
    sweep.finish()
    return sweep


def test_confirmations_are_corrected_over_the_sweeps() -> None:
    comparison = compare_sweeps(sweeps_of(confirming("a", "biosses", 0.8), confirming("b", "ddi", 0.1)))
    first, second = (of.comparison for of in comparison.confirmations)
    assert first is not None
    assert second is not None
    assert first.difference == pytest.approx(0.7, abs=0.02)
    assert first.p_holm == pytest.approx(2 * first.p)
    assert first.is_significant
    assert not second.is_significant


def test_fresh_seeds_confirm_what_is_better_and_refute_what_is_worse() -> None:
    comparison = compare_sweeps(
        sweeps_of(
            confirming("a", "biosses", 0.8),
            confirming("b", "ddi", 0.0),
            confirming("vanilla-won", "hoc", 0.8, winner="c0"),
            confirming("vanilla-errored", "gad", 0.8, outcome=Outcome.ERRORED),
        )
    )
    assert [of.comparison is not None for of in comparison.confirmations] == [True, True, False, False]
    table = confirmed_table(comparison)
    assert table is not None
    assert [row.is_best for row in table.rows] == [True, False, False, False]
    said = "2 sweeps ran winner and vanilla on fresh seeds, which confirms 1 of them and refutes c1 freeze 2 of b."
    assert answer_of(comparison).sureness.endswith(said)


def test_what_is_worse_than_vanilla_is_not_marked_as_best() -> None:
    scores = {
        "c0": (VANILLA, numbered(0.1, 0.2, 0.3, 0.2, 0.1)),
        "c1": (FREEZE, numbered(0.8, 0.9, 0.7, 0.8, 0.9)),
        "c2": (REINIT, numbered(-0.8, -0.9, -0.7, -0.8, -0.9)),
    }
    comparison = compare_sweeps(sweeps_of(written("a", scores), written("b", scores, task="ddi")))
    assert all(row.comparison and row.comparison.is_significant for row in comparison.claims)
    table = claims_table(comparison)
    assert table is not None
    assert [row.is_best for row in table.rows] == [True, False] * 2
    assert "★ the winner" not in FORMATS["html"](comparison), "no row of a comparison is one sweep's winner"


def test_sweeps_of_which_no_trial_has_ended_are_compared_in_every_format() -> None:
    begun = [written(name, {"c0": (VANILLA, {})}, seeds=(0, 1), finished=False) for name in ("a", "b")]
    for sweep in begun:
        sweep.start("c0", 0)
    comparison = compare_sweeps(sweeps_of(*begun))
    assert comparison.rows == ()
    assert {
        block.name for section in report_of(comparison).sections for block in section.blocks if isinstance(block, Table)
    } == {"sweeps"}
    for form in FORMATS.values():
        assert form(comparison)


def test_a_complete_set_of_tests_has_the_published_blurb_score() -> None:
    writers = []
    for task, (metric, score) in BLURB_TEST.items():
        sweep = SweepWriter(seeds=(0,), task=task, metric=metric, name=task, sweep_id=task)
        sweep.configuration("c0")
        trial = sweep.trial("c0", 0, [0.5])
        sweep.select("c0", None)
        sweep.test(trial, score / 100)
        sweep.events[-1] = replace(sweep.events[-1], metrics={metric: score / 100})
        writers.append(sweep)
        sweep.finish()
    found = {(of.recipe, of.split): of.score.total for of in compare_sweeps(sweeps_of(*writers)).benchmark}
    assert found == pytest.approx({("winner", "test"): 81.16, ("vanilla", "test"): 81.16, ("vanilla", "dev"): 50.0}, abs=0.005)
    lacking = compare_sweeps(sweeps_of(*writers[:-1]))
    assert not any(of.is_complete for of in lacking.benchmark)
    assert any(note.startswith("minilm: no BLURB score, with 12 of 13 data sets") for note in lacking.notes)
    foreign = compare_sweeps(sweeps_of(*(written(f"s{k}", {"c0": (VANILLA, numbered(0.5))}, metric="mse") for k in (0, 1))))
    assert foreign.benchmark == ()


@pytest.mark.parametrize(("effect", "least", "most"), [(0.0, 0, 3), (1.0, 16, 20)], ids=["no effect", "an effect"])
def test_of_equal_strategies_few_comparisons_claim_anything(effect: float, least: int, most: int) -> None:
    """20 comparisons of three tasks and two strategies each, six seeds, normal scores: at 0.05 one is wrong on average, and
    more than three in 2 % of such tests; an effect of ten standard deviations is found, but where six pairs happen to be
    correlated, which are too few for a claim."""
    rng = random.Random(11)
    with_claims = 0
    for _ in range(20):
        writers = []
        for task in ("biosses", "ddi", "hoc"):
            levels = {"c0": (VANILLA, 0.0), "c1": (FREEZE, 0.0), "c2": (REINIT, effect if task == "ddi" else 0.0)}
            scores = {
                name: (values, {seed: 0.4 + shift / 2 + rng.gauss(0, 0.05) for seed in range(6)})
                for name, (values, shift) in levels.items()
            }
            writers.append(written(task, scores, task=task))
        claims = compare_sweeps(sweeps_of(*writers)).claims
        significant = [row.label for row in claims if row.comparison and row.comparison.is_significant]
        with_claims += bool(significant if not effect else "reinit 1" in significant)
    assert least <= with_claims <= most


def test_failed_runs_count_with_their_scores_and_are_counted() -> None:
    scores = {"c0": (VANILLA, numbered(0.0, 0.0, 0.6)), "c1": (FREEZE, numbered(0.5, 0.6, 0.7))}
    comparison = compare_sweeps(sweeps_of(written("a", scores, fails_below=0.1, **SAME), two_tasks()[1]))
    vanilla = next(row.entry.result for row in comparison.rows if row.label == "vanilla")
    assert (vanilla.failed, vanilla.ended, vanilla.n) == (2, 3, 3)
    assert vanilla.summary.mean == pytest.approx(0.2)


@settings(max_examples=15)
@given(st.data())
def test_any_two_logs_can_be_compared_in_every_format(data: st.DataObject) -> None:
    """Whatever the driver wrote, unfinished or not, of any objective, models and outcomes."""
    writers = []
    for number in range(2):
        writer = data.draw(sweeps())
        writer.events[0] = replace(writer.events[0], sweep_id=f"sweep-{number}", **data.draw(st.sampled_from([SAME, {}])))
        writers.append(writer)
    comparison = compare_sweeps(sweeps_of(*writers))
    for row in comparison.rows:
        assert row.entry.result.n == len(row.entry.scores)
        assert row.entry.result.n <= row.entry.planned
    for form in FORMATS.values():
        assert form(comparison)
