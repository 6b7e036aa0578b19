"""The tasks that can be tuned for: their table, data, features and metrics."""
