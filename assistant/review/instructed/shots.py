"""Worked examples for the prompt: changes with the comment a careful reviewer made, or none; the most similar ones first.

Similarity is BM25 over words (Robertson, k1 1.2, b 0.75), as in "Prompting and Fine-tuning Large Language Models for Automated
Code Review Comment Generation" (arXiv 2411.10129, section 3), which takes the most similar ones as few-shot examples.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("shots.json")
K1, B = 1.2, 0.75
_WORD = re.compile(r"[A-Za-z_]\w+|[^\s\w]{2,}|[=<>!+\-]")


@dataclass(frozen=True)
class Shot:
    """``change`` as the prompt shows changes, ``answer`` as the model is to answer it (JSON)."""

    change: str
    answer: str


@cache
def shipped() -> tuple[Shot, ...]:
    """Written for Sotto; a third of them deserve no comment."""
    return tuple(Shot(one["change"], json.dumps(one["answer"])) for one in json.loads(FILE.read_text("utf-8")))


def similar(change: str, shots: Sequence[Shot], count: int) -> list[Shot]:
    """The ``count`` shots that are most like ``change``, the most similar one last: nearest to the question."""
    bags = [Counter(_WORD.findall(shot.change)) for shot in shots]
    usual = sum(sum(bag.values()) for bag in bags) / max(1, len(bags))
    wanted = set(_WORD.findall(change))
    rarity = {word: _idf(sum(word in bag for bag in bags), len(bags)) for word in wanted}
    scores = [_bm25(bag, usual, rarity) for bag in bags]
    best = sorted(range(len(shots)), key=lambda i: (-scores[i], i))[:count]
    return [shots[i] for i in reversed(best)]


def _idf(holding: int, of: int) -> float:
    return math.log(1 + (of - holding + 0.5) / (holding + 0.5))


def _bm25(bag: Counter[str], usual: float, rarity: dict[str, float]) -> float:
    length = K1 * (1 - B + B * sum(bag.values()) / max(1.0, usual))
    return sum(rarity[word] * bag[word] * (K1 + 1) / (bag[word] + length) for word in rarity if word in bag)
