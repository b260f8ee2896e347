"""Drafts from what the context already says: where its last tokens stood before, what followed may follow again.

Knows token ids only (prompt lookup decoding, A. Saxena 2023). A draft is a guess that a pass verifies: no answer depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LONGEST = 8
"""Of the places where the last two tokens stood before, the one with the longest common past counts, up to so many tokens."""
MOST = 6
"""Tokens of one draft. A pass over one token reads all weights; a pass over seven reads them once as well."""


class Lookup:
    """Follows one context, whose ids only grow."""

    def __init__(self, most: int) -> None:
        self._ids = np.empty(most, np.int64)
        self._count = 0

    def begin(self) -> None:
        """Another context."""
        self._count = 0

    def draft(self, ids: Sequence[int], room: int) -> list[int]:
        """What may follow ``ids``, at most ``room`` tokens; empty where their last two tokens never stood before."""
        self._ids[self._count : len(ids)] = ids[self._count :]
        self._count = len(ids)
        if room <= 0 or len(ids) < 3:
            return []
        held = self._ids[: self._count]
        places = np.flatnonzero((held[:-2] == held[-2]) & (held[1:-1] == held[-1]))  # of the pair's first token
        if not len(places):
            return []
        at = max(reversed(places.tolist()), key=lambda place: self._common(place + 2)) + 2
        return [int(token) for token in held[at : at + min(room, MOST)]]

    def _common(self, end: int) -> int:
        """How many tokens before ``end`` are those before the end of all, up to `LONGEST`."""
        size = min(LONGEST, end)
        same = self._ids[end - size : end] == self._ids[self._count - size : self._count]
        return size if same.all() else int(np.argmin(same[::-1]))
