"""Hidden states in the memory of the device that reads them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

import torch


class DeviceStates:
    """Copies on a device, up to `limit` bytes all together; those that were used least recently go first."""

    def __init__(self, limit: float = 0.0):
        self._limit = limit
        self._copies: OrderedDict[Hashable, torch.Tensor] = OrderedDict()

    def copy(self, key: Hashable, values: torch.Tensor, device: torch.device) -> torch.Tensor:
        """`values`, which `key` names, on the device; where they have no room there, `values` themselves."""
        if values.device == device or values.nbytes > self._limit:
            return values
        if key not in self._copies:
            while self._copies and self._bytes() + values.nbytes > self._limit:
                self._copies.popitem(last=False)
            try:
                self._copies[key] = values.to(device)
            except torch.OutOfMemoryError:
                return values
        self._copies.move_to_end(key)
        return self._copies[key]

    def clear(self) -> None:
        """Give all of the memory back."""
        self._copies.clear()

    def _bytes(self) -> int:
        return sum(copy.nbytes for copy in self._copies.values())
