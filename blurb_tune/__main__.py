"""`python -m blurb_tune` is `blurb-tune`."""

from blurb_tune.cli import main

main()
