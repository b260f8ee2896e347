"""Our KV cache as transformers sees it: one layer for each layer of the model, written in place, cropped by a number.

Knows `kernels.cache`, the policy that reads a layer, and transformers' `CacheLayerMixin`. Does not know models or token ids.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import CacheLayerMixin

from kernels.cache.growing import Growing
from kernels.cache.ring import Ring
from kernels.policies.base import Policy

SLACK = 256
"""Tokens a ring lets take back; a prefill pass has 64."""


class HeldLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """What one layer holds of a context, and the policy that says which of it is read."""

    is_sliding = False
    is_croppable = True

    def __init__(self, held: Growing | Ring, policy: Policy) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = held
        self.policy = policy
        self.shared = 0  # key heads, known once something was written

    @property
    def length(self) -> int:
        """Tokens held, or held once and passed by."""
        return self.held.length

    @property
    def positions(self) -> Tensor | None:
        """The position of each row that `update` returned last; ``None`` while row = position."""
        return self.held.positions if isinstance(self.held, Ring) else None

    def can_go_back(self, length: int) -> bool:
        """Whether the tokens from ``length`` on can be forgotten without the rest being read again."""
        return self.held.can_crop(length) if isinstance(self.held, Ring) else True

    def go_back(self, length: int) -> None:
        """Forget them."""
        if length < self.held.length:
            self.policy.crop(length)
        self.held.crop(length)

    def copy_head(self, other: HeldLayer, length: int) -> None:
        """Become the first ``length`` tokens of another layer of the same kind."""
        if isinstance(self.held, Growing) and isinstance(other.held, Growing):
            self.held.copy_head(other.held, length)
        elif isinstance(self.held, Ring) and isinstance(other.held, Ring):
            self.held.copy(other.held)
            self.held.crop(length)
        self.policy.take_over(other.policy, length)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing: room is made when something is written."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write new keys and values [1, KV, T, d]; returns all rows that are held."""
        self.shared = key_states.shape[1]
        return self.held.append(key_states, value_states)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Keys that a mask for the next ``query_length`` rows covers, and where they begin."""
        return self.held.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.held.length

    def get_max_length(self) -> int:
        return self.held.most if isinstance(self.held, Growing) else -1

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last ``-tokens_to_remove`` tokens, as transformers counts them."""
        self.go_back(self.held.length + tokens_to_remove)

    def reset(self) -> None:
        self.go_back(0)
