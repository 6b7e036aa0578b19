"""Stands in for the agents that a raylet requires beside it, and ends with the raylet. Run as a script."""

from __future__ import annotations

import os
import time

_POLL_SECONDS = 1.0

if __name__ == "__main__":
    raylet = os.getppid()
    while os.getppid() == raylet:
        time.sleep(_POLL_SECONDS)
