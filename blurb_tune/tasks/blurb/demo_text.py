"""Words and sentence forms of the `demo` task. The statements that they make are invented: none is a medical fact.

Entities are short names, so that runs on the task are quick. A name may be followed by a synonym.
"""

from __future__ import annotations

from dataclasses import dataclass

Entity = tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """A kind of statement: an agent raises or lowers a target in a setting.

    `forms` are ways to say it, each as (raises, lowers). The two of a form differ in as few words as possible, two forms of
    the same direction in as many as possible.
    """

    name: str
    agents: tuple[Entity, ...]
    targets: tuple[Entity, ...]
    settings: tuple[Entity, ...]
    forms: tuple[tuple[str, str], ...]


_GENES: tuple[Entity, ...] = (
    ("p53", "TP53"),
    ("KRAS",),
    ("BRCA",),
    ("EGFR", "EGF receptor"),
    ("MYC",),
    ("PTEN",),
    ("STAT3",),
    ("VEGF",),
    ("SOX2",),
    ("TNF", "tumor necrosis factor"),
    ("IL-6", "interleukin 6"),
    ("AKT",),
    ("CD44",),
    ("BCL2",),
    ("Notch",),
    ("JAK2",),
)
_DRUGS: tuple[Entity, ...] = (
    ("aspirin",),
    ("metformin",),
    ("vitamin D",),
    ("estrogen", "estradiol"),
    ("testosterone",),
    ("rapamycin", "sirolimus"),
    ("zinc",),
    ("iron",),
    ("lithium",),
    ("insulin",),
    ("morphine",),
    ("adrenaline", "epinephrine"),
    ("penicillin",),
    ("caffeine",),
)
_DISEASES: tuple[Entity, ...] = (
    ("asthma",),
    ("skin cancer", "melanoma"),
    ("diabetes",),
    ("breast cancer", "breast tumors"),
    ("seizures", "epilepsy"),
    ("heart failure", "cardiac failure"),
    ("stroke",),
    ("sepsis", "blood poisoning"),
    ("leukemia", "blood cancer"),
    ("malaria",),
    ("depression",),
    ("arthritis", "joint inflammation"),
)
_PROCESSES: tuple[Entity, ...] = (
    ("cell death", "apoptosis"),
    ("protein synthesis",),
    ("vessel growth", "angiogenesis"),
    ("migration", "motility"),
    ("DNA repair",),
    ("glucose uptake",),
    ("proliferation", "cell division"),
    ("hormone release", "hormone secretion"),
    ("differentiation",),
    ("oxidative stress",),
)
_MEASURES: tuple[Entity, ...] = (
    ("blood pressure", "arterial pressure"),
    ("blood glucose", "blood sugar"),
    ("pain", "discomfort"),
    ("tumor size", "tumor volume"),
    ("body weight",),
    ("heart rate", "pulse"),
    ("bone mass",),
    ("kidney function",),
    ("mortality", "death rates"),
    ("body temperature",),
)
_MODELS: tuple[Entity, ...] = (
    ("T cells", "T lymphocytes"),
    ("neurons", "nerve cells"),
    ("white blood cells",),
    ("liver cells", "hepatocytes"),
    ("skin cells",),
    ("stem cells",),
    ("muscle cells",),
    ("mice", "rodents"),
    ("yeast", "yeast cells"),
    ("tumor cells", "cancer cells"),
)
_PEOPLE: tuple[Entity, ...] = (
    ("children", "young patients"),
    ("older adults", "elderly patients"),
    ("pregnant women", "expectant mothers"),
    ("smokers",),
    ("men", "male patients"),
    ("newborns",),
    ("teenagers", "adolescents"),
    ("veterans",),
    ("nurses",),
    ("athletes",),
)

FAMILIES: tuple[Family, ...] = (
    Family(
        "gene regulates process",
        _GENES,
        _PROCESSES,
        _MODELS,
        (
            ("{agent} promotes {target} in {setting}", "{agent} suppresses {target} in {setting}"),
            ("in {setting}, {target} is driven by {agent}", "in {setting}, {target} is restrained by {agent}"),
            ("{setting} lacking {agent} show less {target}", "{setting} lacking {agent} show more {target}"),
            ("loss of {agent} limits {target} of {setting}", "loss of {agent} boosts {target} of {setting}"),
            ("{setting} need {agent} for {target}", "{setting} use {agent} against {target}"),
        ),
    ),
    Family(
        "drug changes measure",
        _DRUGS,
        _MEASURES,
        _PEOPLE,
        (
            ("{agent} raises {target} in {setting}", "{agent} lowers {target} in {setting}"),
            ("{setting} on {agent} have raised {target}", "{setting} on {agent} have reduced {target}"),
            ("higher {target} was seen in {setting} given {agent}", "lower {target} was seen in {setting} given {agent}"),
            ("stopping {agent} decreased {target} of {setting}", "stopping {agent} increased {target} of {setting}"),
            ("{target} went up after {setting} took {agent}", "{target} went down after {setting} took {agent}"),
        ),
    ),
    Family(
        "gene changes risk",
        _GENES,
        _DISEASES,
        _PEOPLE,
        (
            ("{agent} variants increase {target} risk in {setting}", "{agent} variants reduce {target} risk in {setting}"),
            ("{setting} with {agent} mutations are prone to {target}", "{setting} with {agent} mutations resist {target}"),
            ("mutated {agent} exposes {setting} to {target}", "mutated {agent} protects {setting} from {target}"),
            ("{setting} who carry {agent} get more {target}", "{setting} who carry {agent} get less {target}"),
            ("few {setting} with normal {agent} get {target}", "many {setting} with normal {agent} get {target}"),
        ),
    ),
    Family(
        "drug acts on gene",
        _DRUGS,
        _GENES,
        _MODELS,
        (
            ("{agent} activates {target} in {setting}", "{agent} inhibits {target} in {setting}"),
            ("{target} of {setting} is turned on by {agent}", "{target} of {setting} is turned off by {agent}"),
            ("{setting} exposed to {agent} gain {target}", "{setting} exposed to {agent} lose {target}"),
            ("adding {agent} to {setting} increases {target}", "adding {agent} to {setting} decreases {target}"),
            ("treating {setting} with {agent} induces {target}", "treating {setting} with {agent} blocks {target}"),
        ),
    ),
    Family(
        "drug treats disease",
        _DRUGS,
        _DISEASES,
        _PEOPLE,
        (
            ("{agent} worsens {target} in {setting}", "{agent} relieves {target} in {setting}"),
            ("{setting} with {target} do worse on {agent}", "{setting} with {target} do better on {agent}"),
            ("{agent} harms {setting} suffering from {target}", "{agent} helps {setting} suffering from {target}"),
            ("{target} progressed in {setting} given {agent}", "{target} regressed in {setting} given {agent}"),
            ("{agent} makes {target} of {setting} worse", "{agent} makes {target} of {setting} better"),
        ),
    ),
)

HEDGES: tuple[str, ...] = ("perhaps ", "possibly, ", "it may be that ", "some suspect that ")
