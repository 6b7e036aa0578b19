"""Python's garbage collector, where it would be in the way.

Among the 100,000 new nodes of a large YAML file it finds nothing, and takes three quarters of the time. And a thread that
collects finalizes what others have left, whatever the moment.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """No thread collects garbage within it, unless it asks for that. Afterwards all is as it was."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
