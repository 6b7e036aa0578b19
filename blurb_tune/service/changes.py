"""What may be changed of a sweep while it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from blurb_tune.core.errors import InputError, Problem, did_you_mean
from blurb_tune.spec.budget import BudgetSpec, budget_fault

SETTINGS = (
    "seeds",
    "confirm",
    "search.configurations",
    "resources.concurrency",
    "priority",
    *(f"budget.{name}" for name in BudgetSpec.model_fields),
)


def changes(given: Sequence[str]) -> dict[str, Any]:
    """`KEY.PATH=VALUE` each, by key path. Raises InputError with all that is wrong."""
    problems: list[Problem] = []
    found: dict[str, Any] = {}
    for item in given:
        path, equals, text = item.partition("=")
        where = f"--set {item}"
        if path not in SETTINGS:
            hint = did_you_mean(path, SETTINGS)
            problems.append(Problem(where, f"this cannot be changed in a sweep that is under way{hint}"))
        elif not equals:
            problems.append(Problem(where, "expected KEY.PATH=VALUE"))
        else:
            found[path] = _value(text)
            if fault := _fault(path, found[path]):
                problems.append(Problem(where, fault))
    if not given:
        problems.append(Problem("--set", f"say what changes; it may be {', '.join(SETTINGS)}"))
    if problems:
        raise InputError(problems)
    return found


def _fault(path: str, value: Any) -> str:
    if path.startswith("budget."):
        return budget_fault(path.removeprefix("budget."), value)  # whether it is spent already, its driver knows
    if path == "priority":
        return "" if isinstance(value, int | float) and 0 < value <= 100 else f"expected a number up to 100, but got {value!r}"
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return "" if is_count else f"expected a whole number of at least 1, but got {value!r}"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
