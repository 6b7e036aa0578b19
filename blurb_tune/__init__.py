"""blurb-tune: find the fine-tuning recipe that is good every time."""

__version__ = "0.1.0"
