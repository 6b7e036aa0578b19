"""Where a task's data come from, and the rows of their files."""
