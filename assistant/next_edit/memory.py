"""What the user did with suggested edits: those that were refused stay away until their code changes; a row of refusals asks
for more certainty, for a while.

Holds places and texts in this process only. Knows no clock: the caller passes seconds that do not go back.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.next_edit.place import Edit, canonical
from assistant.next_edit.rebase import moved

MOST = 128  # refused edits
PASSED = 3  # an edit that was on offer through so many later changes is refused
HALF_LIFE_S = 300.0
STEP, MOST_CAUTION = 0.04, 0.12  # what one refusal adds to the threshold; three in a row are the most


@dataclass
class _Refused:
    """A refused edit, canonical, of the document's text as it is now."""

    uri: str
    edit: Edit


class Memory:
    """One session's. Not thread-safe."""

    def __init__(self) -> None:
        self._refused: list[_Refused] = []
        self._closed: dict[str, int] = {}
        self._passed: tuple[str, Edit | None, int] = "", None, 0
        self._caution: dict[str, float] = {}
        self._at = 0.0

    def refused(self, uri: str, text: str, edit: Edit, now: float, rule: str = "") -> None:
        """The user does not want this edit of this text. ``rule``: whose it was, where the user has said so in words."""
        found = _Refused(uri, canonical(edit, text))
        if found not in self._refused:
            self._refused.append(found)
            del self._refused[:-MOST]
        self._fade(now)
        for of in {"", rule}:
            self._caution[of] = min(MOST_CAUTION, self._caution.get(of, 0.0) + STEP)

    def taken(self, now: float) -> None:
        """The user took one: certainty enough."""
        self._caution, self._at = {}, now

    def passed_over(self, uri: str, text: str, edit: Edit, now: float) -> None:
        """The user has changed something else while this edit was on offer. Ignored often enough, it is refused."""
        key = canonical(edit, text)
        times = self._passed[2] + 1 if self._passed[:2] == (uri, key) else 1
        self._passed = uri, key, times
        if times >= PASSED:
            self.refused(uri, text, edit, now)

    def forbids(self, uri: str, text: str, edit: Edit) -> bool:
        """Whether the user has refused the edit, and its lines are as they were."""
        of_uri = [one for one in self._refused if one.uri == uri]
        return bool(of_uri) and _Refused(uri, canonical(edit, text)) in of_uri

    def caution(self, now: float, rule: str = "") -> float:
        """How much more probable than usual an edit must be to be shown; or what of that one rule's refusals would add."""
        self._fade(now)
        return self._caution.get(rule, 0.0)

    def changed(self, uri: str, before: str, after: str) -> None:
        """Move with what was refused; forget it where its lines were touched."""
        if self._passed[0] == uri and self._passed[1] is not None:
            key, times = self._passed[1], self._passed[2]
            shifted = moved(key, before, after)
            self._passed = (uri, shifted, times) if shifted is not None else ("", None, 0)
        if not any(one.uri == uri for one in self._refused):
            return
        kept = []
        for one in self._refused:
            shifted = moved(one.edit, before, after) if one.uri == uri else one.edit
            if shifted is not None:
                kept.append(_Refused(one.uri, shifted))
        self._refused = kept

    def closed(self, uri: str, text: str) -> None:
        self._closed[uri] = hash(text)

    def opened(self, uri: str, text: str) -> None:
        """Places are known only if the text is what it was when the document was closed."""
        if self._closed.pop(uri, hash(text)) != hash(text):
            self._refused = [one for one in self._refused if one.uri != uri]

    def _fade(self, now: float) -> None:
        fading = 0.5 ** (max(0.0, now - self._at) / HALF_LIFE_S)
        self._caution = {rule: caution * fading for rule, caution in self._caution.items()}
        self._at = max(self._at, now)
