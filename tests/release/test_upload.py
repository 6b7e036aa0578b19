"""The hub's protocol, by the real client, against a small server that keeps what it is sent."""

from __future__ import annotations

import pytest
from huggingface_hub import constants

from blurb_tune.core.errors import BlurbTuneError, InputError
from blurb_tune.release.loading import load_model
from blurb_tune.release.onward import Onward
from blurb_tune.release.upload import check_upload, upload
from tests.release.conftest import MakeModel
from tests.release.hub import NAME, TOKEN, Hub


def test_what_is_uploaded_is_the_folder_for_its_owner_s_eyes(hub: Hub, make_model: MakeModel) -> None:
    folder = make_model()
    check_upload(NAME)
    assert upload(folder, NAME) == f"{hub.address}/{NAME}"
    assert hub.private == {NAME}
    assert hub.messages == ["Run c1-s0 of the sweep ab12cd"]
    files = hub.repositories[NAME]
    assert {name: content for name, content in files.items() if name != ".gitattributes"} == {
        file.name: file.read_bytes() for file in folder.iterdir()
    }
    assert list(hub.stored.values()) == [files["model.safetensors"]], "weights go the way of large files"
    again = make_model(name="again")
    for name, content in files.items():
        (again / name).write_bytes(content)
    load_model(again)


def test_a_repository_with_files_is_left_alone_and_an_empty_one_is_filled(hub: Hub, make_model: MakeModel) -> None:
    hub.repositories[NAME] = {".gitattributes": b""}
    hub.private.add(NAME)
    check_upload(NAME)
    upload(make_model(), NAME)
    before = dict(hub.repositories[NAME])
    with pytest.raises(InputError, match=f"there is {NAME} already, with {len(before) - 1} files; name another"):
        check_upload(NAME)
    assert hub.repositories[NAME] == before


def test_nothing_goes_to_a_public_repository(hub: Hub, make_model: MakeModel) -> None:
    hub.repositories[NAME] = {".gitattributes": b""}
    with pytest.raises(InputError, match=f"there is {NAME} already, and it is public: make it private there"):
        check_upload(NAME)
    with pytest.raises(BlurbTuneError, match=f"--push {NAME}: it is public: make it private there, or name another"):
        upload(make_model(), NAME)
    assert hub.repositories == {NAME: {".gitattributes": b""}}


@pytest.mark.parametrize(("status", "said"), [(403, "this token may not write there"), (402, "the hub answers 402")])
def test_what_the_hub_refuses_is_said_without_the_token(hub: Hub, make_model: MakeModel, status: int, said: str) -> None:
    hub.refusal = status
    with pytest.raises(BlurbTuneError, match=said) as error:
        upload(make_model(), NAME)
    assert TOKEN not in str(error.value)
    assert hub.repositories == {}


@pytest.mark.parametrize("place", ["environment", "login"])
def test_a_token_that_is_not_known(hub: Hub, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    wrong = "hf_m4rkedWrongToken"
    if place == "environment":
        monkeypatch.setenv("HF_TOKEN", wrong)
    else:
        monkeypatch.delenv("HF_TOKEN")
        with open(constants.HF_TOKEN_PATH, "w") as file:  # noqa: PTH123
            file.write(wrong)
    with pytest.raises(BlurbTuneError, match="the hub does not know this token: run `hf auth login --force`") as error:
        check_upload(NAME)
    assert wrong not in str(error.value)


def test_nobody_is_logged_in_or_the_name_cannot_be(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("notes", "a/b/c", "lab/no tes", "lab/../x", ""):
        with pytest.raises(InputError, match="expected owner/name"):
            check_upload(name)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match="run `hf auth login`, or set HF_TOKEN"):
        check_upload(NAME)


def test_a_hub_that_is_away(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BlurbTuneError, match="the hub cannot be reached"):
        check_upload(NAME)


def test_all_that_keeps_a_model_from_leaving_is_said_at_once(hub: Hub) -> None:
    with pytest.raises(InputError) as error:
        Onward(register="a/b", push="notes").check()
    assert [problem.where for problem in error.value.problems] == ["--register", "--push"]
