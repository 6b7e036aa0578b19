"""Sweeps on a Ray cluster: submitted from a laptop, kept in a storage, found again from anywhere."""
