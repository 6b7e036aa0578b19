"""From what a spec says of its task to the source of the data, and from faults in the data back to the spec's lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blurb_tune.core.errors import BlurbTuneError, Problem
from blurb_tune.spec.load import UNKNOWN, LoadedSpec
from blurb_tune.spec.source import KeyPath
from blurb_tune.spec.task import TaskSpec
from blurb_tune.tasks.blurb.definitions import find_task
from blurb_tune.tasks.examples import NamedProblem
from blurb_tune.tasks.sources.custom import check_custom_task, custom_source, has_data
from blurb_tune.tasks.sources.data_source import DataSource, find_source


def spec_source(loaded: LoadedSpec) -> tuple[DataSource | None, list[Problem]]:
    """Where the spec's task has its data, and what is wrong with how it is named; no file is looked at.

    The source is None where the task cannot be made out.
    """
    task, source = loaded.spec.task, loaded.source
    if isinstance(task, TaskSpec):
        faults = list(check_custom_task(task, loaded.base))
        problems = [source.problem(("task", key) if key else ("task",), what) for key, what in faults]
        found = custom_source(task, loaded.base) if has_data(task, faults) else None
        if loaded.spec.data is not None:
            problems.append(source.problem(("data",), "this is for named tasks; a mapping names its files in `task`"))
        return found, problems
    if task == UNKNOWN:
        return None, []
    try:
        return find_source(find_task(task), loaded.spec.data, loaded.base), []
    except BlurbTuneError as error:
        return None, [source.problem(("task",), str(error))]


def attach_spec_lines(loaded: LoadedSpec, problems: Sequence[Problem]) -> Iterator[Problem]:
    """Problems of the data; one that lies with what the spec names is the fault of the line that names it."""
    for problem in problems:
        path: KeyPath | None = None
        if isinstance(problem, NamedProblem) and isinstance(loaded.spec.task, TaskSpec):
            path = ("task", problem.key)
        elif isinstance(problem, NamedProblem) and problem.key == "data" and loaded.spec.data is not None:
            path = ("data",)
        yield loaded.source.problem(path, f"{problem.where}: {problem.what}") if path else problem
