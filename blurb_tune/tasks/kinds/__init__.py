"""The kinds of tasks, one module for each. Whichever is imported here is registered, and can be named as `kind` in a spec."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from blurb_tune.core.errors import BlurbTuneError, did_you_mean
from blurb_tune.tasks.data_set import plain_name
from blurb_tune.tasks.kind import Kind
from blurb_tune.tasks.kinds.classification import CLASSIFICATION as CLASSIFICATION
from blurb_tune.tasks.kinds.multi_label import MULTI_LABEL as MULTI_LABEL
from blurb_tune.tasks.kinds.ordinal import ORDINAL as ORDINAL
from blurb_tune.tasks.kinds.regression import REGRESSION as REGRESSION
from blurb_tune.tasks.kinds.spans import SPANS as SPANS
from blurb_tune.tasks.kinds.token_classification import TOKEN_CLASSIFICATION as TOKEN_CLASSIFICATION

KINDS: Mapping[str, Kind] = MappingProxyType({value.name: value for value in globals().values() if isinstance(value, Kind)})


def find_kind(name: str) -> Kind:
    """The kind of this name, or of a word that people use for it, in any spelling. Raises BlurbTuneError with valid names."""
    for kind in KINDS.values():
        if plain_name(name) in map(plain_name, (kind.name, *kind.words)):
            return kind
    words = {plain_name(word): kind.name for kind in KINDS.values() for word in kind.words}
    raise BlurbTuneError(f"unknown kind {name!r}{did_you_mean(name, [*KINDS, *words])}")
