"""The techniques that stabilize fine-tuning, a module and a line of `registry.py` each.

They are the lowest room: what a strategy is (`core/trial.py`), and so everything above it, follows from the axes that they
declare. A technique knows the model that it is applied to through `protocol.Subject` alone, and imports torch where it
computes, so that a spec can be read and validated without it.
"""
