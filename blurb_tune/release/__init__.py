"""From a sweep's winner to a model that people use."""
