"""Event logs and bookmarks that mean no good."""

from __future__ import annotations

import contextlib
import json
import zlib
from pathlib import Path
from random import Random
from typing import Any

from hostile_cases.values import garbled, mutated, paths_of, value

from blurb_tune.log import events as ev

LOGS = sorted((Path(__file__).parents[2] / "tests/log/fixtures").glob("*.jsonl"))


def log(random: Random) -> bytes:
    lines = random.choice(_LOG_LINES)
    lines = list(lines)
    kind = random.random()
    if kind < 0.25:
        return garbled(b"".join(lines), random)
    if kind < 0.75:
        for _ in range(random.randint(1, 3)):
            index = random.randrange(len(lines))
            lines[index] = _event_line(lines[index], random)
        return b"".join(lines)
    if kind < 0.9:
        for _ in range(random.randint(1, 4)):
            index, other = random.randrange(len(lines)), random.randrange(len(lines))
            action = random.randrange(4)
            if action == 0:
                lines.insert(other, lines[index])
            elif action == 1:
                lines.pop(index)
            elif action == 2:
                lines[index], lines[other] = lines[other], lines[index]
            else:
                random.shuffle(lines)
            if not lines:
                break
        return b"".join(lines)
    strange = random.choice(
        [b"", b"\n", b"\n\n\n", b"{}\n{}\n", b"[]\n[]\n", b"null\nnull\n", b"5\n5\n", b"[" * 100_000 + b"\n{}\n",
        b'{"a":' * 100_000 + b"\n{}\n",
         b'"' + b"x" * 3_000_000 + b'"\n{}\n', b"\0" * 1_000_000, b"\0" * 1_000 + b"\n{}\n", b"\xff\xfe\n\n",
         b'{"kind": "sweep_started"}\n{}\n',
         b'{"kind": ["sweep_started"]}\n{}\n', b'{"kind": {"a": 1}}\n{}\n', b"1" * 5_000 + b"\n{}\n",
         b'{"kind": "measured", "measurement": 5}\n{}\n',
         b"PK\x03\x04" + b"\0" * 500 + b"\n{}\n", b"SQLite format 3\0\n{}\n", b"-1e999\n{}\n", b'{"float": "x"}\n{}\n',
         b'{"kind": {"float": "1"}}\n{}\n']
    )  # fmt: skip
    return strange + (b"".join(lines) if random.random() < 0.5 else b"")


def _event_line(line: bytes, random: Random) -> bytes:
    """With other values in known fields, and a checksum that fits."""
    data = json.loads(line)
    data.pop("crc", None)
    for _ in range(random.randint(1, 2)):
        path = random.choice(list(paths_of(data)))
        holder = data
        with contextlib.suppress(KeyError, IndexError, TypeError):
            for key in path[:-1]:
                holder = holder[key]
            action = random.random()
            if action < 0.75:
                holder[path[-1]] = _other(holder[path[-1]], random)
            elif action < 0.9:
                del holder[path[-1]]
            elif isinstance(holder, dict):
                holder[random.choice(["x", "float", "trial", "measurement", "kind"])] = value(random)
    text = json.dumps(data, ensure_ascii=random.random() < 0.5)
    raw = text.encode("utf-8", "surrogatepass")
    return raw[:-1] + f', "crc": "{zlib.crc32(raw):08x}"}}\n'.encode()


def _other(old: Any, random: Random) -> Any:
    kind = random.random()
    if kind < 0.2 and isinstance(old, int | float):
        return random.choice([str(old), -old, old * 10**20, {"float": "nan"}, {"float": "x"}, {"float": "inf"}, [old]])
    if kind < 0.3:
        return {"float": random.choice(["nan", "inf", "-inf", "1e999", "x", "", "0x1"])}
    if kind < 0.4:
        return random.choice(list(ev.EVENT_TYPES))
    return value(random)


_LOG_LINES = [file.read_bytes().splitlines(keepends=True) for file in LOGS]


def bookmark(random: Random) -> bytes:
    whole = {"uri": "sqlite:///x", "experiment": "e", "sweep_id": "s", "experiment_id": "1", "offset": 0, "files": {"a": "b"}}
    if random.random() < 0.6:
        return json.dumps(mutated(whole, random, random.randint(1, 3))).encode()
    if random.random() < 0.3:
        return random.choice([b"", b"[" * 200_000, b"{" * 9, b"null", b"5", b"1" * 5_000, b"\xff", b"\0", b'{"a":' * 100_000])
    return garbled(json.dumps(whole).encode(), random)
