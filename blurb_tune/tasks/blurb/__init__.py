"""The benchmark: its 13 data sets, its score, and the built-in `demo` task."""
