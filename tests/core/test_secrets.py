from __future__ import annotations

import time

import pytest

from blurb_tune.core import secrets
from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.secrets import HIDDEN, faults_of, holds_secret, redact, resolve


@pytest.fixture(autouse=True)
def _nothing_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_filled_in", set())
    for name in (*secrets.VARIABLES, "UNSET"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("${IT}", "http://me:pw@host", "http://me:pw@host"),
        ("mysql://me:${IT}@db/x", "a/b@c", "mysql://me:a/b@c@db/x"),
        ("${IT}${IT}", "x", "xx"),
        ("no name: $IT, {IT}, %IT%", "x", "no name: $IT, {IT}, %IT%"),
        ("${IT}", "${IT}", "${IT}"),
    ],
)
def test_a_name_is_filled_in_once(monkeypatch: pytest.MonkeyPatch, text: str, value: str, expected: str) -> None:
    monkeypatch.setenv("IT", value)
    assert resolve(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${UNSET}", "the environment variable UNSET, which stands here as ${UNSET}, is not set"),
        ("http://me:${UNSET}@h", "UNSET, which stands here as ${UNSET}, is not set"),
        ("${}", "expected `${NAME}`"),
        ("${A-B}", "expected `${NAME}`"),
        ("${1A}", "expected `${NAME}`"),
        ("${UNSET", "expected `${NAME}`"),
        ("${UNSET:-x}", "expected `${NAME}`"),
    ],
)
def test_what_names_nothing_is_told(monkeypatch: pytest.MonkeyPatch, text: str, expected: str) -> None:
    assert any(expected in fault for fault in faults_of(text))
    with pytest.raises(BlurbTuneError, match="environment variable"):
        resolve(text)
    monkeypatch.setenv("UNSET", "")
    assert faults_of(text), "an empty variable is as good as none"


def test_what_is_filled_into_a_text_is_a_secret_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "open-sesame")
    monkeypatch.setenv("ADDRESS", "http://server:5000")
    resolve("mysql://db/x?cert=${WORD}")
    resolve("${ADDRESS}")
    assert redact("it said open-sesame to http://server:5000") == f"it said {HIDDEN} to http://server:5000"


@pytest.mark.parametrize("name", secrets.VARIABLES)
def test_values_of_known_variables_are_hidden_wherever_they_stand(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "k3y-of-gold")
    assert redact("denied: 'k3y-of-gold' (x-k3y-of-gold-y)") == f"denied: '{HIDDEN}' (x-{HIDDEN}-y)"
    monkeypatch.setenv(name, "a")
    assert redact("banana") == "banana", "what is as short stands anywhere"


@pytest.mark.parametrize(
    ("text", "is_secret", "shown"),
    [
        ("http://me:pw@host/x", True, "http://***@host/x"),
        ("http://me@host/x", False, "http://***@host/x"),
        ("http://host/x?api_key=abc&a=b", True, "http://host/x?api_key=***&a=b"),
        ("postgresql://me:p@w@host", True, "postgresql://***@host"),
        ("postgresql://me:${PW}@host", False, "postgresql://me:${PW}@host"),
        ("postgresql://me:x${PW}@host", True, "postgresql://***@host"),
        ("http://host/?token=${TOKEN}", False, "http://host/?token=${TOKEN}"),
        ("${URI}", False, "${URI}"),
        ("sqlite:///a@b/mlflow.db", False, "sqlite://***@b/mlflow.db"),
    ],
)
def test_a_secret_is_told_from_its_name(text: str, is_secret: bool, shown: str) -> None:
    assert (holds_secret(text), redact(text)) == (is_secret, shown)


@pytest.mark.parametrize("part", ["://", "token-", "a=", "token=", "@", "x"])
def test_no_text_takes_long(part: str) -> None:
    started = time.monotonic()
    redact(part * (300_000 // len(part)))
    assert time.monotonic() - started < 20, "a generous limit; what is quadratic takes minutes"
