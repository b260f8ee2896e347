"""A suggestion's place in a changing text: how much of it stands there, and whether an edit concerns it at all.

Compares whole texts, in code points; knows nothing of time, of users' intentions or of editors' positions.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.text import common_suffix, first_difference
from assistant.types import Snapshot, Suggestion

_PAIRS = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'", "`": "`"}


@dataclass
class Ghost:
    """Taking the suggestion turns ``before + drop + after`` into ``before + tail + after``.

    ``before`` ends at the cursor. ``lead`` is how much of `Suggestion.text` lies before it.
    """

    before: str
    drop: str
    tail: str
    after: str
    lead: int

    @classmethod
    def of(cls, snapshot: Snapshot, suggestion: Suggestion) -> Ghost:
        text, start, end = snapshot.text, suggestion.start, suggestion.end
        lead = max(0, snapshot.offset - start)
        if suggestion.text[:lead] != text[start : start + lead]:
            lead = 0
        at = start + lead
        return cls(text[:at], text[at:end], suggestion.text[lead:], text[end:], lead)

    @property
    def target(self) -> str:
        return self.before + self.tail + self.after

    def span(self, text: str) -> tuple[int, int] | None:
        """Where the text's part between ``before`` and ``after`` lies, or None when those are no longer around it."""
        stop = len(text) - len(self.after)
        if stop < len(self.before) or not text.startswith(self.before) or not text.endswith(self.after):
            return None
        return len(self.before), stop

    def progress(self, text: str) -> int | None:
        """How many characters of ``tail`` the text holds, or None when the cursor's line became something else."""
        span = self.span(text)
        if span is None:
            return None
        middle = text[slice(*span)]
        for cut in range(len(self.drop) + 1):
            if middle.endswith(self.drop[cut:]):
                typed = middle[: len(middle) - len(self.drop) + cut]
                count = first_difference(typed, self.tail)
                if _auto_closing(typed[:count]).startswith(typed[count:]):
                    return count
        return None

    def rebase(self, old: str, new: str) -> bool:
        """Move along with an edit on other lines. False when the edit touches the lines of the suggestion."""
        first, last = difference(old, new)
        growth = len(new) - len(old)
        line_start = self.before.rfind("\n") + 1
        if last <= line_start and new[: line_start + growth][-1:] in ("", "\n"):
            self.before = new[: len(self.before) + growth]
            return True
        stop = len(old) - len(self.after)
        newline = self.after.find("\n")
        if newline < 0 or first <= stop + newline:
            return False
        self.after = new[stop:]
        return True


def is_piece(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` can have been taken in one step: whole words, and longer than what a client that gathers
    keystrokes sends at once (a fast typist makes two in the 150 ms of Neovim).
    """
    return end - start >= 4 and _is_boundary(text, start) and _is_boundary(text, end)


def _is_boundary(text: str, at: int) -> bool:
    return not (0 < at < len(text) and _is_word(text[at - 1]) and _is_word(text[at]))


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def is_keystroke(old: str, new: str) -> bool:
    """Whether one key can have led from ``old`` to ``new``: a character, a pair that the editor closes, an indented line."""
    first, last = difference(old, new)
    step = new[first : last + len(new) - len(old)]
    return len(step) <= 1 or _PAIRS.get(step[0]) == step[1:] or (step[0] in "\r\n" and not step.strip())


def difference(old: str, new: str) -> tuple[int, int]:
    """Start and end, in ``old``, of what an edit replaced; the common prefix is taken before the common suffix."""
    first = first_difference(old, new)
    return first, len(old) - common_suffix(old, new, first)


def _auto_closing(typed: str) -> str:
    """The closing brackets and quotes an editor adds behind the cursor while ``typed`` is being typed, innermost first."""
    closers: list[str] = []
    for char in typed:
        if closers and char == closers[-1]:
            closers.pop()
        elif char in _PAIRS:
            closers.append(_PAIRS[char])
    return "".join(reversed(closers))
