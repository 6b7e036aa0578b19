"""How several runs become one model."""

from __future__ import annotations

from enum import StrEnum

from blurb_tune.core.errors import InputError, Problem, did_you_mean


class Method(StrEnum):
    """SINGLE: the best run alone, beside which the others stand. GREEDY_SOUP, UNIFORM_SOUP: the mean of the weights of those
    that do not lower the dev score, or of all (Wortsman et al. 2022, arXiv 2203.05482, section 2). ENSEMBLE: the mean of
    outputs."""

    SINGLE = "best single run"
    GREEDY_SOUP = "greedy soup"
    UNIFORM_SOUP = "uniform soup"
    ENSEMBLE = "ensemble"

    @property
    def is_soup(self) -> bool:
        return self in (Method.GREEDY_SOUP, Method.UNIFORM_SOUP)


_SOUPS = {"greedy": Method.GREEDY_SOUP, "uniform": Method.UNIFORM_SOUP}


def method_of(soup: str | None, *, ensemble: bool) -> Method:
    """What these options choose: a soup of that kind, an ensemble, or neither. Raises InputError where that is none."""
    if soup is None:
        return Method.ENSEMBLE if ensemble else Method.SINGLE
    if ensemble:
        raise InputError([Problem("--ensemble", "is another model than a soup; leave --soup out, or this")])
    if soup not in _SOUPS:
        raise InputError([Problem("--soup", f"unknown soup {soup!r}{did_you_mean(soup, _SOUPS)}")])
    return _SOUPS[soup]
