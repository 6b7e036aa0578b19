"""Fast tokenizers of the three common kinds, trained in a moment on a few sentences."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AddedToken, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from blurb_tune.models.tiny import tiny_tokenizer

KINDS = ("wordpiece", "byte-level", "unigram")
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
_CORPUS = [
    "The gene regulates the protein in the cells of the patients with @DISEASE$ and @GENE$.",
    "@CHEMICAL$ inhibits @GENE$ and increases the expression of IL-2 in T cells, but @DRUG$ does not.",
    "A study of 120 patients; treatment (10 mg/kg) reduced the risk of the disease by 30%.",
]


def make_tokenizer(kind: str, *, markers: tuple[str, ...] = ()) -> PreTrainedTokenizerBase:
    """One of KINDS; each of `markers` is one token of its own."""
    tokenizer = tiny_tokenizer() if kind == "wordpiece" else _trained(kind)
    tokenizer.add_tokens([AddedToken(marker, normalized=False) for marker in markers])
    return tokenizer


def _trained(kind: str) -> PreTrainedTokenizerBase:
    if kind == "byte-level":
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=_SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    else:
        backend = Tokenizer(models.Unigram())
        backend.normalizer = normalizers.NFKC()
        backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=_SPECIAL, unk_token="<unk>", show_progress=False)
    backend.train_from_iterator(_CORPUS * 20, trainer)
    ids = {token: backend.token_to_id(token) for token in _SPECIAL}
    backend.post_processor = processors.RobertaProcessing(("</s>", ids["</s>"]), ("<s>", ids["<s>"]), add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        cls_token="<s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=512,
    )
