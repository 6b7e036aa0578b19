"""Names in a spec that others have to take: a folder's, a registered model's, and the address of a cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

MAX_NAME = 80
MAX_MODEL_NAME = 200
_MOST_DIGITS_OF_A_PORT = 5


def _check_file_name(name: str) -> str:
    allowed = "letters, digits, '.', '_' and '-', not '.' or '-' first"
    plain = all(c.isascii() and (c.isalnum() or c in "._-") for c in name)
    if not name or len(name) > MAX_NAME or not plain or name[0] in ".-":
        raise ValueError(f"a name becomes a folder's name: expected 1 to {MAX_NAME} of {allowed}, but got {name!r}")
    return name


def check_registered_name(name: str) -> str:
    """A name in MLflow's registry. Raises ValueError for what is none: an address has it, and a search quotes it."""
    if not name.strip() or len(name) > MAX_MODEL_NAME or any(c in "/:'\"%" or not c.isprintable() for c in name):
        signs = "without '/', ':', '%' and quotes"
        raise ValueError(f"expected a name of 1 to {MAX_MODEL_NAME} characters {signs}, but got {name!r}")
    return name


def _check_head(address: str) -> str:
    host, _, port = address.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and len(port) <= _MOST_DIGITS_OF_A_PORT and 0 < int(port) < 2**16
    if address != "auto" and (not host or "/" in host or not is_port):
        raise ValueError(
            f"expected host:port of a cluster's head, such as head:6379, or `auto`, but got {address!r}; from a machine that "
            "is no node, `blurb-tune submit --address http://HEAD:8265` sends a sweep there"
        )
    return address


FileName = Annotated[str, AfterValidator(_check_file_name)]
Head = Annotated[str, AfterValidator(_check_head)]
