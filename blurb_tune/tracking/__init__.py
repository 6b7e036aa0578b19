"""MLflow runs, derived from a sweep's event log. Importing this package imports neither MLflow nor what its modules need."""
