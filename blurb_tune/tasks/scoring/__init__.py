"""What a model's outputs are worth: metrics with their intervals, the trivial predictor, and what chance alone reaches."""
