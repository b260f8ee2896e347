"""Keys and values of one layer that sees a sink and a window: what nobody sees any more makes room for what is new.

Knows tensors and positions. Row numbers mean nothing: each row says which position it holds. Some rows more than the window are
kept, so that a few tokens can be taken back: as many as `slack`.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Ring:
    """The first ``sink`` positions and the newest ``window`` + ``slack``, as keys and values [1, KV, room, d].

    At most ``slack`` tokens are appended at once.
    """

    def __init__(self, sink: int, window: int, slack: int) -> None:
        self.sink, self.window, self.slack = sink, window, slack
        self.room = sink + window + slack
        self.length = 0
        self._end = 0  # behind the last position ever written since the ring was empty
        self._positions = torch.full((self.room,), -1)
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write [1, KV, T, d] behind the end; returns all rows [1, KV, n, d]; `positions` says what they are.

        Raises ValueError for more than ``slack`` tokens: the first of them would miss a part of its window.
        """
        count = keys.shape[2]
        if count > self.slack:
            raise ValueError(f"{count} tokens at once where the ring takes {self.slack}")
        if self._keys is None or self._values is None:
            shape = (*keys.shape[:2], self.room, keys.shape[3])
            self._keys, self._values = (torch.zeros(shape, dtype=keys.dtype, device=keys.device) for _ in range(2))
        places = torch.arange(self.length, self.length + count)
        rows = torch.where(places < self.sink, places, self.sink + (places - self.sink) % (self.room - self.sink))
        self._keys[:, :, rows.to(keys.device)] = keys
        self._values[:, :, rows.to(keys.device)] = values
        self._positions[rows] = places
        self.length += count
        self._end = max(self._end, self.length)
        held = self.length if self._end <= self.room else self.room
        return self._keys[:, :, :held], self._values[:, :, :held]

    @property
    def positions(self) -> Tensor | None:
        """[n] the position each row of `append` holds, -1 for none; ``None`` while row = position."""
        return None if self._end <= self.room else self._positions

    def can_crop(self, length: int) -> bool:
        """Whether everything that a query at ``length`` sees is still here."""
        if self._end <= self.room or length <= self.sink:
            return True
        oldest = self._end - (self.room - self.sink)
        return oldest <= max(self.sink, length - self.window + 1)

    def crop(self, length: int) -> None:
        """Forget the tokens from ``length`` on. Raises ValueError where `can_crop` says no."""
        if not self.can_crop(length):
            raise ValueError(f"the window before {length} is gone; begin anew")
        if length == 0:
            self._end = 0
        self.length = min(self.length, length)
        self._positions[self._positions >= length] = -1

    def copy(self, other: Ring) -> None:
        """Become another ring of the same sizes."""
        self.length, self._end = other.length, other._end
        self._positions = other._positions.clone()
        if other._keys is not None and other._values is not None:
            self._keys, self._values = other._keys.clone(), other._values.clone()

    @property
    def nbytes(self) -> int:
        """Bytes set aside."""
        return sum(held.numel() * held.element_size() for held in (self._keys, self._values) if held is not None)
