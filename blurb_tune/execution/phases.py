"""What a task that the driver waits for is doing, sent through the cluster's own key-value store."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_put

from blurb_tune.core.errors import BlurbTuneError

_NAMESPACE = b"blurb_tune"
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Phases:
    """The phases of one task. The task says them, the driver, which waits for the task's result, hears them."""

    name: str = field(default_factory=lambda: f"phases/{uuid.uuid4().hex}")

    def say(self, text: str) -> None:
        """Whatever is amiss with the store costs the task nothing."""
        with suppress(Exception):
            said = [*self._read_lines(), text]
            _internal_kv_put(self.name, "\n".join(said).encode(), overwrite=True, namespace=_NAMESPACE)

    def result(self, reference: ray.ObjectRef, hear: Callable[[str], None]) -> Any:
        """The task's result; `hear` gets each phase until then.

        Raises what the task raised of our errors as it is, and BlurbTuneError when its process was lost.
        """
        heard = 0
        is_done = False
        while not is_done:
            is_done = bool(ray.wait([reference], timeout=_POLL_SECONDS, fetch_local=False)[0])
            with suppress(Exception):
                for text in self._read_lines()[heard:]:
                    heard += 1
                    hear(text)
        with suppress(Exception):
            _internal_kv_del(self.name, namespace=_NAMESPACE)
        try:
            return ray.get(reference)
        except RayTaskError as error:
            if isinstance(error.cause, BlurbTuneError):
                raise error.cause from None
            raise
        except RayError as error:
            raise BlurbTuneError(f"the process that prepares the sweep was lost: {error}") from None

    def _read_lines(self) -> list[str]:
        said = _internal_kv_get(self.name, namespace=_NAMESPACE)
        return said.decode().split("\n") if said else []
