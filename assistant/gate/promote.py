"""Whether a newly learned gate may take the place of the one in force: a doubly robust comparison on the user's own record.

Both gates are judged by one model of what would have been taken, whose probabilities come from fits that did not see the row;
the candidate's decisions come from the same fits, so that it gains nothing from having learned the answers. Needs numpy.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from assistant.gate.boost import Array
from assistant.gate.evaluate import CLIP, GAIN, LOSS, reward, usable
from assistant.gate.learn import Lesson, lesson, logits, squash
from assistant.gate.model import Gate
from assistant.gate.policy import SETTINGS, chance
from assistant.gate.rows import GateRow, target

MARGIN = 0.01
"""Reward per opportunity that may be lost to chance: a month of one user cannot tell differences below 0.02."""

_TYPICAL_CHARS = 25.0


@dataclass(frozen=True)
class Trial:
    """What the comparison said. ``gain`` is the candidate's mean reward per opportunity less that of the gate in force, with
    ``error`` as one standard error; ``lost`` and ``lost_before`` are the shares of what would be taken that each hides.
    """

    rows: int = 0
    gain: float = 0.0
    error: float = 0.0
    lost: float = 0.0
    lost_before: float = 0.0
    promoted: bool = True

    def to_json(self) -> dict[str, float | bool]:
        return asdict(self)


def learn(
    prior: Gate,
    rows: Iterable[GateRow],
    incumbent: Gate,
    setting: str = "balanced",
    now_ms: int | None = None,
    count_unread: bool = False,
) -> tuple[Gate, Trial]:
    """The gate to have in force after ``rows``: the one learned from them, unless it is worse than ``incumbent``."""
    known = list(rows)
    learned = lesson(prior, known, now_ms, count_unread)
    trial = compare(learned, incumbent, known, setting)
    return (learned.gate if trial.promoted else incumbent), trial


def compare(learned: Lesson, incumbent: Gate, rows: Sequence[GateRow], setting: str) -> Trial:
    """The candidate is refused when the lower bound (one standard error) of its gain is below -`MARGIN`, unless the gate in
    force hides more of what would be taken than ``setting`` allows, and the candidate hides less of it.
    """
    used = usable(rows)
    if not used:
        return Trial()
    p1, p2 = _probabilities(learned.gate, used)
    unseen = {row.id: place for place, row in enumerate(learned.data.rows)}
    for at, row in enumerate(used):
        if row.id in unseen:
            p1[at], p2[at] = learned.p1[unseen[row.id]], learned.p2[unseen[row.id]]
    shows, before = (
        _shows(learned.gate, used, p1, p2, setting),
        _shows(incumbent, used, *_probabilities(incumbent, used), setting),
    )
    gained = _robust(used, shows, p2) - _robust(used, before, p2)
    gain, error = float(gained.mean()), float(gained.std() / np.sqrt(len(used)))
    lost, lost_before = _lost(used, shows), _lost(used, before)
    milder = lost_before > float(SETTINGS[setting].alpha) and lost < lost_before
    return Trial(len(used), gain, error, lost, lost_before, gain - error >= -MARGIN or milder)


def _probabilities(gate: Gate, rows: Sequence[GateRow]) -> tuple[Array, Array]:
    """Both stages' [n]; a skipped row has no text, so that its place speaks for it."""
    p1, p2 = (squash(logits(stage, rows)) for stage in (gate.one, gate.two))
    skipped = np.array([row.decision == "skip" for row in rows])
    return p1, np.where(skipped, p1, p2)


def _shows(gate: Gate, rows: Sequence[GateRow], p1: Array, p2: Array, setting: str) -> Array:
    chars = [row.features.get("chars", _TYPICAL_CHARS) for row in rows]
    return np.array([chance(gate, setting, float(a), float(b), n) for a, b, n in zip(p1, p2, chars, strict=True)])


def _robust(rows: Sequence[GateRow], show: Array, p: Array) -> Array:
    """Each row's doubly robust reward under a policy that shows with ``show`` [n], ``p`` being the model of acceptance."""
    shown = np.array([row.decision == "show" for row in rows])
    ratio = np.minimum(show / np.array([row.propensity for row in rows]), CLIP)
    direct, earned = GAIN * p - LOSS * (1 - p), np.array([reward(row) for row in rows])
    return np.asarray(show * direct + np.where(shown, ratio * (earned - direct), 0.0))


def _lost(rows: Sequence[GateRow], show: Array) -> float:
    """The share of what was taken, each one over its propensity, that this policy would hide."""
    taken = np.array([bool((label := target(row)) and label[0] > 0 and row.decision == "show") for row in rows])
    weight = taken / np.array([row.propensity for row in rows])
    return float((weight * (1 - show)).sum() / weight.sum()) if weight.sum() else 0.0
