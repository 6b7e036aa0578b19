"""Reading a spec and turning everything that is wrong with it into problems with a location and a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import TypeAliasType

from blurb_tune.core.errors import InputError, Problem, did_you_mean
from blurb_tune.core.garbage import no_garbage_collection
from blurb_tune.core.paths import expand_home, whole_address, whole_path
from blurb_tune.spec.dimensions import DIMENSION_TAGS, MAX_NUMBER
from blurb_tune.spec.documents import shorten
from blurb_tune.spec.earlier import modernize
from blurb_tune.spec.pruning import PRUNERS
from blurb_tune.spec.schema import SweepSpec
from blurb_tune.spec.source import Key, KeyPath, Source, format_path, read_source, source_of
from blurb_tune.spec.task import TaskSpec

_WHOLE = ("int_type", "int_from_float")
_EXPECTED = {
    **dict.fromkeys(_WHOLE, "expected a whole number"),
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "string_type": "expected text",
    "list_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "finite_number": "expected a finite number",
    "too_short": "expected at least one item",
    "string_too_short": "expected text that is not empty",
}
UNKNOWN = "unknown"
_OF_THE_USER = "x-"  # keys that hold what is repeated elsewhere, as in Compose files
_MOST_PROBLEMS = 100
_NOTHING = object()
_TAGS = DIMENSION_TAGS | PRUNERS.keys() | {"named", "custom"}


@dataclass(frozen=True)
class LoadedSpec:
    """A spec and where its parts stand.

    With problems, `spec` holds what is left when the faulty parts fall back to their defaults, so that the rest can still be
    checked against data, model and machine. A task or model that is missing is then `UNKNOWN`. untold: problems that are not
    in `problems`, because there are so many.
    """

    spec: SweepSpec
    source: Source
    problems: tuple[Problem, ...]
    untold: int = 0

    @property
    def base(self) -> Path:
        """The folder at which relative paths of the spec begin."""
        return _base(self.spec, self.source)

    def valid(self) -> SweepSpec:
        """The spec. Raises InputError when there are problems."""
        if self.problems:
            raise self.error(self.problems)
        return self.spec

    def error(self, problems: Sequence[Problem]) -> InputError:
        """These problems as one error, in order; of very many the first, and how many more there are."""
        found = sort_problems(problems, self.source.file)
        untold = self.untold + len(found[_MOST_PROBLEMS:])
        rest = [Problem(str(self.source.file), f"{untold:,} more problems are not listed")] if untold else []
        return InputError([*found[:_MOST_PROBLEMS], *rest])


@no_garbage_collection()
def load_spec(
    file: Path | Mapping[str, Any], overrides: Sequence[str] = (), *, prefix: str = "--set ", is_kept: bool = False
) -> LoadedSpec:
    """Read and validate a spec, a YAML file or what one would hold, with `key.path=value` overrides.

    Raises InputError when it is no mapping. prefix: before an override, where a fault of it is placed. is_kept: it is that of
    a sweep that is there, which an earlier version may have written.
    """
    source = source_of(file, overrides, prefix) if isinstance(file, Mapping) else read_source(file, overrides, prefix)
    file = source.file
    if is_kept:
        modernize(source.data)
    # What is faulty is dropped from the mapping or from one of its sections; what lies deeper is only read.
    settings = {key: value for key, value in source.data.items() if not str(key).startswith(_OF_THE_USER)}
    data = {key: dict(value) if isinstance(value, dict) else value for key, value in settings.items()}
    data.setdefault("name", file.stem)
    problems: list[Problem] = []
    untold = 0
    for path in source.beyond:
        _drop(data, path)
        _fill_in(data)
    while True:
        try:
            spec = SweepSpec.model_validate(data)
            return LoadedSpec(
                _with_whole_addresses(spec, source), source, sort_problems(source.problems + problems, file), untold
            )
        except ValidationError as error:
            details = error.errors(include_url=False)
            faults = [(_path(data, detail["loc"]), detail) for detail in details]
            problems += [_problem(source, path, detail) for path, detail in faults[:_MOST_PROBLEMS]]
            untold += len(faults[_MOST_PROBLEMS:])
            before = _settings(data)
            for path, _ in faults:
                _drop(data, path)
            if _settings(data) == before:  # nothing that is there is at fault by itself
                data.clear()
            _fill_in(data)


def _base(spec: SweepSpec, source: Source) -> Path:
    return source.file.parent / expand_home(spec.base or "")


def _with_whole_addresses(spec: SweepSpec, source: Source) -> SweepSpec:
    """With the places that a sweep writes to by their whole paths: what it reads has its name in the log."""
    base, tracking = _base(spec, source), spec.tracking
    stores = {name: uri and whole_address(uri, base) for name, uri in tracking if name in ("uri", "study_url")}
    storage = spec.storage and whole_path(spec.storage, base)
    return spec.model_copy(update={"storage": storage, "tracking": tracking.model_copy(update=stores)})


def _settings(data: dict[str, Any]) -> int:
    return len(data) + sum(len(section) for section in data.values() if isinstance(section, dict))


def _fill_in(data: dict[str, Any]) -> None:
    for name in ("name", "task", "model"):
        data.setdefault(name, UNKNOWN)


def sort_problems(problems: Sequence[Problem], file: Path) -> tuple[Problem, ...]:
    """Without repetitions; those of the spec's `file` in the order of its lines, then the others as they come."""

    def line(problem: Problem) -> tuple[bool, int]:
        file_name, _, number = problem.where.rpartition(":")
        is_line = file_name == str(file) and number.isdigit()
        return (not is_line, int(number) if is_line else 0)

    return tuple(sorted(dict.fromkeys(problems), key=line))


