"""Tables, summary and plot of a sweep, from its record alone."""
