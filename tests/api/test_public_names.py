"""What is public is listed, documented and there; what is documented is public, or comes from what is."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import blurb_tune as bt

PAGE = Path(__file__).parent.parent.parent / "docs" / "python-api.md"
DOCUMENTED = re.findall(r"auto(?:function|class|exception):: ([\w.]+)", PAGE.read_text(encoding="utf-8"))


def resolved(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module), attribute)


def annotations(of: Any) -> Iterator[str]:
    """Of a function, or of the fields, properties, methods and bases of a class."""
    yield from (base.__name__ for base in getattr(of, "__bases__", ()))
    yield from map(str, getattr(of, "__annotations__", {}).values())
    for member in vars(of).values() if inspect.isclass(of) else ():
        function = getattr(member, "fget", None) or getattr(member, "func", None) or member
        if inspect.isfunction(function):
            yield from map(str, function.__annotations__.values())


def test_the_names_that_are_documented_are_the_public_ones() -> None:
    assert {name for name in DOCUMENTED if name.count(".") == 1} == {f"blurb_tune.{name}" for name in bt.__all__}
    assert bt.__all__ == sorted(bt.__all__)
    assert set(bt.__all__) <= set(dir(bt))
    with pytest.raises(AttributeError, match="has no attribute 'opne'"):
        bt.opne  # type: ignore[attr-defined]  # noqa: B018


def test_every_other_class_on_the_page_comes_from_a_public_one() -> None:
    public = [resolved(name) for name in DOCUMENTED]
    words = {word for of in public for annotation in annotations(of) for word in re.findall(r"\w+", annotation)}
    assert [name for name in DOCUMENTED if name.count(".") > 1 and name.rpartition(".")[2] not in words] == []


def test_every_part_of_a_public_class_says_what_it_is() -> None:
    for name in bt.__all__:
        of = getattr(bt, name)
        assert of.__doc__, name
        if inspect.isclass(of) and of.__module__.startswith("blurb_tune.api"):
            said = " ".join(base.__doc__ or "" for base in of.__mro__)
            for member in (member for member in vars(of) if not member.startswith("_")):
                assert inspect.getdoc(inspect.getattr_static(of, member)), f"{name}.{member}"
            for field in getattr(of, "__dataclass_fields__", {}):
                assert re.search(rf"\b{field}\b", said), f"{name}.{field}"
