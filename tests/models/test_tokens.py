"""Added tokens survive every kind of tokenizer in one piece, and nothing else changes."""

from __future__ import annotations

import pickle
import string
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    BertTokenizer,
    DebertaV2Tokenizer,
    MPNetTokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
    XLMRobertaTokenizer,
)

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.models.encoder import Pretrained, build_classifier
from blurb_tune.models.families import FAMILIES
from blurb_tune.models.tiny import tiny_tokenizer
from blurb_tune.models.tokens import add_tokens
from tests.models.encoders import make_pretrained

ENTITIES = ["@GENE$", "@CHEMICAL$", "@CHEM-GENE$"]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
WORDS = ["the", "gene", "Gene", "binds", "to", "anti", "of", "in", "chemical"]


def cased_wordpiece() -> PreTrainedTokenizerBase:
    characters = [*string.ascii_letters, *string.digits, *string.punctuation]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *WORDS, *(f"##{c}" for c in characters)]
    return BertTokenizer(vocab={token: index for index, token in enumerate(tokens)}, do_lower_case=False)


def mpnet() -> PreTrainedTokenizerBase:
    characters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    tokens = [*SPECIAL[:4], "[UNK]", *characters, *WORDS, *(f"##{c}" for c in characters), "<mask>"]
    return MPNetTokenizer(vocab={token: index for index, token in enumerate(tokens)})


def byte_pairs() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Merges that spell out `Ġthe`, `Ġgene` and `binds` from bytes."""
    merges = [
        ("Ġ", "t"),
        ("Ġt", "h"),
        ("Ġth", "e"),
        ("Ġ", "g"),
        ("Ġg", "e"),
        ("n", "e"),
        ("Ġge", "ne"),
        ("b", "i"),
        ("n", "d"),
    ]
    merges += [("bi", "nd"), ("bind", "s")]
    tokens = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), *(one + other for one, other in merges)]
    return {token: index for index, token in enumerate(tokens)}, merges


def roberta() -> PreTrainedTokenizerBase:
    vocabulary, merges = byte_pairs()
    return RobertaTokenizer(vocab=vocabulary, merges=merges)


def modernbert() -> PreTrainedTokenizerBase:
    """Its folder names no tokenizer class: byte-level BPE with BERT's special tokens."""
    vocabulary, merges = byte_pairs()
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, cls_token="<s>", sep_token="</s>", pad_token="<pad>")


def pieces(special: list[str]) -> list[tuple[str, float]]:
    words = [(f"▁{word}", -5.0) for word in WORDS]
    return [*((token, 0.0) for token in special), ("▁", -6.0), *words, *((c, -9.0) for c in string.printable.strip())]


def deberta_v3() -> PreTrainedTokenizerBase:
    return DebertaV2Tokenizer(vocab=pieces(["[PAD]", "[CLS]", "[SEP]", "[UNK]"]), unk_id=3)


def xlm_roberta() -> PreTrainedTokenizerBase:
    return XLMRobertaTokenizer(vocab=pieces(SPECIAL[:4]))


TOKENIZERS: dict[str, tuple[str, Callable[[], PreTrainedTokenizerBase]]] = {
    "uncased WordPiece": ("bert", tiny_tokenizer),
    "cased WordPiece": ("electra", cased_wordpiece),
    "MPNet": ("mpnet", mpnet),
    "RoBERTa": ("roberta", roberta),
    "ModernBERT": ("modernbert", modernbert),
    "DeBERTa-v3": ("deberta-v2", deberta_v3),
    "XLM-RoBERTa": ("xlm-roberta", xlm_roberta),
}
PLAIN = {kind: make() for kind, (_, make) in TOKENIZERS.items()}


@pytest.fixture(params=TOKENIZERS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[0, 2, 9], ids=lambda rows: f"{rows} spare rows")
def spare(request: pytest.FixtureRequest) -> int:
    """Rows of the embedding behind those that the tokenizer uses."""
    return request.param


def new(kind: str, spare: int = 0) -> tuple[Pretrained, PreTrainedTokenizerBase]:
    family, make = TOKENIZERS[kind]
    tokenizer = make()
    return make_pretrained(family, vocab_size=len(tokenizer) + spare), tokenizer


def table(pretrained: Pretrained) -> np.ndarray:
    return pretrained.weights[f"{FAMILIES[pretrained.family].token_table}.weight"]


def ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


SURROUNDINGS = ["{}", "the {} binds", "anti-{}", "Gene{}s", "({}),{}.", "{} {}", "x{}y", "{}/{}-{}", "of\t{}\nin", " {} "]


