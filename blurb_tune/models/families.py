"""The encoder families: what each calls its modules and what its config calls things. The module itself needs no torch.

Freezing, layer decay, re-initialization, added tokens and the reading of configs all go by these entries, so a new family is
one new entry in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blurb_tune.core.errors import BlurbTuneError


@dataclass(frozen=True)
class BlockLayout:
    """Where a block that norms behind each of its two parts, as BERT's does, keeps what it computes with, by module name.

    Such blocks can be run without padding (`training/engines/packed.py`). Dropouts are modules with a `p`; None for none.
    """

    query: str = "attention.self.query"
    key: str = "attention.self.key"
    value: str = "attention.self.value"
    attention_dropout: str = "attention.self.dropout"
    attention_output: str = "attention.output.dense"
    attention_output_dropout: str | None = "attention.output.dropout"
    attention_norm: str = "attention.output.LayerNorm"
    intermediate: str = "intermediate.dense"
    activation: str = "intermediate.intermediate_act_fn"
    output: str = "output.dense"
    output_dropout: str = "output.dropout"
    output_norm: str = "output.LayerNorm"


@dataclass(frozen=True)
class Family:
    """Where the parameters of a family's classifiers lie, by the names of the modules that hold them.

    A module that a model has not (a token classifier has no pooler in most families) is passed over.

    model_type: the family's name in a Hugging Face config. token_table: the embedding with one row per token. embeddings:
    everything that the lowest block reads, and with it what all blocks share, as that is read from the lowest block on.
    blocks: the list that holds the blocks, counted from 0 there. pooler: what stands between the last block and the classifier
    proper; in some families a part of the head. head: what maps to the task's outputs.
    projection: maps the embeddings to the width of the blocks, where a model has it.
    projections: what makes queries and values, or keys with them, by names in a block.
    beside_first_block: modules outside the list that work with block 1 and share its place; called as f(input of the block,
    its output, ...), they give what block 2 reads.
    tuple_blocks: a block gives a tuple, its output first.
    layout: of blocks like BERT's; None for others.
    padded_positions: position embeddings start behind the padding token's index, which costs usable positions.
    hidden_dropout, attention_dropout: the config's own names for the rates of dropout in embeddings and blocks, and of the
    attention's weights.
    fp32: modules, by their names in a block, that fail in lower precision and so stay in fp32 under autocast.
    checkpointing: transformers can recompute the family's blocks in the backward pass.
    config_keys: the config's own names for num_hidden_layers and hidden_size, where it has any.
    settings: config values that hold whatever the checkpoint says.
    """

    model_type: str
    token_table: str
    embeddings: tuple[str, ...]
    blocks: str
    pooler: tuple[str, ...]
    head: str = "classifier"
    projection: str | None = None
    projections: tuple[str, ...] = ("attention.self.query", "attention.self.value")
    beside_first_block: tuple[str, ...] = ()
    tuple_blocks: bool = False
    layout: BlockLayout | None = None
    padded_positions: bool = False
    hidden_dropout: tuple[str, ...] = ("hidden_dropout_prob",)
    attention_dropout: tuple[str, ...] = ("attention_probs_dropout_prob",)
    fp32: tuple[str, ...] = ()
    checkpointing: bool = True
    config_keys: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def _roberta(model_type: str) -> Family:
    """RoBERTa and its descendants, which differ from it in vocabulary and training only."""
    return Family(
        model_type,
        token_table="roberta.embeddings.word_embeddings",
        embeddings=("roberta.embeddings",),
        blocks="roberta.encoder.layer",
        pooler=("classifier.dense",),
        padded_positions=True,
        layout=BlockLayout(),
    )


FAMILIES: Mapping[str, Family] = {
    family.model_type: family
    for family in (
        Family(
            "bert",
            token_table="bert.embeddings.word_embeddings",
            embeddings=("bert.embeddings",),
            blocks="bert.encoder.layer",
            pooler=("bert.pooler",),
            layout=BlockLayout(),
        ),
        _roberta("roberta"),
        _roberta("xlm-roberta"),
        _roberta("camembert"),
        Family(
            "electra",
            token_table="electra.embeddings.word_embeddings",
            # Embeddings smaller than the hidden states are projected before the first block.
            embeddings=("electra.embeddings", "electra.embeddings_project"),
            projection="electra.embeddings_project",
            blocks="electra.encoder.layer",
            pooler=("classifier.dense",),
            layout=BlockLayout(),
        ),
        Family(
            "deberta",
            token_table="deberta.embeddings.word_embeddings",
            # Every block reads the one table of relative positions.
            embeddings=("deberta.embeddings", "deberta.encoder.rel_embeddings"),
            blocks="deberta.encoder.layer",
            projections=("attention.self.in_proj",),
            pooler=("pooler",),
            tuple_blocks=True,
            # It fills masked scores, in the low precision, with the lowest number of fp32.
            fp32=("attention.self",),
        ),
        Family(
            "deberta-v2",  # v3 as well
            token_table="deberta.embeddings.word_embeddings",
            # Every block reads the one table of relative positions, through the one norm, which is of that table and not,
            # as its name suggests, of the encoder's output.
            embeddings=("deberta.embeddings", "deberta.encoder.rel_embeddings", "deberta.encoder.LayerNorm"),
            blocks="deberta.encoder.layer",
            projections=("attention.self.query_proj", "attention.self.value_proj"),
            # v2's convolution reads the embeddings and is added to the output of block 1.
            beside_first_block=("deberta.encoder.conv",),
            pooler=("pooler",),
            tuple_blocks=True,
        ),
        Family(
            "modernbert",
            token_table="model.embeddings.tok_embeddings",
            embeddings=("model.embeddings",),
            blocks="model.layers",
            projections=("attn.Wqkv",),
            # Blocks norm their input, so a last norm stands behind them. Like any layer on top of the encoder it is trained
            # whatever is frozen, and re-initialized (to ones) with the block whose output it norms. `head` is pretrained,
            # unlike the dense layers of other heads, and a token classifier has it too.
            pooler=("model.final_norm", "head"),
            hidden_dropout=("embedding_dropout", "mlp_dropout"),
            attention_dropout=("attention_dropout",),
        ),
        Family(
            "distilbert",
            token_table="distilbert.embeddings.word_embeddings",
            embeddings=("distilbert.embeddings",),
            blocks="distilbert.transformer.layer",
            projections=("attention.q_lin", "attention.v_lin"),
            pooler=("pre_classifier",),
            layout=BlockLayout(
                query="attention.q_lin",
                key="attention.k_lin",
                value="attention.v_lin",
                attention_dropout="attention.dropout",
                attention_output="attention.out_lin",
                attention_output_dropout=None,
                attention_norm="sa_layer_norm",
                intermediate="ffn.lin1",
                activation="ffn.activation",
                output="ffn.lin2",
                output_dropout="ffn.dropout",
                output_norm="output_layer_norm",
            ),
            hidden_dropout=("dropout",),
            attention_dropout=("attention_dropout",),
            config_keys={"num_hidden_layers": "n_layers", "hidden_size": "dim"},
        ),
        Family(
            "mpnet",
            token_table="mpnet.embeddings.word_embeddings",
            # Every block adds the same biases for relative positions to its attention.
            embeddings=("mpnet.embeddings", "mpnet.encoder.relative_attention_bias"),
            blocks="mpnet.encoder.layer",
            projections=("attention.attn.q", "attention.attn.v"),
            pooler=("classifier.dense",),
            tuple_blocks=True,
            padded_positions=True,
            checkpointing=False,
        ),
        Family(
            "big_bird",
            token_table="bert.embeddings.word_embeddings",
            embeddings=("bert.embeddings",),
            blocks="bert.encoder.layer",
            # The classifiers carry the encoder's pooler and do not use it: it never has a gradient.
            pooler=("classifier.dense", "bert.pooler"),
            # Sparse attention turns itself into full attention, for good, at the first short batch, and draws its blocks from
            # numpy's global generator: a trial's numbers would depend on what its slot has seen before.
            settings={"attention_type": "original_full"},
        ),
    )
}

_UNSUITABLE: Mapping[str, str] = {
    "albert": "all its blocks share one set of weights, so they cannot be frozen, re-initialized or given learning rates one "
    "by one; name a model whose blocks have weights of their own, such as 'bert-base' or 'electra-base'",
}


def family_of(model_type: str) -> Family:
    """The entry for a Hugging Face `model_type`. Raises BlurbTuneError for a family without one."""
    if model_type in _UNSUITABLE:
        raise BlurbTuneError(f"model family {model_type!r} is not supported: {_UNSUITABLE[model_type]}")
    if model_type not in FAMILIES:
        raise BlurbTuneError(
            f"model family {model_type!r} is not supported (supported: {', '.join(FAMILIES)}); "
            "how to add one is in docs/architecture.md under 'A further model family'"
        )
    return FAMILIES[model_type]
