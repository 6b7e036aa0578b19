"""Tables and curves that mean no good."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

from hostile_cases.values import NUMBERS, TEXTS, garbled, mutated

from blurb_tune.tasks.sources.readers import FORMATS

CURVES = sorted((Path(__file__).parents[1] / "curves").glob("*.csv"))


def table(random: Random) -> tuple[str, bytes]:
    ending = random.choice([*FORMATS, ".conll"])
    rows = [{"text": f"a{k}", "label": str(k % 2), "id": k} for k in range(20)]
    if ending in (".json", ".jsonl"):
        rows = [mutated(row, random, 1) if random.random() < 0.2 else row for row in rows]
        text = json.dumps(rows) if ending == ".json" and random.random() < 0.5 else "\n".join(map(json.dumps, rows)) + "\n"
    else:
        mark = "\t" if ending == ".tsv" else ","
        text = f"text{mark}label\n" + "".join(f"{row['text']}{mark}{row['label']}\n" for row in rows)
    content = text.encode("utf-8", "surrogatepass")
    if ending == ".parquet":
        content = random.choice(_PARQUET)
    strange = random.choice(
        [
            b"[" * 200_000,
            b'{"a":' * 100_000,
            b"1" * 5_000,
            b'"' + b"x" * 2_000_000,
            b"\0" * 1_000_000,
            b"",
            b"{}\n" * 9,
            b'"a,b\n' * 9,
        ]
    )
    return ending, strange if random.random() < 0.1 else garbled(content, random)


def curves(random: Random) -> tuple[bytes, bytes]:
    file = random.choice(CURVES)
    content, about = b"".join(file.read_bytes().splitlines(keepends=True)[:60]), file.with_suffix(".json").read_bytes()
    if random.random() < 0.5:
        about = json.dumps(mutated(json.loads(about), random, random.randint(1, 3))).encode()
    elif random.random() < 0.5:
        about = garbled(about, random)
    kind = random.random()
    if kind < 0.3:
        content = garbled(content, random)
    elif kind < 0.8:
        lines = [line.split(b",") for line in content.split(b"\n")]
        for _ in range(random.randint(1, 3)):
            line = random.choice(lines)
            line[random.randrange(len(line))] = str(random.choice(TEXTS + NUMBERS)).encode("utf-8", "replace")
        content = b"\n".join(b",".join(line) for line in lines)
    return content, about


def _parquet() -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for columns in (
        {"text": ["a", None], "label": [1, 2]},
        {"text": [["a"], []], "label": [{"x": 1}, None]},
        {"a": [b"\xff", b""]},
    ):
        stream = io.BytesIO()
        pq.write_table(pa.table(columns), stream)
        yield stream.getvalue()


_PARQUET = list(_parquet())
