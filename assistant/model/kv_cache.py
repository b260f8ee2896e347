"""Keys and values of past tokens, in a few preallocated slots that are matched by token ids.

Knows ids; where the numbers lie is each runner's business. A slot grows only when the engine says so, after a whole step:
never by a layer, so an early exit or a cancelled step leaves nothing half-written that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar


class Context:
    """One context's cache. ``ids`` are the tokens whose keys and values are valid; what lies behind them is garbage.

    Where keys and values lie is the runner's business: each has a context of its own.
    """

    def __init__(self) -> None:
        self.ids: list[int] = []

    @property
    def length(self) -> int:
        return len(self.ids)

    def advance(self, ids: Sequence[int]) -> None:
        """Count tokens whose keys and values every layer has just written behind the old end."""
        self.ids.extend(ids)

    def truncate(self, length: int) -> None:
        """Forget the tokens from ``length`` on; nothing is moved."""
        del self.ids[length:]

    def copy_head(self, other: Context, length: int) -> None:
        """Become the first ``length`` tokens of another context of the same runner."""
        self._copy(other, length)
        self.ids = other.ids[:length]

    def _copy(self, other: Context, length: int) -> None:
        raise NotImplementedError


Kept = TypeVar("Kept", bound=Context)


class SlotPool(Generic[Kept]):
    """The slots, least recently used first. Several, so that going back to another file finds its context still warm."""

    def __init__(self, new: Callable[[], Kept], slots: int = 4) -> None:
        self._new = new
        self._most = slots
        self._slots: list[Kept] = []

    def take(self, ids: Sequence[int]) -> Kept:
        """The slot to run ``ids`` in, truncated to what it shares with them.

        At least the last id is left to run: its logits are wanted. A slot that shares less than half of the shorter of
        the two holds another document: it is left alone, and what is shared is copied.
        """
        shared = {id(slot): min(common_prefix(slot.ids, ids), len(ids) - 1) for slot in self._slots}
        best = max(self._slots, key=lambda slot: shared[id(slot)], default=None)
        head = shared[id(best)] if best is not None else 0
        if best is not None and 2 * head >= min(best.length, len(ids)):
            slot = best
        else:
            slot = self._oldest()
            if best is not None and slot is not best:
                slot.copy_head(best, head)
        slot.truncate(head)
        self._slots = [s for s in self._slots if s is not slot] + [slot]
        return slot

    def clear(self) -> None:
        for slot in self._slots:
            slot.truncate(0)

    def _oldest(self) -> Kept:
        return self._new() if len(self._slots) < self._most else self._slots[0]


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many ids the two begin with in common."""
    for index, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return index
    return min(len(a), len(b))
