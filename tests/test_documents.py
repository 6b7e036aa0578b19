"""README and docs: every command is one that there is, those that only read are run, every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click
import pytest
import typer
import yaml
from typer.testing import CliRunner

import blurb_tune
from blurb_tune.cli.app import app
from blurb_tune.log.lines import to_line
from blurb_tune.preflight import make_plan
from blurb_tune.spec import load_spec
from tests.report.comparison.examples import FREEZE, REINIT, VANILLA, numbered, written

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
READ_ONLY = {"validate", "report", "compare", "tasks", "models", "score", "replay"}
SWEEPS = {
    "quickstart-1a2b3c4d": "demo",
    "my-sweep-1a2b3c4d": "biosses",
    "biosses-1a2b3c4d": "biosses",
    "ddi-5e6f7a8b": "ddi",
    "other-5e6f7a8b": "hoc",
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands() -> Iterator[tuple[str, list[str]]]:
    """The page and the words of each blurb-tune command, comments and placeholders left out."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                for part in re.split(r"&&|;|\|", line.split(" #")[0]):
                    words = shlex.split(part.replace("<head>", "head"))
                    if words and words[0].endswith("blurb-tune"):
                        yield page.name, words[1:]


COMMANDS = list(commands())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages speak of: sweeps, a spec, recorded curves, scores."""
    folder = tmp_path_factory.mktemp("documents")
    scores = {"c000": VANILLA, "c001": FREEZE, "c003": REINIT}
    for name, task in SWEEPS.items():
        levels = {
            of: (values, numbered(*(0.1 * k + i / 5 for i in range(5)))) for k, (of, values) in enumerate(scores.items())
        }
        run = folder / "runs" / name
        run.mkdir(parents=True)
        log = written(name.rpartition("-")[0], levels, task=task, sweep_id=name)
        (run / "events.jsonl").write_text("".join(f"{to_line(event)}\n" for event in log.events))
        (run / "spec.yaml").write_text(f"task: {task}\nmodel: minilm\n")
    (folder / "my-sweep.yaml").write_text("task: demo\nmodel: minilm\n")
    (folder / "results.csv").write_text("dataset,score\nbiosses,90\n")
    for suffix in ("csv", "json"):
        (folder / f"curves.{suffix}").write_bytes((ROOT / "benchmarks" / "curves" / f"ddi-minilm.{suffix}").read_bytes())
    (folder / "sweeps").symlink_to(ROOT / "sweeps")
    (folder / "benchmarks").symlink_to(ROOT / "benchmarks")
    return folder


def test_there_are_commands_on_the_pages() -> None:
    assert {"README.md", "first-sweep.md", "comparing.md", "report.md", "operations.md"} <= {page for page, _ in COMMANDS}


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=[f"{page}: {' '.join(words)}" for page, words in COMMANDS])
def test_every_command_is_one_that_there_is(page: str, words: list[str]) -> None:
    group = cast(click.Group, typer.main.get_command(app))
    context = click.Context(group)
    name, command, rest = group.resolve_command(context, words)
    assert command is not None
    command.make_context(name, list(rest), resilient_parsing=True)
    assert [word for word in rest if word.startswith("-") and word.split("=")[0] not in _options(command)] == []


def _options(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


READING = [
    (page, words) for page, words in COMMANDS if words[0] in READ_ONLY and "--watch" not in words and "--open" not in words
]


@pytest.mark.parametrize(("page", "words"), READING, ids=[f"{page}: {' '.join(words)}" for page, words in READING])
def test_what_only_reads_is_run(page: str, words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    globbed = [str(path) for word in words for path in (sorted(Path().glob(word)) if "*" in word else [word])]
    globbed = ["2" if before == "--shuffles" else word for before, word in zip(["", *globbed], globbed, strict=False)]
    done = CliRunner().invoke(app, globbed)
    expected = 1 if words[0] == "score" else 0  # a table of one data set has no BLURB score
    assert done.exit_code == expected, done.output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_of_the_pages_runs_or_compiles(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What trains or loads weights is compiled; `tests/api` runs a sweep."""
    monkeypatch.chdir(folder)
    names: dict[str, object] = {"bt": blurb_tune}
    for code in blocks(page, "python"):
        compiled = compile(code, str(page), "exec")
        if "bt.run(" not in code and "transformers" not in code:
            exec(compiled, names)


def test_links_lead_somewhere() -> None:
    broken = []
    for page in [*PAGES, ROOT / "benchmarks" / "README.md", ROOT / "cluster" / "README.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


@pytest.mark.parametrize("example", blocks(ROOT / "README.md", "yaml"), ids=lambda example: example.splitlines()[0])
def test_specs_of_the_readme_are_valid(example: str, tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("note,urgent\n")
    (tmp_path / "spec.yaml").write_text(example)
    assert make_plan(load_spec(tmp_path / "spec.yaml"), check_machine=False).configurations > 1


def test_the_tutorial_shows_the_spec_that_it_runs() -> None:
    (shown,) = blocks(ROOT / "docs" / "first-sweep.md", "yaml")
    assert yaml.safe_load(shown) == yaml.safe_load((ROOT / "sweeps" / "quickstart.yaml").read_text())


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == blurb_tune.__version__
    assert (ROOT / "LICENSE").read_text().splitlines()[1].strip() == "Apache License"
