"""Secrets that a spec names and never holds: `${NAME}` stands for an environment variable, until the moment of use."""

from __future__ import annotations

import os
import re

from blurb_tune.core.errors import BlurbTuneError

HIDDEN = "***"
VARIABLES = (
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "HF_TOKEN",
    "RAY_AUTH_TOKEN",
)
_NAME = r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}"
_NAMED = re.compile(_NAME)
# Each begins at one place of a run of characters only, so that no text takes long.
_AFTER_SCHEME = re.compile(r"(?<=://)[^\s'\"<>]+")
_SETTING = re.compile(r"(?<![\w-])([\w-]+)=([^&\s'\"<>]+)")
_SECRET_NAME = re.compile(r"(?i)password|passwd|token|secret|api_?key")
_NAMED_LOGIN = re.compile(rf"(?:[^:@/\s]*:)?{_NAME}")
_SHORTEST = 6  # a shorter value of a variable may stand anywhere by chance
_filled_in: set[str] = set()


def resolve(text: str) -> str:
    """`text` with the values of the environment variables that it names as `${NAME}`.

    What is filled into the midst of a text counts as a secret from then on: `redact` hides it. Raises BlurbTuneError where a
    variable is not set, or `${` begins no name.
    """
    faults = faults_of(text)
    if faults:
        raise BlurbTuneError("; ".join(faults))
    if _NAMED.fullmatch(text) is None:
        _filled_in.update(os.environ[name] for name in _NAMED.findall(text))
    return _NAMED.sub(lambda found: os.environ[found[1]], text)


def faults_of(text: str) -> list[str]:
    """What is wrong with the names in a text, and with the environment that they are looked up in."""
    faults = [
        f"the environment variable {name}, which stands here as ${{{name}}}, is not set"
        for name in dict.fromkeys(_NAMED.findall(text))
        if not os.environ.get(name)
    ]
    if "${" in _NAMED.sub("", text):
        faults.append("`${` begins the name of an environment variable; expected `${NAME}`, of letters, digits and '_'")
    return faults


def holds_secret(text: str) -> bool:
    """Whether a URL itself has a password or a token, instead of naming a variable."""
    logins = (rest.rpartition("@")[0] for rest in _AFTER_SCHEME.findall(text))
    has_password = any(":" in login and _NAMED_LOGIN.fullmatch(login) is None for login in logins)
    values = [value for name, value in _SETTING.findall(text) if _SECRET_NAME.search(name)]
    return has_password or any(_NAMED.fullmatch(value) is None for value in values)


def redact(text: str) -> str:
    """A URL without user names, passwords and tokens, fit for a log; of any text the URLs in it as well.

    The values of environment variables that hold secrets are hidden too, wherever they stand; a `${NAME}` is none.
    """
    known = {value for name in VARIABLES if (value := os.environ.get(name))} | _filled_in
    for secret in sorted((value for value in known if len(value) >= _SHORTEST), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _SETTING.sub(_without_value, _AFTER_SCHEME.sub(_without_login, text))


def _without_login(found: re.Match[str]) -> str:
    login, at, rest = found[0].rpartition("@")
    return f"{HIDDEN}@{rest}" if at and _NAMED_LOGIN.fullmatch(login) is None else found[0]


def _without_value(found: re.Match[str]) -> str:
    is_secret = _SECRET_NAME.search(found[1]) and _NAMED.fullmatch(found[2]) is None
    return f"{found[1]}={HIDDEN}" if is_secret else found[0]
