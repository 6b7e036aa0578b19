"""YAML 1.2 as nodes that know their lines, and nodes as plain data; within limits, so that any text is answered at once.

Syntax comes from PyYAML's parser, libyaml's, and what plain texts mean from YAML 1.2's core schema (yaml.org/spec/1.2.2,
section 10.3.2): 1e-5 is a number, `no` a text. Keys that `<<` merges, which 1.2 has no word of, are read as ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.reader import ReaderError
from yamlcore import CCoreLoader, CoreDumper
from yamlcore.loader import CommonConstructor

from blurb_tune.core.errors import InputError, Problem

MAX_BYTES = 2**20
MAX_VALUES = 100_000
MAX_DEPTH = 20
MAX_KEYS = 1_000
MAX_TEXT = 10_000
_MAX_MESSAGE = 1_000
_LONGEST_NUMBER = 100
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
_SURELY_SMALL = 15  # characters, also where each is a hexadecimal digit

_INT, _STR, _MERGE = (f"tag:yaml.org,2002:{name}" for name in ("int", "str", "merge"))
_UNTAGGED: dict[type[yaml.Node], str] = {
    yaml.ScalarNode: _STR,
    yaml.SequenceNode: "tag:yaml.org,2002:seq",
    yaml.MappingNode: "tag:yaml.org,2002:map",
}
Locate = Callable[[int | None], str]


@dataclass
class _Anchored:
    """A node with an anchor: how many values it holds, itself counted, and how many levels lie below it."""

    node: yaml.Node
    size: int
    height: int


class _Loader(CCoreLoader, SafeConstructor):  # type: ignore[misc]
    """The parser, and the constructors of plain data."""

    # With keys that are merged; whoever knows the lines says which stand twice.
    construct_mapping = SafeConstructor.construct_mapping

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, AttributeError, OverflowError) as error:  # of what a tag is written to
            raise ConstructorError(None, None, str(error), node.start_mark) from error
        except LookupError as error:  # of a text with a tag that it does not fit
            what = f"cannot read {shorten(str(getattr(node, 'value', '')))!r} as a {node.tag.rpartition(':')[2]}"
            raise ConstructorError(None, None, what, node.start_mark) from error

    def whole_number(self, node: yaml.ScalarNode) -> int | None:
        return None if is_beyond(node) else int(self.construct_yaml_int_core(node))


_Loader.add_constructor(_INT, _Loader.whole_number)
_Loader.add_implicit_resolver(_MERGE, re.compile("<<$"), ["<"])


class _Dumper(CoreDumper):  # type: ignore[misc]
    """Texts that YAML 1.1 or 1.2 would read as something else stand in quotes."""


for _first, _rules in yaml.SafeDumper.yaml_implicit_resolvers.items():
    for _tag, _pattern in _rules:
        _Dumper.add_implicit_resolver(_tag, _pattern, [_first])


def is_beyond(node: yaml.Node) -> bool:
    """Whether this is a whole number of more than 63 bits, which no setting of a spec can mean; it is read as null."""
    if not isinstance(node, yaml.ScalarNode) or node.tag != _INT or len(node.value) <= _SURELY_SMALL:
        return False
    if len(node.value) > _LONGEST_NUMBER:
        return True
    try:
        return abs(int(CommonConstructor().construct_yaml_int_core(node))) >= 2**63
    except ValueError:  # the tag was written to what is no number
        return False


def compose(text: str, locate: Locate) -> yaml.Node | None:
    """The one document of a text, None where it is empty.

    `locate` names the location of a line, and for None that of the text. Raises InputError where the text is no valid YAML, is
    nested more than 20 levels deep, or holds more than 100,000 values, a mapping of more than 1,000 keys or a text of more
    than 10,000 characters. What an alias repeats counts each time.
    """
    if found := _HALF_CHARACTER.search(text):  # of a command line that is no UTF-8
        line = text.count("\n", 0, found.start()) + 1
        raise _fault(locate(line), f"{ascii(found[0])[1:-1]} is no character")
    try:
        return _Composer(_Loader(text), locate).document()  # type: ignore[call-arg]  # that of the parser
    except ReaderError as error:
        line = text.encode("utf-8", "replace").count(b"\n", 0, error.position) + 1
        raise _fault(locate(line), error.reason) from None
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, locate) from None


def construct(node: yaml.Node, locate: Locate) -> Any:
    """The plain data of a composed node. Raises InputError where something cannot be read as what its tag says."""
    try:
        return _Loader("").construct_document(node)  # type: ignore[call-arg]
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, locate) from None


def dump(data: Mapping[str, Any]) -> str:
    """Plain data as YAML that `compose` and `construct` read as the same. Raises yaml.YAMLError for other data."""
    return str(yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def shorten(text: str) -> str:
    """A message with its middle left out where what it quotes is long."""
    return text if len(text) <= _MAX_MESSAGE else f"{text[: _MAX_MESSAGE * 2 // 3]} ... {text[-_MAX_MESSAGE // 4 :]}"


class _Composer:
    """Composes nodes from the parser's events. libyaml's own composer overruns the stack on deep nests."""

    def __init__(self, loader: Any, locate: Locate):
        self._loader, self._locate = loader, locate
        self._anchors: dict[str, _Anchored | None] = {}
        self._tags: dict[str, str] = {}
        self._count = self._deepest = 0

    def document(self) -> yaml.Node | None:
        self._loader.get_event()
        if self._loader.check_event(yaml.StreamEndEvent):
            return None
        self._loader.get_event()
        node = self._node(0)
        self._loader.get_event()
        if not self._loader.check_event(yaml.StreamEndEvent):
            raise self._error(self._loader.peek_event(), "a second document begins here; expected one")
        return node

    def _node(self, depth: int) -> yaml.Node:
        event = self._loader.get_event()
        self._add(event, 1, depth)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if event.anchor is None:
            return self._plain(event, depth)
        if event.anchor in self._anchors:
            raise self._error(event, f"the anchor &{event.anchor} stands twice")
        self._anchors[event.anchor] = None
        count, deepest, self._deepest = self._count, self._deepest, depth
        node = self._plain(event, depth)
        self._anchors[event.anchor] = _Anchored(node, self._count - count + 1, self._deepest - depth)
        self._deepest = max(deepest, self._deepest)
        return node

    def _plain(self, event: Any, depth: int) -> yaml.Node:
        begin: Any = event.start_mark
        end: Any = event.end_mark
        if isinstance(event, yaml.ScalarEvent):
            if len(event.value) > MAX_TEXT:
                raise self._error(event, f"a text has at most {MAX_TEXT:,} characters, but this has {len(event.value):,}")
            if found := _CONTROL.search(event.value):  # which no file's name should hold, and a terminal may obey
                raise self._error(event, f"a text cannot hold the control character {ascii(found[0])[1:-1]}")
            tag = self._tag(yaml.ScalarNode, event)
            return yaml.ScalarNode(tag, event.value, begin, end, style=event.style)
        items: list[Any] = []
        kind = yaml.SequenceNode if isinstance(event, yaml.SequenceStartEvent) else yaml.MappingNode
        while not self._loader.check_event(yaml.SequenceEndEvent, yaml.MappingEndEvent):
            if kind is yaml.MappingNode and len(items) == MAX_KEYS:
                raise self._error(event, f"a mapping has at most {MAX_KEYS:,} keys, but this has more")
            item = self._node(depth + 1)
            items.append(item if kind is yaml.SequenceNode else (_as_key(item), self._node(depth + 1)))
        self._loader.get_event()
        return kind(self._tag(kind, event), items, begin, end)

    def _alias(self, event: yaml.AliasEvent, depth: int) -> yaml.Node:
        if event.anchor not in self._anchors:
            raise self._error(event, f"*{event.anchor} repeats an anchor that does not stand above it")
        anchored = self._anchors[event.anchor]
        if anchored is None:
            raise self._error(event, f"*{event.anchor} stands within what it repeats, without end")
        self._add(event, anchored.size - 1, depth + anchored.height)
        return anchored.node

    def _add(self, event: Any, count: int, depth: int) -> None:
        self._count += count
        self._deepest = max(self._deepest, depth)
        if depth > MAX_DEPTH:
            raise self._error(event, f"this is nested more than {MAX_DEPTH} levels deep")
        if self._count > MAX_VALUES:
            what = f"a spec has at most {MAX_VALUES:,} values, but here there are more; what an alias repeats counts each time"
            raise self._error(event, what)

    def _tag(self, kind: type[yaml.Node], event: Any) -> str:
        if event.tag is not None and event.tag != "!":
            return str(event.tag)
        if kind is not yaml.ScalarNode or not event.implicit[0]:
            return _UNTAGGED[kind]
        found = self._tags.get(event.value)  # keys stand many times
        if found is None:
            found = self._tags[event.value] = str(self._loader.resolve(kind, event.value, event.implicit))
        return found

    def _error(self, event: Any, what: str) -> InputError:
        return InputError([Problem(self._locate(event.start_mark.line + 1), shorten(what))])


def _as_key(node: yaml.Node) -> yaml.Node:
    """The node as a key, which is a text to every setting, though YAML reads true, null and 1 as something else."""
    if isinstance(node, yaml.ScalarNode) and node.tag not in (_STR, _MERGE):
        return yaml.ScalarNode(_STR, node.value, node.start_mark, node.end_mark, style=node.style)
    return node


def _syntax_error(error: yaml.MarkedYAMLError, locate: Locate) -> InputError:
    mark = error.problem_mark or error.context_mark
    context, begun = error.context, error.context_mark
    where = f" {context}, which begins on line {begun.line + 1}" if context and begun else f" {context}" if context else ""
    return _fault(locate(mark.line + 1 if mark else None), f"{error.problem or ''}{where}".strip())


def _fault(where: str, what: str) -> InputError:
    return InputError([Problem(where, shorten(f"this is not valid YAML: {what}"))])
