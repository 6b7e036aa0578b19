"""What a sweep has found and what it cost, in sentences for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator

from blurb_tune.core.numbers import difference, duration, p_value, plural, round_float, score, share, yaml_scalar
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.advice import failed_runs, what_to_try
from blurb_tune.report.answer import answer_of
from blurb_tune.report.claims import confirmation_of, shares_of_variance
from blurb_tune.report.hyperparameters import settings_in_words, telling_settings, varying_settings
from blurb_tune.report.stopping_audit import PruningResult, judge_pruning
from blurb_tune.report.summary import correlation_of_seeds, notes_of
from blurb_tune.report.trial_groups import lacks_seeds
from blurb_tune.results.groups import GroupResult
from blurb_tune.stats.comparison import Comparison
from blurb_tune.stats.intervals import wilson_interval

_CLEAR_CORRELATION = 0.3


def heading(record: SweepRecord) -> Iterator[str]:
    """Which sweep it is, and what its scores are."""
    header = record.header
    length = f" after {duration(record.wall_seconds)}" if record.status != "running" else ""
    trials, slots = plural(len(record.trials), "trial"), plural(record.slots, "slot")
    yield f"Sweep {header.name} ({header.sweep_id}): {record.status}{length}, {trials} on {slots}."
    kept = "best" if header.score == "best" else "last"
    yield f"Task {header.task}, {'models' if record.has_models else 'model'} {', '.join(header.models)}."
    yield f"All scores: {header.metric} on the dev split, at the {kept} evaluation of a run."
    yield from (f"Note: {note}." for note in notes_of(record))


def answer(record: SweepRecord) -> list[str]:
    """What the sweep has found, how sure that is, and what to keep in mind, in three sentences."""
    return list(answer_of(record).sentences)


def best(record: SweepRecord) -> list[str]:
    """A title and lines: the winner, what it takes to run it, and what to try where there is none."""
    first = record.best_configuration()
    if record.no_result is not None:
        return [f"No result: {record.no_result.reason}", *what_to_try(record), "No test split was read."]
    if first is None:
        return ["No configuration has a result yet."]
    configuration, metric = record.configurations[first.name].configuration, record.header.metric
    spread = "one seed" if first.n == 1 else f"std {score(first.summary.std)} over {plural(first.n, 'seed')}"
    lines = [f"{metric} {score(first.summary.mean)} on dev, {spread}; failed {share(first.failed, first.ended)}"]
    if lacks_seeds(record, first):
        lines.append("No configuration has a result for every seed: this one may look better than it is.")
    lines = [*_confirmation(record), *lines, *_on_the_runs(record, first), *_doubts(record, first)]
    if record.header.objective == "pareto":
        front = (f"{r.name} {score(r.summary.mean)} (std {score(r.summary.std)})" for r in record.front())
        lines.append(f"No other configuration beats these in both: {', '.join(front)}.")
    lines += [f"model: {configuration.model}", "space:"]
    lines += [f"  {name}: {yaml_scalar(round_float(value))}" for name, value in telling_settings(configuration).items()]
    of = settings_in_words(configuration, varying_settings(record))
    label = ", ".join(filter(None, (record.label(first.name), of)))
    return [f"Best configuration by {record.header.objective}: {first.name}, {label}", *lines]


def _confirmation(record: SweepRecord) -> Iterator[str]:
    """What is quoted first: the winner on seeds that no decision has seen."""
    confirmation = confirmation_of(record)
    if confirmation is None:
        return
    winner, reference, comparison = confirmation.winner, confirmation.reference, confirmation.comparison
    metric = record.header.metric
    yield (
        f"Confirmed on {plural(winner.n, 'fresh seed')}: {metric} {score(winner.summary.mean)} on dev, std "
        f"{score(winner.summary.std)}, failed {share(winner.failed, winner.ended)}"
    )
    if reference is not None and comparison is not None:
        yield (
            f"Vanilla ({reference.name}) on the same: {score(reference.summary.mean)}, std {score(reference.summary.std)}, "
            f"failed {share(reference.failed, reference.ended)}; difference {_claim_in_words(comparison)}"
        )
    yield "By the seeds of the search, of which the best was picked:"


def _on_the_runs(record: SweepRecord, best: GroupResult) -> Iterator[str]:
    """Where the spread comes from, and what to try where most runs failed."""
    shares = shares_of_variance(record, best.name)
    if shares is not None and not math.isnan(shares.rest):
        yield (
            f"Of the variance over its seeds {shares.initialization:.0%} is due to the initialization, {shares.order:.0%} to "
            f"the data order, {shares.rest:.0%} to both together. Comparisons are of the means over the orders."
        )
    failed, ended = failed_runs(record)
    if 2 * failed > ended:
        yield f"Most runs of this sweep failed: {share(failed, ended)}."
        yield from what_to_try(record)


def _claim_in_words(comparison: Comparison) -> str:
    """Such as `+0.127 (-0.020 to +0.274 with 95 % confidence), p = 0.11; about 14 seeds of each would decide`."""
    said = difference(comparison.difference)
    if not math.isnan(comparison.interval[0]):
        low, high = map(difference, comparison.interval)
        said += f" ({low} to {high} with 95 % confidence)"
    if not comparison.is_decidable:
        return f"{said}; not to be decided before n = {comparison.first_decidable} seeds of each"
    said += f", p = {p_value(comparison.p_holm)}".replace("= <", "< ")
    if not comparison.is_significant and comparison.seeds_needed is not None:
        said += f"; about {plural(comparison.seeds_needed, 'seed')} of each would decide"
    return said


def _doubts(record: SweepRecord, best: GroupResult) -> Iterator[str]:
    """Why the winner is no good one, or not the one with the highest objective."""
    alike = [r for r in record.by_configuration() if lacks_seeds(record, r) == lacks_seeds(record, best)]
    passed_over = sum(r.objective > best.objective and r.excess > best.excess for r in alike)
    if passed_over:
        limit = f"max_failed_share ({record.header.max_failed_share:g})"
        yield f"{plural(passed_over, 'configuration')} with a higher objective had more failed runs than {limit} allows."
    if best.failed < best.ended:
        return
    outcomes = record.outcome_counts()
    if outcomes[Outcome.COMPLETED]:
        yield f"Every run of it failed, though {plural(outcomes[Outcome.COMPLETED], 'run')} of others did not."
    elif outcomes[Outcome.PRUNED_UNDERPERFORMING]:
        yield "Every run of it failed, and so did all others that ran to their end."
    else:
        yield "Every run of it failed: nothing in this sweep has learned the task."


def balance(record: SweepRecord) -> Iterator[str]:
    """How trials ended, what stopping saved, and what one has to know to read the tables."""
    counts = {name: count for name, count in record.outcome_counts().items() if count}
    counts["unfinished"] = sum(not trial.is_final for trial in record.trials.values())
    if record.budget_spent is not None:
        yield f"Ended by its budget: {record.budget_spent.reason} (`{record.budget_spent.budget}`)."
    yield "Outcomes: " + (", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none yet") + "."
    yield from _stops(judge_pruning(record))
    correlation = correlation_of_seeds(record)
    if correlation.mean > _CLEAR_CORRELATION:
        yield (
            f"Scores of one seed are alike in different configurations (correlation {correlation.mean:.2f} over "
            f"{plural(correlation.pairs, 'pair')}): a comparison seed by seed tells more."
        )
    folds = ", each the mean of its folds" if record.header.folds else ""
    yield f"n: seeds with a result{folds}, failed ones included."
    yield f"{_reference(record)}."


def _stops(pruning: PruningResult) -> Iterator[str]:
    """What stopping saved, and what the control group says of it."""
    if not pruning.rules:
        return
    stopped = " and ".join(
        plural(number, noun)
        for number, noun in ((pruning.stopped_runs, "run"), (pruning.stopped_configurations, "configuration"))
        if number
    )
    saved = f"{pruning.epochs_saved:.0f} of {pruning.epochs_planned:.0f} epochs ({pruning.saved_share or 0.0:.0%})"
    reopened = f"; {plural(pruning.reopened, 'configuration')} went on after all" if pruning.reopened else ""
    yield f"Stopped: {stopped or 'nothing'}, which saved {saved}{reopened}."
    for what, meaning in (("run", "ended well"), ("configuration", "won")):
        rules = [rule for rule in pruning.rules if rule.what == what]
        judged, wrong = sum(rule.judged for rule in rules), sum(rule.wrong for rule in rules)
        running = sum(rule.spared for rule in rules) - judged
        if judged or running:
            low, high = wilson_interval(wrong, judged)
            rest = f" ({running} not at the end yet)" if running else ""
            yield (
                f"Control group: {plural(judged, what)} went on{rest} that {'was' if judged == 1 else 'were'} to be stopped; "
                f"{wrong} {meaning} ({low:.0%} to {high:.0%} with 95 % confidence)."
            )
    if not any(rule.spared for rule in pruning.rules):
        yield "Control group: empty, so how often the stops are wrong is not known."


def _reference(record: SweepRecord) -> str:
    references = record.references().values()
    if references:
        model = " of the same model" if record.has_models else ""
        cut = " (cut short itself)" if any(record.is_censored(reference.name) for reference in references) else ""
        return f"Difference to vanilla: a row's best mean minus that of the best vanilla configuration{model}{cut}"
    has_vanilla = any(c.configuration.strategy.is_vanilla for c in record.configurations.values())
    return "Vanilla has no result yet" if has_vanilla else "Vanilla is not in this sweep"
