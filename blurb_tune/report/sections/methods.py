"""A paragraph for the methods section of a paper, and the papers of the methods that this sweep used."""

from __future__ import annotations

from collections.abc import Iterator, Set

from blurb_tune.core.combination import Method
from blurb_tune.core.numbers import plural
from blurb_tune.core.trial import STRATEGY_NAMES
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.blocks import Block, Code, Paragraph
from blurb_tune.report.caveats import tested_pair
from blurb_tune.report.claims import claims_of, confirmation_of
from blurb_tune.report.hyperparameters import searched_hyperparameters, title_of
from blurb_tune.report.provenance import Provenance
from blurb_tune.report.sections.bibliography import PAPERS, bibtex
from blurb_tune.report.wording import join_with_and
from blurb_tune.stats.objectives import OBJECTIVES, parse
from blurb_tune.tasks.blurb.definitions import BLURB
from blurb_tune.techniques.registry import TECHNIQUES

_BLURB = {task.name for task in BLURB}
_TEST_INTERVALS = {"pearson": "fisher1921", "spearman": "bonett2000", "accuracy": "wilson1927"}


def methods(record: SweepRecord, provenance: Provenance, figures: Set[str]) -> Iterator[Block]:
    """Both; `figures` are the names of those that the report shows."""
    sentences, used = [], ["tinn2023"]
    for sentence, keys in _sentences(record, provenance, figures):
        cited = f" ({'; '.join(PAPERS[key].short_name for key in keys)})" if keys else ""
        sentences.append(f"{sentence}{cited}.")
        used += keys
    yield Paragraph(" ".join(sentences))
    yield Code("References, BibTeX", bibtex(used), "bibtex", is_folded=True)


def _sentences(record: SweepRecord, provenance: Provenance, figures: Set[str]) -> Iterator[tuple[str, list[str]]]:
    header = record.header
    names = searched_hyperparameters(record)
    values = [of.configuration.values() for of in record.configurations.values()]
    tried = [(of.doing, of.citation.key) for of in TECHNIQUES if any(map(of.is_active, values))]
    models = join_with_and(list(header.models))
    version = header.versions.get("blurb-tune", "")
    program = f"blurb-tune{f' {version}' if version else ''}"
    yield f"We fine-tuned {models} on {header.task} with {program}", ["gu2021"] if header.task in _BLURB else []
    what = join_with_and([what for what, _ in tried]) or "plain fine-tuning alone"
    others = [title_of(name) for name in names if name not in (*STRATEGY_NAMES, "model")]
    also = f", together with {join_with_and(others)}" if others else ""
    size = f"{plural(len(record.configurations), 'configuration')} of {plural(header.replicates, 'seed')} each"
    sampler = _get(provenance, "search", "sampler")
    by = f", chosen by {sampler} search" if isinstance(sampler, str) else ""
    folds = f", each seed the mean of {header.folds} folds" if header.folds else ""
    yield f"We searched {what}{also}: {size}{by}{folds}", sorted({key for _, key in tried})
    kept = "best" if header.score == "best" else "last"
    meaning = OBJECTIVES[parse(header.objective)[0]].meaning.replace("`", "")
    yield (
        f"Configurations were ranked by {header.metric} on the dev split at the {kept} evaluation, aggregated over seeds as "
        f"{header.objective} ({meaning})",
        [],
    )
    if early := sum(trial.stopped_early for trial in record.trials.values()):
        yield f"Runs ended early where the dev score no longer improved, which {early} of {len(record.trials)} did", []
    yield (
        "A run counted as failed where it ended no better than the best constant predictor or its loss was not finite; failed "
        "runs are part of all statistics, and shares of them have Wilson intervals",
        ["mosbach2021", "wilson1927"],
    )
    if any(of.stopped is not None and of.stopped.rule == "race" for of in record.configurations.values()):
        yield (
            "A group-sequential permutation test with a spending function stopped configurations that had lost; they are "
            "censored and compared with nothing",
            ["adastop2023", "lan1983"],
        )
    if claims_of(record):
        yield (
            "The best configuration of each strategy was compared with the best vanilla one by Welch's interval and a "
            "permutation test of the means, with Holm's correction, and by the probability of superiority",
            ["welch1947", "phipson2010", "holm1979", "brunner2000"],
        )
    found = confirmation_of(record)
    if found is not None:
        reference = " and of vanilla" if found.comparison is not None else ""
        seeds = plural(len(header.confirmation_seeds), "fresh seed")
        yield f"The winner was confirmed on {seeds} of it{reference}, which no decision had seen", []
    if record.tests:
        key = _TEST_INTERVALS.get(header.metric)
        pair = ["zou2007"] if tested_pair(record) else []
        yield "The test split was read once, after the selection, for these models alone", [*([key] if key else []), *pair]
    if record.combinations:
        made = [method for method in Method if method in record.combinations and method is not Method.SINGLE]
        soups = ["wortsman2022"] if any(method.is_soup for method in made) else []
        yield f"Of the winner's runs one model was made as {join_with_and(made)}, chosen on the dev split", soups
    if any(of.examples for of in record.combinations.values()):
        yield (
            "For these and the best single run the test split was read then; differences have paired bootstrap intervals",
            ["koehn2004"],
        )
    if header.crossed:
        yield "Seeds of the initialization were crossed with seeds of the data order", ["dodge2020"]
    if "expected-best" in figures:
        yield "The expected best of n runs is by the estimator for independent draws", ["dodge2019"]
    if "importances" in figures:
        yield "The importance of hyperparameters is by PED-ANOVA", ["watanabe2023"]


def _get(provenance: Provenance, *path: str) -> object:
    found: object = provenance.settings
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found
