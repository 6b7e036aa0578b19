"""From examples to tokens and labels in flat arrays, and the cache of them."""
