"""All checks before a sweep starts; imports neither Ray nor torch nor MLflow, so that `validate` answers at once."""

from blurb_tune.preflight.plan import Plan, Purpose, make_plan

__all__ = ["Plan", "Purpose", "make_plan"]
