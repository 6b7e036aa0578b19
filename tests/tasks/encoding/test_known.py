"""Examples that are known by their digest."""

from __future__ import annotations

from dataclasses import replace

from blurb_tune.tasks.encoding.known import KnownExamples, digest_of
from blurb_tune.tasks.examples import Example

EXAMPLES = tuple(Example(f"x{n}", (f"text {n}",), n % 3) for n in range(2500))


def test_they_are_read_once_and_only_when_one_is_asked_for() -> None:
    reads = []

    def read() -> tuple[Example, ...]:
        reads.append(1)
        return EXAMPLES

    known = KnownExamples(len(EXAMPLES), digest_of(EXAMPLES), read)
    assert len(known) == 2500
    assert digest_of(known) == digest_of(EXAMPLES)
    assert not reads
    assert tuple(known) == EXAMPLES
    assert (known[3], known[-1], tuple(known[5:9])) == (EXAMPLES[3], EXAMPLES[-1], EXAMPLES[5:9])
    assert reads == [1]


def test_the_digest_is_that_of_texts_and_labels_in_their_order() -> None:
    last = EXAMPLES[-1]
    others = [
        EXAMPLES[:-1],
        EXAMPLES[::-1],
        (*EXAMPLES[:-1], replace(last, texts=("another",))),
        (*EXAMPLES[:-1], replace(last, texts=(*last.texts, ""))),
        (*EXAMPLES[:-1], replace(last, label=9)),
    ]
    assert len({digest_of(examples) for examples in (EXAMPLES, *others)}) == len(others) + 1
    assert digest_of((*EXAMPLES[:-1], replace(last, id="another"))) == digest_of(list(EXAMPLES))
