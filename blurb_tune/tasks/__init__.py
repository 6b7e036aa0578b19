"""The tasks that can be tuned for: their table, data, features and metrics."""

from blurb_tune.tasks.task import TASKS, Kind, Task, find_task

__all__ = ["TASKS", "Kind", "Task", "find_task"]
