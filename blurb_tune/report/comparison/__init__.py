"""Several sweeps side by side: models, strategies and tasks, with the statistics of a single sweep's claims."""

from blurb_tune.report.comparison.compared_sweeps import Sweep, read_sweeps
from blurb_tune.report.comparison.sweep_comparison import SweepComparison, compare_sweeps

__all__ = ["Sweep", "SweepComparison", "compare_sweeps", "read_sweeps"]
