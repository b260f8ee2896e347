"""Drafts from the model itself: what an exit behind its first layers would say next, for the whole model to verify.

Knows exits, the shares of a pass that their layers take, and how they fared. What an exit writes of keys and values is what the
verifying pass writes again, so nothing depends on it. It pays where layers are many and the head is small beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assistant.model.config import ModelConfig
from assistant.model.kv_cache import Context
from assistant.model.mixture import Floats
from assistant.model.pace import RISE, Pace
from assistant.model.running import Shallow

MOST = 4
LOOK = 8
"""While no exit pays, whether one does is asked at every eighth pass: asking takes 5 us of the 200 that a token has."""
HOPE = 0.6
"""So often the shipped model's first exit agrees with its last layer (0.64 behind layer 2 of 6, 0.79 behind layer 4)."""


class ExitDrafts:
    """The exits of one model, at least one, each with its pace; the one that gains most drafts, or none.

    With ``always`` the last exit drafts so many tokens whatever that gains, to be measured.
    """

    def __init__(self, runner: Shallow, config: ModelConfig, always: int = 0) -> None:
        self._runner, self._always = runner, always
        self._passes, self._resting = 0, False
        self._paces = {depth: Pace(MOST, HOPE, share(config, depth) + RISE) for depth in config.exits}

    def draft(
        self,
        slot: Context,
        ids: Sequence[int],
        room: int,
        choose: Callable[[Floats, Sequence[int]], tuple[int, float]],
        cancelled: Callable[[], bool],
    ) -> tuple[list[int], Pace | None]:
        """At most ``room`` tokens behind ``ids``, of which the slot holds all but the last, and whose pace they go by; none
        while drafts do not pay. Raises `Cancelled`.
        """
        self._passes += 1
        if self._resting and self._passes % LOOK:
            return [], None
        best = {depth: depth if self._always else pace.best()[1] for depth, pace in self._paces.items()}
        depth = max(best, key=best.__getitem__)
        pace = self._paces[depth]
        count = min(room, self._always or pace.length())
        self._resting = count <= 0
        drafted = list[int]()
        for start in range(slot.length, slot.length + count):
            token = drafted[-1] if drafted else ids[-1]
            logits = self._runner.shallow(token, slot, start, cancelled, depth)
            drafted.append(choose(logits, [*ids, *drafted])[0])
        return drafted, pace

    def took(self, rows: int, seconds: float, pace: Pace | None = None) -> None:
        """A pass of ``rows`` took so long: one without drafts, or with those of ``pace``."""
        for each in self._paces.values() if rows == 1 else ():
            each.took(rows, seconds)
        if rows > 1 and pace is not None:
            pace.took(rows, seconds)


def share(config: ModelConfig, depth: int) -> float:
    """What a pass of ``depth`` layers reads of what a whole one does; the head is read by both."""
    head = config.vocab_size * config.d_model
    layers = config.n_params - head
    return (layers * depth / config.n_layers + head) / config.n_params