def _path(data: Any, location: Sequence[Key]) -> KeyPath:
    """pydantic's location without the tags of unions, which stand for no key of the file."""
    path: list[Key] = []
    for index, key in enumerate(location):
        inner = _child(data, key)
        is_last = index == len(location) - 1
        if key in _TAGS and not is_last and _child(data, location[index + 1]) is not _NOTHING:
            continue  # the tag of a choice, not its key of the same name
        if inner is _NOTHING:
            if key in _TAGS or not is_last or isinstance(data, list):
                continue
        else:
            data = inner
        path.append(key)
    return tuple(path)


def _child(data: Any, key: Key) -> Any:
    if isinstance(data, dict):
        return data.get(key, _NOTHING)
    if isinstance(data, list) and isinstance(key, int) and key < len(data):
        return data[key]
    return _NOTHING


def _problem(source: Source, path: KeyPath, detail: ErrorDetails) -> Problem:
    location = source.where(path)
    kind, context, given = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "extra_forbidden":
        key = str(path[-1])
        hint = f"; did you mean {places[0]!r}?" if (places := _places_of(key)) else did_you_mean(key, _valid_keys(path[:-1]))
        return Problem(location, shorten(f"unknown key {format_path(path)!r}{hint}"))
    if kind == "missing":
        return Problem(location, f"the key {format_path(path)!r} is missing")
    if kind == "literal_error":
        return source.problem(path, f"unknown value {given!r}{_literal_hint(given, str(context['expected']))}")
    if kind == "union_tag_invalid":
        name = str(context["tag"])
        if name in DIMENSION_TAGS:
            return source.problem(path, f"expected a value or a choice `[a, b]`, but got {given!r}")
        return source.problem(path, f"unknown pruner {name!r}{did_you_mean(name, PRUNERS)}")
    if kind == "too_long":
        return source.problem(path, f"expected at most {context['max_length']:,} items, but got {len(given):,}")
    if kind == "value_error":
        return source.problem(path, str(context["error"]))
    expected = _EXPECTED.get(kind) or detail["msg"].replace("Input should", "must").replace("List should", "the list must")
    return source.problem(path, f"{expected}, but got {given!r}{_remedy(path, kind, given)}")


def _remedy(path: KeyPath, kind: str, given: Any) -> str:
    if kind in _WHOLE and isinstance(given, float) and given.is_integer() and abs(given) <= MAX_NUMBER:
        return f"; write {int(given)}"
    if path[:2] == ("space", "strategy") and isinstance(given, list | dict):
        return f"; a strategy has one value: list several, or leave `strategy` out and search `space.{path[-1]}`"
    return ""


def _literal_hint(given: Any, expected: str) -> str:
    names = [name.strip(" '") for name in expected.replace(" or ", ",").split(",")]
    return did_you_mean(str(given), names)


def _valid_keys(path: KeyPath) -> set[str]:
    """The keys that a section may have, for the nearest valid name."""
    candidates: list[type[BaseModel]] = [SweepSpec]
    for key in path:
        if isinstance(key, int):
            continue
        fields = [model.model_fields[key] for model in candidates if key in model.model_fields]
        candidates = [model for field in fields for model in _models_in(field.annotation)]
    return {name for model in candidates for name in model.model_fields}


def _places_of(key: str) -> list[str]:
    """Where a key stands, by its path, at the top or in a section there."""
    sections = {name: model for name in SweepSpec.model_fields if (model := _section({"task": {}}, name)) is not None}
    top = [key] if key in SweepSpec.model_fields else []
    return top + [f"{name}.{key}" for name, model in sections.items() if key in model.model_fields]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    alias = get_origin(annotation)
    for argument in get_args(alias.__value__ if isinstance(alias, TypeAliasType) else annotation):
        yield from _models_in(argument)


def _drop(data: Any, path: KeyPath) -> None:
    """Take the faulty part out: a whole setting, so that what is left of it is not a fault of its own."""
    if not path:
        data.clear()
        return
    section = _section(data, path[0])
    has_key = isinstance(data.get(path[0]), dict) and len(path) > 1 and path[1] in data[path[0]]
    if section is not None and has_key and not _is_required(section, path[1]):
        del data[path[0]][path[1]]
    else:
        data.pop(path[0], None)


def _section(data: Any, name: Key) -> type[BaseModel] | None:
    """The model of a setting that is a section of settings of its own, as `task` can be."""
    if name == "task" and isinstance(data.get(name), dict):
        return TaskSpec
    setting = SweepSpec.model_fields.get(str(name))
    annotation: Any = setting.annotation if setting is not None else None
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _is_required(section: type[BaseModel], name: Key) -> bool:
    field = section.model_fields.get(str(name))
    return field is not None and field.is_required()
