"""`python -m blurb_tune.cli` is `blurb-tune`."""

from blurb_tune.cli import main

main()
