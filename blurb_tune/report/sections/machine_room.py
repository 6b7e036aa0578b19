"""What a sweep cost, and what stopping saved."""

from __future__ import annotations

import math
from collections.abc import Iterator

from blurb_tune.core.numbers import plural
from blurb_tune.log.record import SweepRecord
from blurb_tune.report.blocks import Block, Bullets, Cell, Column, Facts, Group, Row, Table
from blurb_tune.report.stopping_audit import PruningResult, judge_pruning
from blurb_tune.report.summary import cost_of
from blurb_tune.report.wording import UNKNOWN, duration, percent
from blurb_tune.stats.intervals import wilson_interval


def machine_room(record: SweepRecord) -> Iterator[Block]:
    """Times and slots, the balance of the stopping rules, the budget."""
    cost, pruning = cost_of(record), judge_pruning(record)
    warm = cost["warm_start"]
    rows = [
        ("slots", str(record.slots)),
        ("wall time", duration(cost["wall_seconds"])),
        ("training and evaluation, all runs", duration(record.train_seconds)),
        ("slot time over training time", UNKNOWN if math.isnan(cost["overhead"]) else f"{cost['overhead']:.2f}"),
    ]
    if warm["trials"]:
        rows.append(
            ("from a run's start to its first step, on a warm slot", duration(warm["setup_seconds_median"]) + " (median)")
        )
    if record.budget_spent is not None:
        rows.append(("budget", f"{record.budget_spent.reason} (`{record.budget_spent.budget}`)"))
    yield Facts(rows)
    if pruning.rules:
        yield Bullets(list(_balance(pruning)))
        yield _rules(pruning)


def _balance(pruning: PruningResult) -> Iterator[str]:
    stopped = [
        plural(count, noun)
        for count, noun in ((pruning.stopped_runs, "run"), (pruning.stopped_configurations, "configuration"))
        if count
    ]
    saved = f"{pruning.epochs_saved:,.0f} of {pruning.epochs_planned:,.0f} epochs ({percent(pruning.saved_share or 0.0)})"
    reopened = f"; {plural(pruning.reopened, 'configuration')} went on after all" if pruning.reopened else ""
    yield f"Stopped: {' and '.join(stopped) or 'nothing'}, which saved {saved}{reopened}."
    if not any(rule.spared for rule in pruning.rules):
        yield "The control group is empty, so how often the stops are wrong is not known."
    for what, meaning in (("run", "ended well"), ("configuration", "won")):
        rules = [rule for rule in pruning.rules if rule.what == what and rule.spared]
        judged, wrong = sum(rule.judged for rule in rules), sum(rule.wrong for rule in rules)
        if judged:
            low, high = wilson_interval(wrong, judged)
            yield (
                f"Control group: {plural(judged, what)} went on that a rule wanted stopped; {wrong} {meaning} "
                f"(with 95 % confidence {percent(low)} to {percent(high)} would)."
            )


def _rules(pruning: PruningResult) -> Table:
    columns = (
        Column("rule", "rule", is_number=False, is_key=True),
        Column("what", "stops", is_number=False),
        Column("stopped", "stopped", "for good"),
        Column("spared", "spared", "went on as the control group"),
        Column("judged", "judged", "of these, are at their end"),
        Column("wrong", "wrong", "runs that ended well, configurations that won"),
        Column("interval", "wrong, 95 %", "share of wrong stops (Wilson's interval)", is_interval=True),
    )
    rows = []
    for rule in pruning.rules:
        low, high = rule.interval
        share = f"{percent(low)[:-2]} to {percent(high)}" if rule.judged else UNKNOWN
        counts = (rule.stopped, rule.spared, rule.judged, rule.wrong)
        cells = [Cell(rule.rule, rule.rule), Cell(f"a {rule.what}", rule.what), *(Cell(str(n), n) for n in counts)]
        rows.append(Row([*cells, Cell.of(share, rule.interval)]))
    return Table("rules", "What each rule stopped", columns, [Group("", rows)])
