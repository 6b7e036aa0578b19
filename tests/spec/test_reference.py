from __future__ import annotations

from pathlib import Path

from blurb_tune.spec.reference import reference

PAGE = Path(__file__).parent.parent.parent / "docs" / "spec.md"


def test_the_page_on_all_settings_is_up_to_date() -> None:
    """If this fails: `python -m blurb_tune.spec.reference > docs/spec.md`."""
    assert PAGE.read_text() == reference()


def test_every_setting_says_what_it_means() -> None:
    for line in reference().splitlines():
        if line.startswith("| `"):
            assert len(line.split(" | ")[-1].strip(" |")) > 8, line
