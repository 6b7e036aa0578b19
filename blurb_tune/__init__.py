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
    from blurb_tune.api import ConfigurationResult as ConfigurationResult
    from blurb_tune.api import Sweep as Sweep
    from blurb_tune.api import TrialResult as TrialResult
    from blurb_tune.api import compare as compare
    from blurb_tune.api import open as open
    from blurb_tune.api import run as run
    from blurb_tune.api import validate as validate
    from blurb_tune.core.errors import BlurbTuneError as BlurbTuneError
    from blurb_tune.core.errors import InputError as InputError

__version__ = "0.1.0"

# Imported when they are asked for: every part of the package imports this module first. `open` is not for `import *`.
__all__ = ["BlurbTuneError", "ConfigurationResult", "InputError", "Sweep", "TrialResult", "compare", "run", "validate"]
_ERRORS = ("BlurbTuneError", "InputError")


def __getattr__(name: str) -> Any:
    if name not in (*__all__, "open"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("blurb_tune.core.errors" if name in _ERRORS else "blurb_tune.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "open"})
