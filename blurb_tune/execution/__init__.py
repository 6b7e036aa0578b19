"""The driver of a sweep, the actor that runs its trials, and what both need of Ray."""
