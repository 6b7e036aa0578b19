"""Answers as spans of words: found in the text, tokenized behind the question, decoded and scored."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from blurb_tune.models.catalog import describe_model
from blurb_tune.models.encoder import load_tokenizer
from blurb_tune.tasks import kinds
from blurb_tune.tasks.encoding.features import encode
from blurb_tune.tasks.examples import Example
from blurb_tune.tasks.ragged import Words
from blurb_tune.tasks.scoring.metrics import TrivialPredictor, evaluate
from blurb_tune.tasks.task import Task

TASK = Task(
    name="t",
    kind=kinds.SPANS,
    metric="span_f1",
    description="",
    max_length=64,
    fields=("question", "context"),
    label_field="answer",
)
CONTEXT = "Aspirin (100 mg) was given; aspirin helped."


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("Aspirin", (0, 0)),
        ("100 mg", (2, 3)),
        ("(100 mg)", (1, 4)),
        ("aspirin helped", (8, 9)),
        (" given ", (6, 6)),
        ({"text": ["aspirin"], "answer_start": [28]}, (8, 8)),
        ({"text": "spiri", "answer_start": 29}, (8, 8)),
    ],
)
def test_an_answer_is_the_words_that_it_touches(answer: Any, words: tuple[int, int]) -> None:
    row = {"question": "What?", "context": CONTEXT, "answer": answer}
    assert TASK.kind.label_faults(TASK, row) == []
    assert TASK.kind.read_label(TASK, row) == words


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("ibuprofen", '`answer` "ibuprofen" does not stand in `context`'),
        ({"text": ["aspirin"], "answer_start": [0]}, '`answer` "aspirin" does not stand in `context` at 0'),
        ("", "`answer` must be a part of `context`"),
        ({"text": [], "answer_start": []}, "`answer` must be a part of `context`"),
        (3, "`answer` must be a part of `context`"),
    ],
)
def test_an_answer_that_is_not_there_is_told(answer: Any, fault: str) -> None:
    (found,) = TASK.kind.label_faults(TASK, {"question": "What?", "context": CONTEXT, "answer": answer})
    assert found.startswith(fault)


def test_words_stand_behind_the_question_and_what_is_cut_off_is_not_read() -> None:
    tokenizer = load_tokenizer(describe_model("tiny"))
    example = Example("1", ("what was given", "aspirin", "was", "given", "for", "days"), (0, 2))
    whole = encode([example], tokenizer, 64, TASK)
    assert whole.words is not None
    ids = tokenizer("what was given", "aspirin was given for days")["input_ids"]
    assert whole.input_ids.tolist() == ids
    first = [tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in example.texts[1:]]
    assert whole.input_ids[whole.words.tokens].tolist() == first
    assert whole.labels.tolist() == [[1, 0], [0, 0], [0, 1], [0, 0], [0, 0]]
    short = encode([example], tokenizer, len(ids) - 4, TASK)
    assert short.words is not None
    assert short.words.lost > 0
    assert len(short.input_ids) == len(ids) - 4


def _evaluated(logits: list[list[float]], labels: list[list[int]], sizes: list[int], unread: tuple[int, ...] = ()) -> Any:
    tokens = np.arange(1, len(logits) + 1, dtype=np.int32)
    tokens[list(unread)] = -1
    return evaluate(TASK, np.array(logits), np.array(labels), Words(np.cumsum([0, *sizes]), tokens))


def test_scores_by_hand() -> None:
    start, end = [5.0, 0.0], [0.0, 5.0]
    none = [0.0, 0.0]
    # predicted words 0 to 1 of 0 to 2: two of five words are common twice; the second is right
    result = _evaluated([start, end, none, start, end], [[1, 0], [0, 0], [0, 1], [1, 0], [0, 1]], [3, 2])
    assert result.metrics == {"span_f1": pytest.approx((2 * 2 / 5 + 1) / 2), "exact_match": 0.5}


def test_an_end_is_never_before_its_start() -> None:
    result = _evaluated([[0.0, 9.0], [9.0, 0.0], [0.0, 1.0]], [[0, 0], [1, 0], [0, 1]], [3])
    assert result.metrics["exact_match"] == 1


def test_an_answer_that_is_cut_off_is_missed_and_teaches_nothing() -> None:
    labels = [[1, 0], [0, 1], [0, 0], [1, 1]]
    whole = _evaluated([[9.0, 0.0], [0.0, 9.0], [0.0, 0.0], [9.0, 9.0]], labels, [2, 2], unread=(3,))
    assert whole.metrics["exact_match"] == 0.5
    assert whole.loss == pytest.approx(np.log(1 + np.exp(-9.0)))


def test_words_that_are_not_read_do_not_raise_the_trivial_loss() -> None:
    """Of 250 words of which 100 are read, guessing costs log 100."""
    tokens = np.where(np.arange(250) < 100, np.arange(250), -1).astype(np.int32)
    words, labels = Words(np.array([0, 250]), tokens), np.zeros((250, 2), dtype=np.int64)
    labels[3] = 1
    trivial = TrivialPredictor.of(TASK, labels, labels, words, words)
    assert trivial.train_loss == pytest.approx(np.log(100))
    assert trivial.train_loss == evaluate(TASK, np.zeros((250, 2)), labels, words).loss


def _best_of_all(logits: np.ndarray) -> tuple[int, int]:
    """By all pairs of words, as the formula has it; of equal sums the first start, then the first end."""
    pairs = [(i, j) for i in range(len(logits)) for j in range(i, min(i + 30, len(logits)))]
    sums = [logits[i, 0] + logits[j, 1] for i, j in pairs]
    return pairs[sums.index(max(sums))]


@pytest.mark.parametrize("words", [1, 2, 29, 30, 31, 90])
@given(data=st.data())
@settings(max_examples=15)
def test_the_best_span_is_that_of_all_pairs(words: int, data: st.DataObject) -> None:
    """With few values, so that ties come often, and with words that are not read, not all of them at the end."""
    outputs = data.draw(npst.arrays(np.float32, (words, 2), elements=st.sampled_from([-2.0, -0.5, 0.0, 0.5, 2.0])))
    is_read = data.draw(npst.arrays(np.bool_, words).filter(np.any))
    tokens = np.where(is_read, 1, -1).astype(np.int32)
    predicted, _ = TASK.kind.columns(TASK, outputs, np.zeros((words, 2)), Words(np.array([0, words]), tokens))
    assert tuple(predicted[0]) == _best_of_all(np.where(is_read[:, None], outputs, -np.inf))


def test_the_memory_of_a_long_context_grows_with_its_words_not_with_their_square() -> None:
    words = 2000
    logits = np.random.default_rng(0).normal(size=(words, 2))
    tracemalloc.start()
    TASK.kind.columns(TASK, logits, np.zeros((words, 2)), Words(np.array([0, words]), np.ones(words, dtype=np.int32)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2000 * words  # bytes; a matrix of all pairs alone has 16,000 for each word
