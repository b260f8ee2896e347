"""Small definitions to plant in code and to ask for far behind: "a needle in a haystack" as it happens in a file.

Knows words and lines of text; no tokens, no model.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

_SPELLED = (
    "amber anchor arrow basil beacon birch bronze canyon cedar cobalt comet copper coral crane delta ember falcon fern"
    " flint forest garnet glacier harbor hazel heron indigo island ivory jasper juniper kernel lagoon lantern laurel lemon"
    " linen lotus maple marble meadow mercury meteor mint nectar nickel oak ocean olive onyx opal orchid osprey pearl pepper"
    " pine plum poplar prairie quartz raven ridge river ruby saffron sage salmon sierra silver slate spruce summit teal thistle"
    " timber topaz tulip umber valley velvet violet walnut willow winter yarrow zephyr"
)
WORDS = _SPELLED.split()
EARLIEST, LATEST = 0.02, 0.95


@dataclass(frozen=True)
class Needle:
    """``line`` defines a function; ``asked`` begins a call of it, and ``value`` is the argument that the definition names."""

    line: str
    asked: str
    value: str


def needle(chance: random.Random) -> Needle:
    """One of sixty million, so that no two of a text are alike."""
    name, value = ("_".join(chance.sample(WORDS, 2)) for _ in range(2))
    return Needle(f"def {name}({value}): ...\n", f"\n{name}(", f"{value})")


def planted(text: str, needles: Sequence[Needle]) -> str:
    """``text`` with the needles' lines in it, from near its beginning to near its end, each at a line's start."""
    lines = text.splitlines(keepends=True)
    step = (LATEST - EARLIEST) / max(1, len(needles) - 1)
    for number in reversed(range(len(needles))):
        lines.insert(int((EARLIEST + number * step) * len(lines)), needles[number].line)
    return "".join(lines)
