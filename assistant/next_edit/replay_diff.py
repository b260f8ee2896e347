"""Line differences between two versions of a text: which lines go, which come, and how many there are.

The shortest edit script (Myers 1986), found greedily. Knows lines only; the cost grows with the size of the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LineHunk:
    """Lines ``start`` to ``end`` - 1 of the old text became lines ``new_start`` to ``new_end`` - 1 of the new one."""

    start: int
    end: int
    new_start: int
    new_end: int


class TooDifferent(ValueError):  # noqa: N818 - it says what is so, not that something failed
    """More lines differ than were asked for."""


def hunks(old: Sequence[str], new: Sequence[str], most: int = 400) -> list[LineHunk]:
    """The changes that lead from ``old`` to ``new``, in order, apart by at least one common line.

    Raises `TooDifferent` when more than ``most`` lines go and come.
    """
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    found: list[LineHunk] = []
    for x, y, removes in _script(a, b, most):
        x, y = x + head, y + head
        last = found[-1] if found else None
        if last is not None and last.end == x and last.new_end == y:
            found[-1] = LineHunk(last.start, x + removes, last.new_start, y + (not removes))
        else:
            found.append(LineHunk(x, x + removes, y, y + (not removes)))
    return found


def distance(old: Sequence[str], new: Sequence[str], most: int = 400) -> int:
    """How many lines go and come at least. Raises `TooDifferent`."""
    return sum(one.end - one.start + one.new_end - one.new_start for one in hunks(old, new, most))


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    return next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _script(a: Sequence[str], b: Sequence[str], most: int) -> list[tuple[int, int, bool]]:
    """Single steps (place in a, place in b, whether a line of a goes rather than one of b comes), in order."""
    reached, rounds = {1: 0}, list[dict[int, int]]()
    for size in range(min(most, len(a) + len(b)) + 1):
        rounds.append(dict(reached))
        for k in range(-size, size + 1, 2):
            down = k == -size or (k != size and reached[k - 1] < reached[k + 1])
            x = reached[k + 1] if down else reached[k - 1] + 1
            while x < len(a) and x - k < len(b) and a[x] == b[x - k]:
                x += 1
            reached[k] = x
            if x >= len(a) and x - k >= len(b):
                return _back(rounds, len(a), len(b))
    raise TooDifferent(f"more than {most} lines differ")


def _back(rounds: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int, bool]]:
    steps = []
    for size in range(len(rounds) - 1, 0, -1):
        reached, k = rounds[size], x - y
        down = k == -size or (k != size and reached[k - 1] < reached[k + 1])
        before = k + 1 if down else k - 1
        x = reached[before]
        y = x - before
        steps.append((x, y, not down))
    return steps[::-1]