@pytest.mark.parametrize("text", SURROUNDINGS)
def test_each_token_is_one_id_wherever_it_stands(kind, text):
    pretrained, tokenizer = new(kind)
    known = set(tokenizer.get_vocab())
    add_tokens(pretrained, tokenizer, ENTITIES)
    for entity in ENTITIES:
        number = tokenizer.convert_tokens_to_ids(entity)
        assert entity not in known
        filled = text.replace("{}", entity)
        found = ids(tokenizer, filled)
        assert found.count(number) == text.count("{}")
        around = [token for token in tokenizer.convert_ids_to_tokens(found) if token != entity]
        assert not any(character in token for token in around for character in "@$")


def test_nothing_but_the_token_itself_comes_in_between(kind):
    """BPE would leave the blank before the token as a token of its own; the next word keeps its blank."""
    pretrained, tokenizer = new(kind)
    before, after = ids(tokenizer, "the gene"), ids(tokenizer, "to the")
    add_tokens(pretrained, tokenizer, ENTITIES)
    found = ids(tokenizer, "the gene @GENE$ to the")
    middle = found.index(tokenizer.convert_tokens_to_ids("@GENE$"))
    assert found[:middle] == before
    assert found[middle + 1 :] == (ids(tokenizer, " to the") if kind in ("RoBERTa", "ModernBERT") else after)


def test_words_with_a_blank_before_them_are_those_of_running_text(kind):
    """Without the blank, byte-level BPE takes every word of a list for the end of a word."""
    pretrained, tokenizer = new(kind)
    add_tokens(pretrained, tokenizer, ENTITIES)
    words = ["the", "gene", "@GENE$", "binds", "anti-@GENE$s", "(", "to"]
    encoding = tokenizer([f" {word}" for word in words], is_split_into_words=True, add_special_tokens=False)
    assert encoding["input_ids"] == ids(tokenizer, " " + " ".join(words))
    entity = tokenizer.convert_tokens_to_ids("@GENE$")
    at = [word for word, number in zip(encoding.word_ids(), encoding["input_ids"], strict=True) if number == entity]
    assert at == [2, 4]
    assert encoding.word_ids().count(2) == 1


@given(kind=st.sampled_from(sorted(TOKENIZERS)), text=st.text(max_size=40) | st.text(alphabet="@GENE$ anti-\n", max_size=12))
def test_text_without_the_tokens_is_tokenized_as_before(kind, text):
    pretrained, tokenizer = new(kind)
    add_tokens(pretrained, tokenizer, ENTITIES)
    if not any(entity in text for entity in ENTITIES):
        assert tokenizer(text)["input_ids"] == PLAIN[kind](text)["input_ids"]


def test_rows_are_the_means_of_the_pieces_and_all_others_stay(kind, spare):
    pretrained, tokenizer = new(kind, spare)
    split = {entity: ids(tokenizer, entity) for entity in ENTITIES}
    used, old = len(tokenizer), table(pretrained)
    grown = add_tokens(pretrained, tokenizer, ENTITIES)
    rows = table(grown)
    assert len(rows) == grown.config["vocab_size"] == max(len(old), used + 3) == max(len(old), len(tokenizer))
    numbers = {entity: tokenizer.convert_tokens_to_ids(entity) for entity in ENTITIES}
    assert list(numbers.values()) == [used, used + 1, used + 2]
    for entity, number in numbers.items():
        assert len(split[entity]) > 1
        assert np.allclose(rows[number], sum(old[piece] for piece in split[entity]) / len(split[entity]), atol=1e-6)
    kept = [row for row in range(len(old)) if row not in numbers.values()]
    assert rows[kept].tobytes() == old[kept].tobytes()
    assert rows.dtype == old.dtype
    others = pretrained.weights.keys() - {f"{FAMILIES[pretrained.family].token_table}.weight"}
    assert all(grown.weights[name] is pretrained.weights[name] for name in others)
    assert {k: v for k, v in grown.config.items() if k != "vocab_size"} == {
        k: v for k, v in pretrained.config.items() if k != "vocab_size"
    }


@pytest.mark.parametrize("per_token", [False, True])
def test_the_model_says_the_same_of_text_without_the_tokens(kind, spare, per_token):
    pretrained, tokenizer = new(kind, spare)
    grown = add_tokens(pretrained, tokenizer, ENTITIES)
    logits = []
    for version in (pretrained, pickle.loads(pickle.dumps(grown))):
        model = build_classifier(version, 2, per_token=per_token).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                torch.nan_to_num_(parameter, 0.1)
            logits.append(model(**tokenizer("the gene binds", return_tensors="pt")).logits)
    assert torch.equal(*logits)
    with torch.no_grad():
        assert model(**tokenizer("the @GENE$ binds", return_tensors="pt")).logits.isfinite().all()


