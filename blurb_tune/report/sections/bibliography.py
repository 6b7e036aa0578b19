"""The papers whose methods a report may rest on. A field that is not known is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from blurb_tune.techniques.registry import TECHNIQUES


@dataclass(frozen=True)
class Paper:
    """kind: of the BibTeX entry. fields: by BibTeX's names."""

    kind: str
    author: str
    year: int
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def short_name(self) -> str:
        """How a sentence names it, such as `Welch 1947`."""
        if not self.author:
            return f"{self.fields['title']} {self.year}"
        names = [name.partition(",")[0] for name in self.author.split(" and ")]
        if names[-1] == "others" or len(names) > 2:
            return f"{names[0]} et al. {self.year}"
        return f"{' and '.join(names)} {self.year}"


def _arxiv(author: str, year: int, number: str, **fields: str) -> Paper:
    return Paper("misc", author, year, {"eprint": number, "archiveprefix": "arXiv", **fields})


def _article(author: str, year: int, journal: str, volume: str, pages: str) -> Paper:
    return Paper("article", author, year, {"journal": journal, "volume": volume, "pages": pages})


PAPERS: Mapping[str, Paper] = {
    **{of.key: _arxiv(of.author, of.year, of.eprint) for of in (technique.citation for technique in TECHNIQUES)},
    "tinn2023": Paper(
        "article",
        "Tinn and Cheng and Gu and Usuyama and Liu and Naumann and Gao and Poon",
        2023,
        {
            "title": "Fine-tuning large neural language models for biomedical natural language processing",
            "journal": "Patterns",
            "volume": "4",
            "number": "4",
            "pages": "100729",
            "eprint": "2112.07869",
            "archiveprefix": "arXiv",
        },
    ),
    "mosbach2021": _arxiv("Mosbach and others", 2021, "2006.04884"),
    "dodge2019": _arxiv("Dodge and others", 2019, "1909.03004"),
    "dodge2020": _arxiv("Dodge and others", 2020, "2002.06305"),
    "gu2021": _arxiv("Gu and others", 2021, "2007.15779"),
    "adastop2023": _arxiv("", 2023, "2306.10882", title="AdaStop"),
    "wortsman2022": _arxiv("Wortsman and others", 2022, "2203.05482"),
    "watanabe2023": _arxiv("Watanabe and others", 2023, "2304.10255"),
    "lan1983": Paper("misc", "Lan and DeMets", 1983),
    "phipson2010": _article(
        "Phipson and Smyth", 2010, "Statistical Applications in Genetics and Molecular Biology", "9", "39"
    ),
    "koehn2004": Paper("misc", "Koehn", 2004, {"title": "Statistical significance tests for machine translation evaluation"}),
    "holm1979": _article("Holm", 1979, "Scandinavian Journal of Statistics", "6", "65"),
    "welch1947": _article("Welch", 1947, "Biometrika", "34", "28"),
    "wilson1927": _article("Wilson", 1927, "Journal of the American Statistical Association", "22", "209"),
    "brunner2000": _article("Brunner and Munzel", 2000, "Biometrical Journal", "42", "17"),
    "fisher1921": _article("Fisher", 1921, "Metron", "1", "3"),
    "bonett2000": _article("Bonett and Wright", 2000, "Psychometrika", "65", "23"),
    "zou2007": _article("Zou", 2007, "Psychological Methods", "12", "399"),
}


def bibtex(keys: Iterable[str]) -> str:
    """The entries of these keys, in this order."""
    entries = []
    for key in dict.fromkeys(keys):
        of = PAPERS[key]
        fields = {**({"author": of.author} if of.author else {}), **of.fields, "year": str(of.year)}
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
        entries.append(f"@{of.kind}{{{key},\n{lines}\n}}")
    return "\n\n".join(entries) + "\n"
