"""Mix the language model's next-token distribution with n-gram caches of the workspace and of the open file.

Knows distributions over ids and a small gate that was learned (`ngram_eval.py`); does not know text, prompts or engines.
What a cache leaves open goes to the language model, so the result sums to one whenever the model's distribution does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.model.ngrams import Match

Floats = NDArray[np.float32]

SOURCES = ("workspace", "file")
LONGEST = 8
"""Longer matches are as good as this one to the gate."""
TINY = 1e-8
LEAST = 1e-37
"""A mixed probability below this counts as this: its logarithm must stay a number."""
FEATURES = 3 + len(SOURCES) * (LONGEST + 6) + 2


class GateError(ValueError):
    """The gate's file is not one; the text says what to do."""


@dataclass(frozen=True)
class Gate:
    """How far to trust the model and each source: a softmax over one hidden layer, FEATURES -> H -> 1 + SOURCES."""

    hidden: Floats
    hidden_bias: Floats
    out: Floats
    out_bias: Floats

    @classmethod
    def load(cls, path: Path | None = None) -> Gate:
        """Read the JSON of weights, without a path the one beside this file. Raises `GateError`."""
        path = path or Path(__file__).with_name("mixture.json")
        try:
            data = json.loads(path.read_text("utf-8"))
            gate = cls(*(np.asarray(data[name], np.float32) for name in cls.__dataclass_fields__))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GateError(f"{path} holds no gate ({error}); reinstall Sotto, or learn it again") from error
        size = len(gate.hidden_bias) if gate.hidden_bias.ndim == 1 else 0
        shapes = (FEATURES, size), (size,), (size, 1 + len(SOURCES)), (1 + len(SOURCES),)
        found = tuple(array.shape for array in (gate.hidden, gate.hidden_bias, gate.out, gate.out_bias))
        if found != shapes:
            raise GateError(f"{path} holds arrays of shapes {found}, not {shapes}; reinstall Sotto, or learn it again")
        return gate

    def save(self, path: Path, about: Mapping[str, object]) -> None:
        """Write what `load` reads, four digits each, and ``about``: where it was learned."""
        arrays = {name: np.round(getattr(self, name).astype(float), 4).tolist() for name in self.__dataclass_fields__}
        path.write_text(json.dumps({"about": about, **arrays}) + "\n", encoding="utf-8")

    def shares(self, features: Floats, present: Sequence[bool]) -> list[float]:
        """features [FEATURES] -> what the model and each source get; they sum to one, and who is not present gets nothing."""
        scores = np.maximum(features @ self.hidden + self.hidden_bias, 0) @ self.out + self.out_bias
        powers = np.exp(scores - scores.max(), dtype=np.float64) * (True, *present)
        shares: list[float] = (powers / powers.sum()).tolist()
        return shares


def softmax(logits: Floats) -> Floats:
    """Probabilities of logits [V]; minus infinity gives zero."""
    powers = np.exp(logits - logits.max())
    result: Floats = powers / powers.sum(dtype=np.float64).astype(np.float32)
    return result


def closed(match: Match, probs: Floats, end: int, closing: int | None) -> Match:
    """``match`` with what it gives to ``closing``, the first token behind the hole, divided with the end token.

    A cache cannot know that the hole ends where its text goes on as the text behind the hole does; the model can, so the
    two tokens share in the ratio the model gives them.
    """
    at = np.flatnonzero(match.ids == (-1 if closing is None else closing))
    if closing is None or not len(at):
        return match
    share = float(probs[end] / (probs[end] + probs[closing] + TINY))
    moved = match.probs[at[0]] * share
    kept = match.probs.copy()
    kept[at[0]] -= moved
    ids, kept = np.append(match.ids, end), np.append(kept, moved)
    best = int(kept.argmax())
    return match._replace(ids=ids, probs=kept, top=int(ids[best]), likely=float(kept[best]))


def features(probs: Floats, matches: Sequence[Match], end: int) -> Floats:
    """What the gate sees, [FEATURES]: the model's confidence, each match's length and counts, who agrees with whom."""
    best = int(probs.argmax())
    found: list[float] = [_log(probs[best]), _log(probs[end]), _log(1 - probs[best])]
    tops = []
    for match in matches:
        lengths = [0.0] * LONGEST
        if not match:
            found += [*lengths, *([0.0] * 6)]
            continue
        lengths[min(match.length, LONGEST) - 1] = 1.0
        tops.append(match.top)
        counts = [math.log(match.times) / 10, math.log(match.kinds) / 10, _log(match.rest)]
        found += [*lengths, *counts, _log(match.likely), _log(probs[match.top]), float(match.top == best)]
    both = len(tops) == len(SOURCES)
    found += [float(both and tops[0] == tops[1]), float(both and tops[0] != tops[1])]
    return np.asarray(found, np.float32)


def _log(probability: float) -> float:
    """Natural logarithm, in tens, bounded: the gate's inputs should be of size one."""
    return math.log(max(float(probability), TINY)) / 10


@dataclass(frozen=True)
class Mixture:
    """``end`` is the model's end token."""

    gate: Gate
    end: int

    def mix(self, probs: Floats, matches: Sequence[Match], closing: int | None = None) -> Floats:
        """Probabilities [V] of the model, one match a source -> the mixed probabilities [V].

        ``closing`` is the first token behind the hole, if the model is filling one. Without any match the model's own
        probabilities come back as they are.
        """
        if not any(matches):
            return probs
        matches = [closed(match, probs, self.end, closing) for match in matches]
        _, *weights = self.gate.shares(features(probs, matches, self.end), [bool(match) for match in matches])
        own = 1.0 - sum(weight * (1.0 - match.rest) for weight, match in zip(weights, matches, strict=True))
        mixed: Floats = probs * np.float32(own)
        for weight, match in zip(weights, matches, strict=True):
            mixed[match.ids] += (weight * match.probs).astype(np.float32)
        return mixed
