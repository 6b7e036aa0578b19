"""The model `tiny`: a BERT with random weights and its own tokenizer, made in code, the same on every machine.

It knows nothing and is fast: for tests and for trying out a spec.
"""

from __future__ import annotations

import string

from transformers import BertConfig, BertForSequenceClassification, BertTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.initialization import no_init_weights

from blurb_tune.core.seeds import derive
from blurb_tune.models.catalog import KNOWN_MODELS
from blurb_tune.models.initialization import init_module

TINY = KNOWN_MODELS["tiny"]
# Not that of any trial, whose re-initialized blocks would be the pretrained ones again.
_SEED = derive(0, "tiny")
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

_WORDS = """
a about above across after against age all also although among an analysis and animals any are as assay associated at
be because been before being below between binding both but by can cancer case cause cell cells change changes children
clinical compared concentration conclusion control could data days dependent described detected develop diagnosis did
disease do does dose drug drugs during each early effect effects either encoding evidence expression factor factors few
first five for form found four from function gene genes group groups growth had has have health here high higher how however
human if important in increase increased indicate induced infection inhibition inhibitor into is it its kinase known large
less level levels low lower major many may mechanism mechanisms method methods mice model molecular more most mouse mutant
mutation mutations new no normal not observed of on one only or other our outcome pathway patient patients phosphorylation
positive present previous process protein proteins rate rats receptor reduced regulation related report required response
result results risk role sample samples score sequence several show showed shown signal significant similar site small
some specific stem studies study such suggest target than that the their then there therefore these they this those three
through time tissue to transcription treated treatment trial tumor two type under up use used using was we were when
where whether which while who with within without women years yes yet
"""

_MORPHEMES = """
able ac ad al an anti ase ate ated ation bio carcin card chem cyt de derm dis ed en er es est gen glyc graph hem hepat
hyper hypo ia ic in ine ing inter ion ist itis ity ize ly lys meta micro mono multi my nephr neur nuc oid ol oma onc or
osis oste ous path peri phag phil phos plasm poly pre pro re retro scop st syn therm thromb tic tion tox trans tri trop
un ur vas vir
"""


def build_tiny() -> PreTrainedModel:
    """A BERT classifier with 4 blocks and hidden size 32, on the CPU in fp32."""
    config = BertConfig(
        vocab_size=len(_vocabulary()),
        hidden_size=TINY.hidden_size,
        num_hidden_layers=TINY.blocks,
        num_attention_heads=4,
        intermediate_size=4 * TINY.hidden_size,
        max_position_embeddings=TINY.max_length,
    )
    with no_init_weights():
        model = BertForSequenceClassification(config)
    init_module(model, "", _SEED)
    return model


def tiny_tokenizer() -> PreTrainedTokenizerBase:
    """WordPiece over lower-case ASCII, which spells out what it does not know; other characters become [UNK]."""
    vocabulary = {token: index for index, token in enumerate(_vocabulary())}
    return BertTokenizer(vocab=vocabulary, do_lower_case=True, model_max_length=TINY.max_length)


def _vocabulary() -> list[str]:
    characters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    words = [*characters, *_WORDS.split(), *_MORPHEMES.split()]
    endings = [*string.ascii_lowercase, *string.digits, *_MORPHEMES.split()]
    return list(dict.fromkeys([*_SPECIAL, *words, *(f"##{ending}" for ending in endings)]))
