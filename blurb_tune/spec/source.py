"""A YAML file as plain data that remembers on which line each value stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from blurb_tune.core.errors import InputError, Problem

Key = str | int
KeyPath = tuple[Key, ...]

_MAX_DEPTH = 20
# YAML 1.1 wants a dot and a signed exponent in a float; without them it reads text.
_NUMBER_READ_AS_TEXT = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+")


@dataclass
class Source:
    """The plain data of a spec and the place of each value in it.

    `data` is what `yaml.safe_load` reads, with overrides put in; `problems` what can be said of the text alone.
    """

    file: Path
    data: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)
    _places: dict[KeyPath, str] = field(default_factory=dict)

    def where(self, path: Sequence[Key]) -> str:
        """`file:line` of the value at `path`, or of the nearest thing around it that is written out."""
        for length in range(len(path), -1, -1):
            place = self._places.get(tuple(path[:length]))
            if place:
                return place
        return str(self.file)

    def problem(self, path: Sequence[Key], what: str) -> Problem:
        """A problem with the value at `path`, which is named in the message."""
        name = dotted(path)
        return Problem(self.where(path), f"{name}: {what}" if name else what)


def dotted(path: Sequence[Key]) -> str:
    """`("space", "strategy", 0)` as `space.strategy[0]`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def read_source(file: Path, overrides: Sequence[str] = ()) -> Source:
    """Read a spec and put in `key.path=value` overrides. Raises InputError when the file is no YAML mapping."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError([Problem(str(file), "there is no such file")]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Problem(str(file), f"this file cannot be read: {error}")]) from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{file}:{mark.line + 1}" if mark else str(file)
        raise InputError([Problem(place, f"this is not valid YAML: {error.problem or error.context}")]) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError([Problem(str(file), f"this is not valid YAML: {error}")]) from None
    if not isinstance(data, dict) or node is None:
        raise InputError([Problem(str(file), "expected a mapping with at least `task` and `model`")])
    source = Source(file, data)
    _note_places(source, node, (), 0)
    for override in overrides:
        _put(source, override)
    return source


def _note_places(source: Source, node: yaml.Node, path: KeyPath, depth: int) -> None:
    line = node.start_mark.line + 1
    source._places.setdefault(path, f"{source.file}:{line}")
    if depth > _MAX_DEPTH:
        raise InputError([Problem(f"{source.file}:{line}", f"this is nested more than {_MAX_DEPTH} levels deep")])
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, key_line = str(key_node.value), key_node.start_mark.line + 1
            if key in seen:
                name = dotted((*path, key))
                problem = f"duplicate key {name!r}; it stands on line {seen[key]} already"
                source.problems.append(Problem(f"{source.file}:{key_line}", problem))
            seen[key] = key_line
            source._places[(*path, key)] = f"{source.file}:{key_line}"
            _note_places(source, value_node, (*path, key), depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _note_places(source, item, (*path, index), depth + 1)
    elif isinstance(node, yaml.ScalarNode) and node.style is None and node.tag.endswith(":str"):
        _note_number_read_as_text(source, node.value, path)


def _note_number_read_as_text(source: Source, text: str, path: KeyPath) -> None:
    if _NUMBER_READ_AS_TEXT.fullmatch(text):
        number = _yaml_float(float(text))
        source.problems.append(source.problem(path, f"YAML reads {text!r} as text, not as a number; write {number}"))


def _yaml_float(number: float) -> str:
    """The number as YAML 1.1 reads it: mantissa with a dot, exponent with a sign."""
    mantissa, _, exponent = f"{number!r}".partition("e")
    if not exponent:
        return mantissa
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{int(exponent):+d}"


def _put(source: Source, override: str) -> None:
    """Put one `path.to.key=value` into the data; the value is YAML."""
    place = f"--set {override}"
    name, equals, text = override.partition("=")
    if not equals or not all(name.split(".")):
        source.problems.append(Problem(place, "expected path.to.key=value"))
        return
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        source.problems.append(Problem(place, f"the value {text!r} is not valid YAML"))
        return
    path: KeyPath = tuple(int(part) if part.isdigit() else part for part in name.split("."))
    holder: Any = source.data
    for depth, key in enumerate(path[:-1]):
        if isinstance(holder, dict) and not isinstance(holder.get(key), dict | list):
            holder[key] = {}
            _forget_places(source, path[: depth + 1])
            source._places[path[: depth + 1]] = place
        holder = _item(holder, key)
    if isinstance(holder, dict) or _item(holder, path[-1]) is not None:
        holder[path[-1]] = value
        _forget_places(source, path)
        source._places[path] = place
        if isinstance(value, str):
            _note_number_read_as_text(source, value, path)
    else:
        source.problems.append(Problem(place, f"there is no place {dotted(path)!r} to set"))


def _item(holder: Any, key: Key) -> Any:
    if isinstance(holder, dict):
        return holder.get(key)
    if isinstance(holder, list) and isinstance(key, int) and key < len(holder):
        return holder[key]
    return None


def _forget_places(source: Source, path: KeyPath) -> None:
    """What an override replaces is no longer in the file: neither its lines nor what was wrong with it."""
    stale = [p for p in source._places if p[: len(path)] == path]
    names = {dotted(p) for p in stale}
    source.problems = [p for p in source.problems if p.what.split(": ")[0] not in names]
    for old in stale:
        del source._places[old]
