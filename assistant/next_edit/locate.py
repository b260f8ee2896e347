"""What a language model says of next edits: which lines change and to what, and how well it expects a proposed text.

Knows the protocol that next-edit prediction asks. `assistant.next_edit.model_edits` answers it with Sotto's own model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant.cancel import Cancel
from assistant.next_edit.types import Candidate, Scene


@dataclass(frozen=True)
class Judgement:
    """What the model thinks of one candidate.

    ``gain`` is (log p(new) - log p(old)) / tokens of the new text, natural logarithms: above 0 it expects the new text rather
    than what stands there. ``chance`` is its probability, 0 to 1, that one of the candidate's lines changes at all.
    """

    gain: float
    chance: float


class EditModel(Protocol):
    """The one door to a model that predicts edits. Neither call raises but for `asyncio.CancelledError`."""

    async def locate(self, scene: Scene, cancel: Cancel) -> list[Candidate]:
        """Edits of its own, the likeliest first; rule "model". Empty when it has nothing to say, cannot, or was cancelled."""

    async def score(self, scene: Scene, candidates: Sequence[Candidate], cancel: Cancel) -> list[Judgement | None]:
        """One judgement for each candidate; ``None`` where there was no time or no model."""