def test_adding_again_changes_nothing(kind):
    pretrained, tokenizer = new(kind)
    grown = add_tokens(pretrained, tokenizer, [*ENTITIES, "@GENE$"])
    vocabulary = tokenizer.get_vocab()
    assert add_tokens(grown, tokenizer, ENTITIES) is grown
    assert tokenizer.get_vocab() == vocabulary
    other, other_tokenizer = new(kind)
    assert table(add_tokens(other, other_tokenizer, ENTITIES)).tobytes() == table(grown).tobytes()
    assert other_tokenizer.get_vocab() == vocabulary


def test_a_token_of_the_vocabulary_keeps_its_row_and_is_kept_whole():
    """BERT splits at punctuation before it looks a word up, so it never finds the token unless that is added."""
    tokens = {**tiny_tokenizer().get_vocab()}
    tokens |= {"@GENE$": len(tokens)}
    tokenizer = BertTokenizer(vocab=tokens)
    assert len(ids(tokenizer, "@GENE$")) > 1
    pretrained = make_pretrained("bert", vocab_size=len(tokens))
    assert add_tokens(pretrained, tokenizer, ["@GENE$"]) is pretrained
    assert ids(tokenizer, "anti-@GENE$")[-1:] == [tokens["@GENE$"]]
    grown = add_tokens(pretrained, tokenizer, ["@GENE$", "@DRUG$"])
    assert table(grown)[: len(tokens)].tobytes() == table(pretrained).tobytes()


def test_special_tokens_stay_what_they_are(kind):
    pretrained, tokenizer = new(kind)
    special = tokenizer.special_tokens_map
    assert add_tokens(pretrained, tokenizer, [tokenizer.sep_token]) is pretrained
    assert tokenizer.special_tokens_map == special
    assert ids(tokenizer, f"the{tokenizer.sep_token}") == ids(PLAIN[kind], f"the{tokenizer.sep_token}")


def test_no_tokens_change_nothing(kind):
    pretrained, tokenizer = new(kind)
    assert add_tokens(pretrained, tokenizer, []) is pretrained
    assert tokenizer.get_vocab() == PLAIN[kind].get_vocab()


def test_a_vocabulary_with_a_gap_is_refused():
    """As of a vocab.txt in which a line is there twice: the number of a new token would be that of the last one."""
    known = {**tiny_tokenizer().get_vocab()}
    last = max(known, key=known.__getitem__)
    tokenizer = BertTokenizer(vocab={**known, last: known[last] + 1})
    pretrained = make_pretrained("bert", vocab_size=len(known) + 1)
    with pytest.raises(BlurbTuneError, match=f"a new token gets number {len(known)}, which another one has"):
        add_tokens(pretrained, tokenizer, ["@GENE$"])


def test_a_token_of_nothing_is_refused(kind):
    pretrained, tokenizer = new(kind)
    with pytest.raises(BlurbTuneError, match="the tokenizer makes nothing of the token ''"):
        add_tokens(pretrained, tokenizer, ["@GENE$", ""])
    assert tokenizer.get_vocab() == PLAIN[kind].get_vocab()


def test_a_tokenizer_of_a_larger_model_is_refused():
    tokenizer = tiny_tokenizer()
    with pytest.raises(BlurbTuneError, match=rf"has tokens up to number {len(tokenizer) - 1}, the encoder 50 rows"):
        add_tokens(make_pretrained("bert", vocab_size=50), tokenizer, ENTITIES)


def test_the_tiny_model_learns_them():
    """End to end: a gradient reaches the new row."""
    pretrained = make_pretrained("bert", vocab_size=len(tiny_tokenizer()))
    tokenizer = tiny_tokenizer()
    model = build_classifier(add_tokens(pretrained, tokenizer, ENTITIES), 2)
    with torch.no_grad():
        for parameter in model.parameters():
            torch.nan_to_num_(parameter, 0.1)
    inputs = tokenizer("the @GENE$ binds", return_tensors="pt")
    model(**inputs).logits[0, 0].backward()
    gradient = model.bert.embeddings.word_embeddings.weight.grad
    assert gradient[tokenizer.convert_tokens_to_ids("@GENE$")].any()
    assert not gradient[tokenizer.convert_tokens_to_ids("@CHEMICAL$")].any()
