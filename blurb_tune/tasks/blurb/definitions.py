"""The tasks that a spec can name: the 13 data sets of BLURB (Gu et al. 2021, arXiv 2007.15779), and the built-in `demo`.

The copies on the hub are those of BigBIO (Fries et al. 2022, arXiv 2206.15076), whose scripts make BLURB's splits of eight of
them. The others it has without what BLURB makes of them: documents (HoC), pairs of masked entities (ChemProt, DDI), words with
tags (EBM PICO); and BioASQ wants a registration.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from blurb_tune.core.errors import BlurbTuneError, did_you_mean
from blurb_tune.tasks.data_set import DataSet, HubCopy
from blurb_tune.tasks.kinds import CLASSIFICATION, MULTI_LABEL, REGRESSION, TOKEN_CLASSIFICATION
from blurb_tune.tasks.task import ScoreScale, Task

SPLITS = ("train", "dev", "test")


def _sizes(train: int, dev: int, test: int) -> dict[str, int]:
    return {"train": train, "dev": dev, "test": test}


def _ner(name: str, description: str, mentions: dict[str, int], hub_config: str, **data_set: Any) -> Task:
    return Task(
        name=name,
        kind=TOKEN_CLASSIFICATION,
        metric="entity_f1",
        description=f"named entities: {description}",
        max_length=256,
        labels=("B", "I", "O"),
        fields=("tokens",),
        label_field="ner_tags",
        data_set=DataSet(
            blurb_type="NER",
            published=mentions,
            counted="mentions",
            hub_copy=HubCopy(f"bigbio/blurb/{hub_config}"),
            **data_set,
        ),
    )


def _relation(name: str, description: str, max_length: int, labels: tuple[str, ...], **options: Any) -> Task:
    """The class `0`, no relation, is left out of the score."""
    return Task(
        name=name,
        kind=CLASSIFICATION,
        metric="micro_f1",
        description=f"relation of two masked entities: {description}",
        max_length=max_length,
        labels=("0", *labels),
        left_out=("0",),
        fields=("sentence",),
        **options,
    )


_ALL = (
    _ner(
        "bc5-chem",
        "chemicals in PubMed abstracts",
        _sizes(5203, 5347, 5385),
        "bc5chem",
        folder="BC5CDR-chem",
        aliases=("bc5chem", "bc5cdr-chemical"),
        entity_types=("Chemical", "Chem"),
        examples=_sizes(4560, 4581, 4797),
    ),
    _ner(
        "bc5-disease",
        "diseases in PubMed abstracts",
        _sizes(4182, 4244, 4424),
        "bc5disease",
        folder="BC5CDR-disease",
        aliases=("bc5disease",),
        entity_types=("Disease",),
        examples=_sizes(4560, 4581, 4797),
    ),
    _ner(
        "ncbi-disease",
        "diseases in PubMed abstracts",
        _sizes(5134, 787, 960),
        "ncbi_disease",
        folder="NCBI-disease",
        aliases=("ncbi",),
        entity_types=("Disease", "SpecificDisease", "DiseaseClass", "CompositeMention", "Modifier"),
        examples=_sizes(5424, 923, 940),
    ),
    _ner(
        "bc2gm",
        "genes in PubMed sentences",
        _sizes(15197, 3061, 6325),
        "bc2gm",
        folder="BC2GM",
        aliases=("bc2gm-gene",),
        entity_types=("Gene", "Protein"),
    ),
    _ner(
        "jnlpba",
        "molecules and cells in MEDLINE abstracts, as one class",
        _sizes(46750, 4551, 8662),
        "jnlpba",
        folder="JNLPBA",
        entity_types=("DNA", "RNA", "protein", "cell_line", "cell_type"),
        examples=_sizes(16807, 1739, 3856),
    ),
    Task(
        name="ebm-pico",
        kind=TOKEN_CLASSIFICATION,
        metric="word_macro_f1",
        description="participants, interventions and outcomes in abstracts of clinical trials, word by word",
        max_length=256,
        labels=("PAR", "INT", "OUT", "O"),
        label_aliases={f"{prefix}-{label}": label for prefix in "BI" for label in ("PAR", "INT", "OUT")},
        fields=("tokens",),
        label_field="ner_tags",
        data_set=DataSet(
            folder="EBM-PICO",
            aliases=("pico", "ebmnlp", "ebm-nlp", "ebmnlp_reduced"),
            blurb_type="PICO",
            published=_sizes(339167, 85321, 16364),
            counted="tokens",
        ),
    ),
    _relation(
        "chemprot",
        "how a chemical acts on a gene, in PubMed abstracts",
        256,
        ("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9"),
        label_aliases={"false": "0"},
        markers=("@CHEMICAL$", "@GENE$", "@CHEM-GENE$"),
        data_set=DataSet(
            blurb_type="relation",
            folder="chemprot",
            published=_sizes(18035, 11268, 15745),
        ),
    ),
    _relation(
        "ddi",
        "how two drugs interact, in DrugBank and MEDLINE texts",
        256,
        ("DDI-advise", "DDI-effect", "DDI-int", "DDI-mechanism"),
        label_aliases={"DDI-false": "0"},
        markers=("@DRUG$", "@DRUG-DRUG$"),
        data_set=DataSet(
            blurb_type="relation",
            folder="DDI",
            aliases=("ddi-2013", "ddi2013", "ddi2013-type"),
            published=_sizes(25296, 2496, 5716),
        ),
    ),
    _relation(
        "gad",
        "is a gene associated with a disease, in PubMed abstracts",
        128,
        ("1",),
        markers=("@GENE$", "@DISEASE$"),
        data_set=DataSet(
            blurb_type="relation",
            folder="GAD",
            hub_copy=HubCopy("bigbio/gad/gad_blurb_bigbio_text", {"sentence": "text", "label": "labels"}),
            published=_sizes(4261, 535, 534),
        ),
    ),
    Task(
        name="biosses",
        kind=REGRESSION,
        metric="pearson",
        description="similarity of two biomedical sentences, scored 0 to 4 by experts",
        max_length=128,
        scores=ScoreScale((0.0, 4.0)),
        data_set=DataSet(
            folder="BIOSSES",
            hub_copy=HubCopy("bigbio/biosses/biosses_bigbio_pairs", {"sentence1": "text_1", "sentence2": "text_2"}),
            blurb_type="similarity",
            published=_sizes(64, 16, 20),
        ),
    ),
    Task(
        name="hoc",
        kind=MULTI_LABEL,
        metric="micro_f1",
        description="which of ten hallmarks of cancer does an abstract speak of",
        max_length=512,
        labels=(
            "activating invasion and metastasis",
            "avoiding immune destruction",
            "cellular energetics",
            "enabling replicative immortality",
            "evading growth suppressors",
            "genomic instability and mutation",
            "inducing angiogenesis",
            "resisting cell death",
            "sustaining proliferative signaling",
            "tumor promoting inflammation",
        ),
        fields=("sentence",),
        data_set=DataSet(
            folder="HoC",
            aliases=("hallmarks-of-cancer",),
            blurb_type="document",
            published=_sizes(1295, 186, 371),
        ),
    ),
    Task(
        name="pubmedqa",
        kind=CLASSIFICATION,
        metric="accuracy",
        description="does the abstract answer the question with yes, no or maybe",
        max_length=512,
        labels=("maybe", "no", "yes"),
        data_set=DataSet(
            folder="pubmedqa",
            hub_copy=HubCopy(
                "bigbio/pubmed_qa/pubmed_qa_labeled_fold0_bigbio_qa",
                {"sentence1": "question", "sentence2": "context", "label": "answer"},
            ),
            blurb_type="QA",
            published=_sizes(450, 50, 500),
        ),
    ),
    Task(
        name="bioasq",
        kind=CLASSIFICATION,
        metric="accuracy",
        description="do the snippets answer the question with yes or no",
        max_length=512,
        labels=("no", "yes"),
        data_set=DataSet(
            folder="BioASQ",
            aliases=("bioasq-7b", "bioasq7b"),
            blurb_type="QA",
            published=_sizes(670, 75, 140),
        ),
    ),
    Task(
        name="demo",
        kind=REGRESSION,
        metric="pearson",
        description="similarity of two invented biomedical sentences, scored 0 to 4; needs no data folder",
        max_length=64,
        scores=ScoreScale((0.0, 4.0)),
        data_set=DataSet(
            published=_sizes(96, 48, 48),
            is_builtin=True,
        ),
    ),
)

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _ALL})
BLURB_TYPES = ("NER", "PICO", "relation", "similarity", "document", "QA")
BLURB: tuple[Task, ...] = tuple(task for task in _ALL if task.data_set.blurb_type is not None)


def find_task(name: str) -> Task:
    """The task of this name or alias, in any spelling. Raises BlurbTuneError with the nearest valid name."""
    for task in TASKS.values():
        if task.is_called(name):
            return task
    raise BlurbTuneError(f"unknown task {name!r}{did_you_mean(name, TASKS)}")
