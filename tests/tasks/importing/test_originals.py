"""Files as the makers of the data sets, and BLUE, have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blurb_tune.core.errors import InputError
from blurb_tune.tasks.blurb.definitions import TASKS
from blurb_tune.tasks.importing.copying import import_data_sets
from blurb_tune.tasks.importing.foreign import find_data_sets

SPLITS = ("train", "dev", "test")
_FLAGS = ",".join(f"{index}_{int(index == 3)}" for index in range(10))
_NONE = ",".join(f"{index}_0" for index in range(10))

ORIGINALS = {
    "pubmedqa": (
        "json",
        json.dumps({"7": {"QUESTION": "Does it?", "CONTEXTS": ["We tried.", "It did."], "final_decision": "yes"}}, indent=2),
        [{"id": "7", "sentence1": "Does it?", "sentence2": "We tried. It did.", "label": "yes"}],
    ),
    "bioasq": (
        "json",
        json.dumps(
            {
                "questions": [
                    {
                        "id": "a",
                        "type": "yesno",
                        "body": "Is it?",
                        "snippets": [{"text": "So."}, {"text": "It is."}],
                        "exact_answer": "Yes",
                    },
                    {"id": "b", "type": "factoid", "body": "What is it?", "snippets": [], "exact_answer": [["that"]]},
                ]
            },
            indent=2,
        ),
        [{"id": "a", "sentence1": "Is it?", "sentence2": "So. It is.", "label": "yes"}],
    ),
    "biosses": (
        "tsv",
        "\t".join(("index", "genre", "old_index", "source1", "source2", "sentence1", "sentence2", "score"))
        + '\n0\tx\tx\tx\tx\tA "so-called" one.\tTwo.\t3.2\n',
        [{"id": "1", "sentence1": 'A "so-called" one.', "sentence2": "Two.", "label": 3.2}],
    ),
    "hoc": (
        "tsv",
        f"index\tsentence1\tlabels\n12_s0\tIt grows.\t{_FLAGS}\n12_s1\tIt spreads.\t{_NONE}\n13_s0\tNothing.\t{_NONE}\n",
        [
            {"id": "12", "sentence": "It grows. It spreads.", "label": [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]},
            {"id": "13", "sentence": "Nothing.", "label": [0] * 10},
        ],
    ),
    "gad": ("tsv", "@GENE$ and @DISEASE$.\t1\nNot @GENE$ but @DISEASE$.\t0\n", None),
    "ddi": ("tsv", "index\tsentence\tlabel\n1\t@DRUG$ and @DRUG$.\tDDI-false\n2\t@DRUG$ with @DRUG$.\tDDI-int\n", None),
}


@pytest.mark.parametrize("name", ORIGINALS)
def test_originals_become_blurb_s_files(name: str, tmp_path: Path) -> None:
    ending, content, expected = ORIGINALS[name]
    for split in SPLITS:
        (tmp_path / f"{split}.{ending}").write_text(content)
    found, _ = find_data_sets(tmp_path, TASKS[name])
    (imported,) = import_data_sets(found, tmp_path / "blurb", lambda what: None)
    lines = [json.loads(line) for line in (imported.folder / "dev.jsonl").read_text().splitlines()]
    assert expected is None or lines == expected
    assert [line["label"] for line in lines] == {"gad": ["1", "0"], "ddi": ["0", "DDI-int"]}.get(
        name, [line["label"] for line in lines]
    )


def test_blue_s_name_of_ddi_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "ddi2013-type"
    folder.mkdir()
    for split in SPLITS:
        (folder / f"{split}.tsv").write_text(ORIGINALS["ddi"][1])
    ((found,), strangers) = find_data_sets(tmp_path)
    assert (found.task.name, strangers) == ("ddi", [])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            f"index\tsentence1\tlabels\n12_s0\tIt grows.\t{_FLAGS}\n12_s1\tIt spreads.\t\n13_s0\tNo.\t0_0,1_0\n",
            [
                ':3: `labels` must have all ten hallmarks, as in 0_0,1_0,2_1,...,9_0, but got ""',
                ':4: `labels` must have all ten hallmarks, as in 0_0,1_0,2_1,...,9_0, but got "0_0,1_0"',
            ],
        ),
        (
            f"index\tsentence1\tlabels\n12_s0\tIt grows.\t\n12_s1\tIt spreads.\t{_NONE}\n",
            [':2: `labels` must have all ten hallmarks, as in 0_0,1_0,2_1,...,9_0, but got ""'],
        ),
        (f"key\tsentence1\tlabels\n12_s0\tIt grows.\t{_FLAGS}\n", [":2: `index` is missing"]),
        (f"index\ttext\tlabels\n12_s0\tIt grows.\t{_FLAGS}\n", [": there is no column 'sentence'"]),
    ],
)
def test_faults_of_blue_s_documents_are_told_with_their_rows(content: str, expected: list[str], tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.tsv").write_text(ORIGINALS["hoc"][1])
    (tmp_path / "dev.tsv").write_text(content)
    found, _ = find_data_sets(tmp_path, TASKS["hoc"])
    with pytest.raises(InputError) as error:
        import_data_sets(found, tmp_path / "blurb", lambda what: None)
    told = [str(problem).removeprefix(f"{tmp_path}/dev.tsv") for problem in error.value.problems]
    assert all(text.startswith(start) for text, start in zip(told, expected, strict=False))
    assert len(told) >= len(expected)
