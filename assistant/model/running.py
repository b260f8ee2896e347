"""What an engine asks of whatever computes its forward passes.

Knows contexts and token ids; the runners are in `runner`, `fused`, `cuda` and `hf.runner`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from assistant.model.kv_cache import Context
from assistant.model.mixture import Floats


class Running(Protocol):
    """What computes a forward pass: `runner.Runner`, `fused.FusedRunner`."""

    def context(self) -> Context:
        """An empty one, in this runner's layout."""

    def logits(self, ids: Sequence[int], slot: Context, cancelled: Callable[[], bool], rows: int = 1) -> Floats:
        """See `runner.Runner.logits`."""

    def stream(self) -> Floats:
        """[D] the normed stream behind the last layer, of the last row of the last pass."""


@runtime_checkable
class Early(Protocol):
    """A runner whose passes can leave behind an earlier layer."""

    def early(self, token: int, slot: Context, cancelled: Callable[[], bool], leaving: Floats) -> tuple[Floats, int]:
        """See `fused.FusedRunner.early`."""


@runtime_checkable
class Shallow(Protocol):
    """A runner that can ask an earlier layer what it would say."""

    def shallow(self, token: int, slot: Context, start: int, cancelled: Callable[[], bool], depth: int) -> Floats:
        """See `fused.FusedRunner.shallow`."""
