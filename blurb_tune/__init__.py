"""blurb-tune: find the fine-tuning recipe that is good every time.

import blurb_tune as bt

sweep = bt.run("my-sweep.yaml")
print(sweep.answer)
sweep.winner.values
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blurb_tune.api import Comparison, ConfigurationResult, Sweep, TrialResult, compare, open, run, validate
    from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
    from blurb_tune.core.trial import Measurement, Outcome

__version__ = "0.1.0"

# All that is public. Imported when it is asked for: every part of the package imports this module first.
__all__ = [
    "BlurbTuneError",
    "Comparison",
    "ConfigurationResult",
    "InputError",
    "Measurement",
    "Outcome",
    "Problem",
    "Sweep",
    "TrialResult",
    "compare",
    "open",
    "run",
    "validate",
]
_ELSEWHERE = {
    **dict.fromkeys(("BlurbTuneError", "InputError", "Problem"), "blurb_tune.core.errors"),
    **dict.fromkeys(("Measurement", "Outcome"), "blurb_tune.core.trial"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ELSEWHERE.get(name, "blurb_tune.api")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
