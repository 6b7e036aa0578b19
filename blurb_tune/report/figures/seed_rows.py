"""The rows of the figure of all seeds: which there are, in which order, and what is left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from blurb_tune.log.record import SweepRecord
from blurb_tune.log.trial_record import TrialRecord
from blurb_tune.report.figures.words import settings_text
from blurb_tune.report.hyperparameters import searched_hyperparameters
from blurb_tune.report.trial_groups import Group, by_configuration, by_strategy, lacks_seeds, rank
from blurb_tune.results.groups import GroupResult

MAX_ROWS = 40


@dataclass(frozen=True)
class Row:
    """One configuration, or all of a strategy. label, detail: two lines. has_all_seeds: of each configuration of its plan."""

    label: str
    detail: str
    is_vanilla: bool
    has_all_seeds: bool
    trials: tuple[TrialRecord, ...]
    result: GroupResult
    configuration_id: str | None


@dataclass(frozen=True)
class Block:
    """Rows that are held against the same vanilla. title: None where there is only one block. left_out: rows not shown."""

    title: str | None
    rows: tuple[Row, ...]
    vanilla: GroupResult | None
    left_out: int


def blocks_of(record: SweepRecord, limit: int = MAX_ROWS) -> list[Block]:
    """Model by model, the one with the best row first; of each model vanilla on top and the others by `rank`; at most `limit`
    rows in all. Last come the fresh seeds of winner and reference.

    A row is a configuration, so that its spread is that of the seeds; with more than `limit` of them, a strategy.
    """
    is_pooled = len(record.configurations) > limit
    groups = [group for group in (by_strategy if is_pooled else by_configuration)(record) if group.trials]
    groups.sort(key=lambda group: rank(record, group.result))
    models = list(dict.fromkeys(group.model for group in groups))
    most = limit if len(groups) <= limit else max(1, limit // max(1, len(models)))
    names = searched_hyperparameters(record)
    blocks = []
    for model in models:
        of_model = sorted((group for group in groups if group.model == model), key=lambda group: not group.is_vanilla)
        rows = [_row(record, group, is_pooled, names) for group in of_model[:most]]
        title = model if record.has_models else None
        blocks.append(Block(title, tuple(rows), _vanilla(rows), len(of_model) - len(rows)))
    return blocks + _confirmation(record, names)


def _vanilla(rows: Sequence[Row]) -> GroupResult | None:
    """The first that has a spread."""
    return next((row.result for row in rows if row.is_vanilla and math.isfinite(row.result.summary.std)), None)


def _row(record: SweepRecord, group: Group, is_pooled: bool, names: Sequence[str]) -> Row:
    strategy = record.configurations[group.trials[0].configuration_id].configuration.strategy.label
    name = group.result.name
    if is_pooled:
        count = len({trial.configuration_id for trial in group.trials})
        detail = f"{count} configurations" if count > 1 else ""
    else:
        settings = settings_text(record, name, names)
        detail = f"{name}: {settings}" if settings else ""
        if record.selection is not None and record.selection.configuration == name:
            detail = f"winner, {detail}" if detail else "winner"
    return Row(
        label=strategy,
        detail=detail,
        is_vanilla=group.is_vanilla,
        has_all_seeds=not lacks_seeds(record, group.result),
        trials=group.trials,
        result=group.result,
        configuration_id=None if is_pooled else name,
    )


def _confirmation(record: SweepRecord, names: Sequence[str]) -> list[Block]:
    selection = record.selection
    if selection is None:
        return []
    rows = []
    for name in (selection.reference, selection.configuration):
        trials = record.confirmations_of(name) if name else []
        if name and trials:
            configuration = record.configurations[name].configuration
            result = record.group(name, trials)
            rows.append(
                Row(
                    label=configuration.strategy.label,
                    detail="winner" if name == selection.configuration else "reference",
                    is_vanilla=configuration.strategy.is_vanilla,
                    has_all_seeds=result.n == len(record.header.confirmation_seeds),
                    trials=tuple(trials),
                    result=result,
                    configuration_id=name,
                )
            )
    title = "On fresh seeds, which no decision has seen"
    return [Block(title, tuple(rows), _vanilla(rows), 0)] if rows else []
