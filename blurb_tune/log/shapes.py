"""What an event must be like by itself, whoever wrote it: each field of its type, and values that exist."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Check = Callable[[Any], Any]
_MOST_SHOWN = 60
_LARGEST = 2**63


class WrongShapeError(ValueError):
    """A value is not what its field holds. The message names the field, what was expected, and the value."""


def build_dataclass(cls: type[T], data: Any) -> T:
    """A dataclass from what JSON says of its fields; of those that it does not know nothing is taken.

    Whole numbers that stand for others become floats. Raises WrongShapeError.
    """
    if not isinstance(data, dict):
        raise WrongShapeError(f"expected an object, but got {short_repr(data)}")
    checks, required = _checks_of(cast(Any, cls))
    if lacking := [name for name in required if name not in data]:
        raise WrongShapeError(f"lacks {', '.join(map(repr, lacking))}")
    return cls(**{name: _check_field(name, check, data[name]) for name, check in checks.items() if name in data})


def short_repr(value: Any) -> str:
    """A value in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _check_field(name: str, check: Check, value: Any) -> Any:
    try:
        return check(value)
    except WrongShapeError as error:
        raise WrongShapeError(f"{name}: {error}") from None


@cache
def _checks_of(cls: Any) -> tuple[dict[str, Check], tuple[str, ...]]:
    """By field how it is checked, and the fields without a default."""
    hints = get_type_hints(cls)
    checks = {field.name: _check_of(hints[field.name]) for field in fields(cls)}
    return checks, tuple(f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING)


def _check_of(hint: Any) -> Check:
    kind, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return _anything
    if kind in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not types.NoneType)
        check = _check_of(inner)
        return lambda value: None if value is None else check(value)
    if kind is list:
        return _list_of(_check_of(arguments[0]))
    if kind in (dict, Mapping):
        return _mapping_of(_check_of(arguments[1]))
    return _SIMPLE[hint] if hint in _SIMPLE else lambda value: build_dataclass(hint, value)


def _list_of(check: Check) -> Check:
    def checked(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise WrongShapeError(f"expected a list, but got {short_repr(value)}")
        return [check(item) for item in value]

    return checked


def _mapping_of(check: Check) -> Check:
    def checked(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise WrongShapeError(f"expected an object, but got {short_repr(value)}")
        return {name: _check_field(name[:_MOST_SHOWN], check, item) for name, item in value.items()}

    return checked


def _anything(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise WrongShapeError(f"expected text, but got {short_repr(value)}")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise WrongShapeError(f"expected true or false, but got {short_repr(value)}")
    return value


def _integer(value: Any) -> int:
    if type(value) is not int or not -_LARGEST <= value < _LARGEST:
        raise WrongShapeError(f"expected a whole number of at most 63 bits, but got {short_repr(value)}")
    return value


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is not int or not -_LARGEST <= value < _LARGEST:
        raise WrongShapeError(f"expected a number, but got {short_repr(value)}")
    return float(value)


_SIMPLE: dict[Any, Check] = {str: _text, bool: _boolean, int: _integer, float: _number}


def expect(holds: bool, what: str) -> None:
    """Raise WrongShapeError unless it holds."""
    if not holds:
        raise WrongShapeError(what)
