"""Each distinct piece of text is tokenized once, and only where that gives the same tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from blurb_tune.models.tiny import tiny_tokenizer
from blurb_tune.tasks.encoding.pieces import read_texts, read_words
from blurb_tune.tasks.ragged import boundaries, ranges
from tests.tasks.small_tokenizers import make_tokenizer

TEXTS = ["the gene of the cell", "the cell", "the gene of the cell"]


def whitespace_tokenizer() -> Tokenizer:
    backend = Tokenizer(models.WordLevel({"the": 0, "<unk>": 1}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return backend


@pytest.mark.parametrize(
    ("backend", "added", "markers", "pieces"),
    [
        (tiny_tokenizer().backend_tokenizer, [], ("@GENE$",), 4),
        (tiny_tokenizer().backend_tokenizer, ["@GENE$"], (), 4),
        (tiny_tokenizer().backend_tokenizer, ["a gene"], (), 2),
        (tiny_tokenizer().backend_tokenizer, [], ("a gene",), 2),
        (make_tokenizer("byte-level").backend_tokenizer, [], (), 2),
        (make_tokenizer("unigram").backend_tokenizer, [], (), 2),
        (whitespace_tokenizer(), [], (), 2),
    ],
)
def test_texts_are_cut_at_blanks_where_nothing_reaches_across_them(
    backend: Tokenizer, added: Sequence[str], markers: Sequence[str], pieces: int
) -> None:
    backend.add_tokens(list(added))
    read = read_texts(TEXTS, backend, markers)
    assert len(read.table.lengths) == pieces
    tokens, _ = read.read(0, 3)
    assert tokens.ids.tolist() == [number for text in TEXTS for number in backend.encode(text, add_special_tokens=False).ids]


def test_words_are_pieces_and_any_part_can_be_read() -> None:
    backend = tiny_tokenizer().backend_tokenizer
    sentences = [("gene", "xyz"), ("\x00",), ("gene", "gene", "xyz")]
    read = read_words(sentences, backend)
    assert len(read.table.lengths) == 3
    tokens, starts = read.read(1, 3)
    assert [backend.id_to_token(number) for number in tokens.ids] == ["gene", "gene", "x", "##y", "##z"]
    assert tokens.offsets.tolist() == [0, 0, 5]
    assert starts.tolist() == [0, 0, 1, 2, 5]


@pytest.mark.parametrize("kind", ["wordpiece", "byte-level"])
def test_tokens_of_markers_are_those_with_one_of_their_characters(kind: str) -> None:
    backend = make_tokenizer(kind).backend_tokenizer
    tokens, _ = read_texts(["an anti-@GENE$s gene"], backend, ("@GENE$",)).read(0, 1)
    inside = "".join(backend.id_to_token(number) for number in tokens.ids[tokens.in_marker])
    assert inside.lower() == "@gene$"


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5))))
def test_ranges_and_boundaries_are_those_of_plain_loops(groups: list[tuple[int, int]]) -> None:
    starts, counts = np.array(groups, dtype=np.int64).reshape(-1, 2).T
    assert ranges(starts, counts).tolist() == [place for start, count in groups for place in range(start, start + count)]
    assert boundaries(counts).tolist() == [sum(counts[:number]) for number in range(len(groups) + 1)]
