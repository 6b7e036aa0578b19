"""From a YAML file to a validated `SweepSpec`, all errors at once."""

from blurb_tune.spec.load import LoadedSpec, load_spec
from blurb_tune.spec.schema import SweepSpec

__all__ = ["LoadedSpec", "SweepSpec", "load_spec"]
