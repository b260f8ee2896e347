"""Keys and values of one layer in memory that is set aside beforehand: new ones are written in place, old ones are forgotten by
a number.

Knows tensors. Does not know models, positions or why something is forgotten. A cache that joins its tensors anew at each token
copies everything at each token: 1.4 ms a layer at 16k tokens in bf16, as much as the attention itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEAST = 256
"""Tokens of room at first; it doubles."""


class Growing:
    """``keys`` and ``values`` [1, KV, room, d]; rows from ``length`` on are garbage. At most ``most`` tokens."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.length = 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write [1, KV, T, d] behind the end; returns all keys and all values, [1, KV, length, d], sharing memory.

        Raises ValueError when they do not fit.
        """
        end = self.length + keys.shape[2]
        if end > self.most:
            raise ValueError(f"{end} tokens where the cache holds {self.most}")
        self._keys = self._with_room(self._keys, keys, end)
        self._values = self._with_room(self._values, values, end)
        self._keys[:, :, self.length : end] = keys
        self._values[:, :, self.length : end] = values
        self.length = end
        return self._keys[:, :, :end], self._values[:, :, :end]

    def crop(self, length: int) -> None:
        """Forget the tokens from ``length`` on; nothing is moved."""
        self.length = min(self.length, length)

    def copy_head(self, other: Growing, length: int) -> None:
        """Become the first ``length`` tokens of another."""
        self.length = 0
        if length and other._keys is not None and other._values is not None:
            self.append(other._keys[:, :, :length], other._values[:, :, :length])

    @property
    def nbytes(self) -> int:
        """Bytes set aside."""
        return sum(held.numel() * held.element_size() for held in (self._keys, self._values) if held is not None)

    def _with_room(self, held: Tensor | None, like: Tensor, end: int) -> Tensor:
        room = 0 if held is None else held.shape[2]
        if held is not None and end <= room:
            return held
        wider = torch.empty((*like.shape[:2], min(self.most, max(end, LEAST, 2 * room)), like.shape[3]), dtype=like.dtype)
        wider = wider.to(like.device)
        if held is not None:
            wider[:, :, : self.length] = held[:, :, : self.length]
        return wider
