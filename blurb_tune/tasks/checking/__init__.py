"""Everything that can be wrong with the data of a task, found before anything starts."""
