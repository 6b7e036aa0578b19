"""How an event is written as one line of JSON, and read from the lines of every version."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from blurb_tune.core.errors import visible
from blurb_tune.core.trial import Measurement
from blurb_tune.log.events import EVENT_TYPES, Event, SweepStarted
from blurb_tune.log.shapes import build_dataclass
from blurb_tune.log.values import check_values

_NO_CHARACTER = re.compile("[\ud800-\udfff]")
# As JSON has them: the first ones escaped, the others as they are; and halves of characters.
_CONTROL = re.compile(r"\\u00[01789]|\\[bfr]|[\x7f-\x9f]|\\u[dD][89a-fA-F]")
_CHECKSUM = re.compile(r', "crc": "([0-9a-f]{8})"\}$')
_OLD_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def to_line(event: Event) -> str:
    """One line of strict JSON; a NaN or infinity becomes `{"float": "nan"}`. It ends with its own CRC-32."""
    text = json.dumps({"kind": event.kind, **_encode(asdict(event))}, allow_nan=False, ensure_ascii=False)
    text = _NO_CHARACTER.sub(lambda found: f"\\{ascii(found[0])[1:-1]}", text)  # such as of a file's name that is no UTF-8
    return f'{text[:-1]}, "crc": "{zlib.crc32(text.encode("utf-8")):08x}"}}'


def from_line(line: str) -> Event:
    """The inverse of `to_line`; reads the lines of every earlier version too.

    Control characters in texts, which a terminal may obey, come written out. Raises ValueError on anything that is not a
    known event with values that can be, and on a line whose checksum does not fit.
    """
    line = line.rstrip("\r\n")
    found = _CHECKSUM.search(line)
    if found:
        text = line[: found.start()] + "}"
        if f"{zlib.crc32(text.encode('utf-8')):08x}" != found[1]:
            raise ValueError("its checksum does not fit: a part of it has changed since it was written")
        line = text
    try:
        data = _decode(json.loads(line))
        if _CONTROL.search(line):
            data = _visible(data)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    kind = data.pop("kind", None) if isinstance(data, dict) else None
    cls = EVENT_TYPES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ValueError("not an event of this version")
    _modernize(cls, data)
    event = build_dataclass(cls, data)
    check_values(event)
    return event


def _modernize(cls: type[Event], data: dict[str, Any]) -> None:
    """Bring what an earlier version wrote into the present form, in place."""
    if cls is SweepStarted and "models" not in data and "model" in data:  # before there were several models
        data["models"] = {str(data["model"]): data.get("blocks", 0)}
    if data.get("outcome") == "pruned_dominated":
        data["outcome"] = "pruned_underperforming"
    measurement = data.get("measurement")
    extra = measurement.get("extra") if isinstance(measurement, dict) else None
    for values in (data, measurement, extra):  # the first two versions wrote numbers that are not finite as text
        if isinstance(values, dict):
            names = [name for name in values if values is extra or name in _FLOAT_FIELDS]
            values |= {
                name: _OLD_FLOATS[text] for name in names if isinstance(text := values[name], str) and text in _OLD_FLOATS
            }


_FLOAT_FIELDS = {f.name for f in fields(Measurement) if f.type == "float"} | {"value", "failed_share", "trivial_score"}


def _encode(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _visible(value: Any) -> Any:
    if isinstance(value, dict):
        return {visible(key): _visible(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_visible(item) for item in value]
    return visible(value) if isinstance(value, str) else value


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"float"} and isinstance(value["float"], str):
            return float(value["float"])
        return {key: _decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return value
