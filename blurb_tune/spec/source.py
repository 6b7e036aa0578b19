"""A YAML file as plain data that remembers on which line each value stands."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from blurb_tune.core.errors import InputError, Problem
from blurb_tune.core.garbage import no_garbage_collection
from blurb_tune.core.secrets import redact
from blurb_tune.spec.documents import (
    MAX_BYTES,
    MAX_DEPTH,
    Locate,
    compose,
    construct,
    dump,
    is_beyond,
    shorten,
)
from blurb_tune.spec.plain import plain_data

Key = str | int
KeyPath = tuple[Key, ...]


@dataclass
class Source:
    """The plain data of a spec and the location of each value in it.

    `data` is what YAML 1.2 says that it is, with overrides put in, and null for the whole numbers at the paths `beyond`, which
    are too large; `problems` is what can be said of the text alone. has_lines: the text is a file's, so that a location is a
    line of it; else it is a key path.
    """

    file: Path
    data: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)
    beyond: list[KeyPath] = field(default_factory=list)
    has_lines: bool = True
    _locations: dict[KeyPath, str] = field(default_factory=dict)

    def where(self, path: Sequence[Key]) -> str:
        """`file:line` of the value at `path`, or of the nearest thing around it that is written out; `path` without lines."""
        for length in range(len(path), -1, -1):
            location = self._locations.get(tuple(path[:length]))
            if location:
                return location
        return str(self.file) if self.has_lines else format_path(path) or str(self.file)

    def problem(self, path: Sequence[Key], what: str) -> Problem:
        """A problem with the value at `path`, which is named in the message where the location does not name it."""
        where, name = self.where(path), format_path(path)
        return Problem(where, shorten(what if name in ("", where) else f"{name}: {what}"))


def format_path(path: Sequence[Key]) -> str:
    """`("space", "strategy", 0)` as `space.strategy[0]`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


@no_garbage_collection()
def read_source(file: Path, overrides: Sequence[str] = (), prefix: str = "--set ") -> Source:
    """Read a spec and put in `key.path=value` overrides; a fault of one is located at `prefix` and the override.

    Raises InputError when the file is no YAML mapping, or is beyond the limits of `documents`.
    """

    def locate(line: int | None) -> str:
        return f"{file}:{line}" if line else str(file)

    return _source(_text_of(file), file, _locate_overrides(overrides, prefix), locate)


@no_garbage_collection()
def source_of(data: Mapping[str, Any], overrides: Sequence[str] = (), prefix: str = "--set ") -> Source:
    """A spec that is a mapping and no file, as if a file `spec` of the working folder held it; its locations are key paths,
    and those of overrides as for `read_source`.

    Raises InputError when it has what `plain_data` does not take, or is beyond the limits of `documents`.
    """
    file = Path("spec")
    return _source(
        dump(plain_data(data, str(file))), file, _locate_overrides(overrides, prefix), lambda line: str(file), has_lines=False
    )


def _locate_overrides(overrides: Sequence[str], prefix: str) -> list[tuple[str, str]]:
    return [(override, prefix + shorten(redact(override))) for override in overrides]


def _source(text: str, file: Path, overrides: Sequence[tuple[str, str]], locate: Locate, *, has_lines: bool = True) -> Source:
    """overrides: each with its location."""
    source = Source(file, {}, has_lines=has_lines)
    data = _read(text, source, (), locate)
    if not isinstance(data, dict):
        raise InputError([Problem(str(file), "expected a mapping with at least `task` and `model`")])
    source.data = data
    for override, location in overrides:
        _put(source, override, location)
    return source


def _read(text: str, source: Source, path: KeyPath, locate: Locate) -> Any:
    """The plain data of a text, of which `source` notes what there is to say; it stands at `path`. Raises InputError."""
    node = compose(text, locate)
    if node is None:
        return None
    _note(source, node, path, locate)  # first: construction merges what `<<` names into the nodes
    return construct(node, locate)


def _text_of(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError([Problem(str(file), f"a spec has at most {MAX_BYTES:,} bytes, but this file has more")])
        return content.decode("utf-8")
    except FileNotFoundError:
        raise InputError([Problem(str(file), "there is no such file")]) from None
    except (OSError, ValueError) as error:
        raise InputError([Problem(str(file), f"this file cannot be read: {error}")]) from None


def _note(source: Source, node: yaml.Node, path: KeyPath, locate: Locate) -> None:
    """Note where everything stands, and what can be said of the text alone."""
    location = locate if source.has_lines else lambda line: ""
    source._locations.setdefault(path, location(node.start_mark.line + 1))
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in seen:
                what = f"duplicate key {format_path((*path, key))!r}; it stands on line {seen[key]} already"
                source.problems.append(Problem(locate(line), shorten(what)))
            seen[key] = line
            source._locations[(*path, key)] = location(line)
            _note(source, value_node, (*path, key), locate)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note(source, item, (*path, index), locate)
    elif is_beyond(node):
        source.problems.append(source.problem(path, f"expected a number of at most 63 bits, but got {node.value}"))
        source.beyond.append(path)


def _put(source: Source, override: str, location: str) -> None:
    """Put one `path.to.key=value` into the data; the value is YAML."""
    name, equals, text = override.partition("=")
    if not equals or not all(name.split(".")):
        source.problems.append(Problem(location, "expected path.to.key=value"))
        return
    if name.count(".") >= MAX_DEPTH:
        source.problems.append(Problem(location, f"expected a path of at most {MAX_DEPTH} keys"))
        return
    path: KeyPath = tuple(int(part) if re.fullmatch("[0-9]{1,9}", part) else part for part in name.split("."))
    noted = Source(source.file, {})
    try:
        value = _read(text, noted, path, lambda _: location)
    except InputError as error:
        source.problems += error.problems
        return
    holder: Any = source.data
    for depth, key in enumerate(path[:-1]):
        inner = _item(holder, key)
        if isinstance(holder, dict) and not isinstance(inner, dict | list):
            inner = {}
            _forget_locations(source, path[: depth + 1])
            source._locations[path[: depth + 1]] = location
        if isinstance(inner, dict | list):
            holder[key] = inner = copy.copy(inner)  # an alias puts the same one in other places, which keep theirs
        holder = inner
    if isinstance(holder, dict) or _item(holder, path[-1]) is not None:
        holder[path[-1]] = value
        _forget_locations(source, path)
        source._locations |= {path: location} | noted._locations
        source.problems += noted.problems
        source.beyond += noted.beyond
    else:
        source.problems.append(Problem(location, f"there is no place {format_path(path)!r} to set"))


def _item(holder: Any, key: Key) -> Any:
    if isinstance(holder, dict):
        return holder.get(key)
    if isinstance(holder, list) and isinstance(key, int) and key < len(holder):
        return holder[key]
    return None


def _forget_locations(source: Source, path: KeyPath) -> None:
    """What an override replaces is no longer in the file: neither its lines nor what was wrong with it."""
    stale = [p for p in source._locations if p[: len(path)] == path]
    names = {format_path(p) for p in stale}
    source.problems = [p for p in source.problems if not names & {p.where, p.what.split(": ")[0]}]
    source.beyond = [p for p in source.beyond if p[: len(path)] != path]
    for old in stale:
        del source._locations[old]
