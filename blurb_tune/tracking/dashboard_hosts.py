"""The names by which a dashboard is reached: MLflow's server answers 403 to requests that name another host.

By default it allows localhost and private networks. A page of a private network still shows no runs: the requests that fetch
them name the page's origin, too, and of those only localhost is allowed.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

# MLflow's own, in whose place come those that are set.
_DEFAULTS = (
    *(f"{host}{port}" for host in ("localhost", "127.0.0.1", "0.0.0.0") for port in ("", ":*")),
    *("[::1]", "[[]::1]:*", "192.168.*", "10.*", *(f"172.{number}.*" for number in range(16, 32)), "fc00:*", "fd00:*"),
)
# Addresses for documentation, which nobody has; a UDP socket that is connected to them sends nothing.
_OUTSIDE = {"0.0.0.0": (socket.AF_INET, "192.0.2.1"), "::": (socket.AF_INET6, "2001:db8::1")}


def host_settings(host: str, port: int) -> dict[str, str]:
    """MLflow's variables for a server that listens on `host`: beside the defaults, what a browser calls it."""
    bracketed = dict.fromkeys(f"[{name}]" if ":" in name else name for name in _names(host))
    names = list(bracketed) if port == 80 else [f"{name}:{port}" for name in bracketed]  # browsers leave out a default port
    return {
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join([*_DEFAULTS, *names]),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"http://{name}" for name in names),
    }


def _names(host: str) -> Iterator[str]:
    """`host`, in lower case as browsers send it; where it stands for all addresses of this machine, also its names and the
    addresses by which it reaches others."""
    yield host.lower()
    if host not in _OUTSIDE:
        return
    yield from (socket.gethostname().lower(), socket.getfqdn().lower())
    for family, address in _OUTSIDE.values():
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:  # there may be no way to the outside
            probe.connect((address, 9))
            yield str(probe.getsockname()[0])
