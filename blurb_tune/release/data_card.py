"""What a model's card says of the data that the model has learned from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from blurb_tune.log.record import SweepRecord
from blurb_tune.release.folder import Facts
from blurb_tune.tasks.sources.hub_data import PREFIX

_PAGE = "https://huggingface.co/datasets/"
_NCBI = "CC BY 4.0, as stated by cambridgeltl/MTL-Bioinformatics-2016"
# As those state it who pass the data on; that BigBIO's cards differ is said where they do.
_STATED: Mapping[str, str] = {
    "bc5-chem": f"{_NCBI} (public domain by BigBIO's card)",
    "bc5-disease": f"{_NCBI} (public domain by BigBIO's card)",
    "ncbi-disease": f"{_NCBI} (CC0 1.0 by BigBIO's card)",
    "jnlpba": "annotations CC BY 3.0, as stated by GENIA; abstracts under PubMed's terms",
    "chemprot": "BioCreative VI asks for a registration and states none (public domain by BigBIO's card)",
    "ddi": "CC BY-NC 4.0, as stated by isegura/DDICorpus: not for commercial use",
    "biosses": "GPL v3, as stated by BigBIO's card",
    "hoc": "GPL v3, as stated by sb895/Hallmarks-of-Cancer",
    "pubmedqa": "MIT, as stated by pubmedqa/pubmedqa",
    "ebm-pico": "EBM-NLP states none",
    "demo": "none is needed: invented sentences, which come with blurb-tune",
}


def data_set_of(record: SweepRecord) -> str:
    """`owner/name` of the hub's data set that the sweep has read; empty where it has read another one."""
    source = record.header.data_source
    return "/".join(source.removeprefix(PREFIX).split("/")[:2]) if source.startswith(PREFIX) else ""


def of_the_data(record: SweepRecord, facts: Facts) -> str:
    """Counts, labels, the scale, the license; a paragraph."""
    return " ".join(_sentences(record, facts))


def _sentences(record: SweepRecord, facts: Facts) -> Iterator[str]:
    counts = ", ".join(f"{count:,} {split}" for split, count in record.header.examples.items())
    yield f"Data set {facts.task}" + (f": {counts} examples." if counts else ".")
    if facts.labels:
        yield f"Labels: {', '.join(facts.labels)}."
    if facts.label_range:
        yield f"Scores lie between {facts.label_range[0]:g} and {facts.label_range[1]:g}."
    if record.header.data_digest:
        yield f"SHA-256 of train and dev: `{record.header.data_digest[:16]}`."
    name, stated = data_set_of(record), _STATED.get(facts.task)
    page = f" ([{name}]({_PAGE}{name}))" if name else ""
    if stated:
        yield f"License of the data: {stated}{page}."
    elif name:
        yield f"License of the data: see [{name}]({_PAGE}{name})."
    else:
        yield "License of the data: not known to the sweep; state it here before you publish the model."
