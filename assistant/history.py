"""The record of edits: every change of every open document in, a bounded list of coalesced changes out.

Pure: the caller passes the time (seconds of a clock that does not go back). Knows texts and offsets; nothing of editors, of
suggestions, or of what is predicted from the record.

How keystrokes become changes:
- An edit joins the last change if it is of the same document and on the same line or within `ROWS` rows, and comes less than
  `PAUSE_S` later. A longer pause splits, but not inside of a word, and not between deleting a text and typing another in its
  place: `count`, a moment's thought, `counter` is one change.
- A change that comes to nothing is dropped. An edit after which the document has a text that it had before is an undo or a
  redo, whatever key made it: it is no change of its own, and the document's record is again what it was at that text.
- A suggestion that the user took is a change of its own, marked.
"""

from __future__ import annotations

from collections import OrderedDict

from assistant.next_edit.types import Change
from assistant.text import common_suffix, first_difference

ROWS = 8
PAUSE_S = 1.0
THOUGHT_S = 60.0  # after so long a word that goes on is another thought, too
MOST = 32  # changes
MOST_CHARACTERS = 16_000_000  # of all their texts: eight changes of a file of 50,000 lines
MOST_STATES = 256  # texts of one document that an undo can come back to
STATES_CHARACTERS = 32_000_000


class History:
    """The changes of one session. Not thread-safe."""

    def __init__(self, most: int = MOST, most_characters: int = MOST_CHARACTERS) -> None:
        self._most, self._most_characters = most, most_characters
        self._changes: list[Change] = []
        self._states: dict[str, OrderedDict[tuple[int, int], tuple[Change, ...]]] = {}
        self._last: tuple[str, str] = "", ""  # document and its text after the newest change

    @property
    def changes(self) -> tuple[Change, ...]:
        """The oldest first."""
        return tuple(self._changes)

    def changed(self, uri: str, before: str, after: str, start: int, end: int, at: float, accepted: bool = False) -> None:
        """``[start, end)`` of ``before`` was replaced, which gave ``after``. ``accepted``: by a suggestion the user took."""
        if before == after:
            return
        states = self._states.setdefault(uri, OrderedDict())
        if not states:
            states[_key(before)] = self._of(uri)
        known = states.get(_key(after))
        if known is not None:
            self._restore(uri, known)
        else:
            self._add(uri, before, after, (start, end), at, accepted)
        self._last = uri, after
        self._remember(states, uri, after)

    def reset(self, uri: str) -> None:
        """What the document holds now came about in a way that nobody told: the next edit joins no change before it."""
        self._states.pop(uri, None)
        if self._last[0] == uri:
            self._last = "", ""

    def forget(self, uri: str) -> None:
        """Nothing may be known of the document any more."""
        self.reset(uri)
        self._changes = [change for change in self._changes if change.uri != uri]

    def _add(self, uri: str, before: str, after: str, span: tuple[int, int], at: float, accepted: bool) -> None:
        start, end = span
        text = after[start : end + len(after) - len(before)]
        made = _trimmed(Change(uri, before, start, before[start:end], text, at, accepted))
        last = self._changes[-1] if self._changes else None
        if last is not None and self._last == (uri, before) and _joins(last, made):
            self._changes.pop()
            made = _joined(last, made, after)
        if made.removed != made.inserted:
            self._changes.append(made)
            self._bound()

    def _restore(self, uri: str, known: tuple[Change, ...]) -> None:
        """The document's record is ``known`` again; other documents keep theirs."""
        others = [change for change in self._changes if change.uri != uri]
        self._changes = sorted([*others, *known], key=lambda change: change.at)
        self._bound()

    def _bound(self) -> None:
        """Forget the oldest; the newest stays unless it alone is over the limit."""
        del self._changes[: -self._most]
        total = sum(_size(change) for change in self._changes)
        while self._changes and total > self._most_characters:
            total -= _size(self._changes.pop(0))

    def _remember(self, states: OrderedDict[tuple[int, int], tuple[Change, ...]], uri: str, text: str) -> None:
        key = _key(text)
        states[key] = self._of(uri)
        states.move_to_end(key)
        most = max(8, min(MOST_STATES, STATES_CHARACTERS // max(1, len(text))))
        while len(states) > most:
            states.popitem(last=False)

    def _of(self, uri: str) -> tuple[Change, ...]:
        return tuple(change for change in self._changes if change.uri == uri)


def _key(text: str) -> tuple[int, int]:
    return len(text), hash(text)


def _size(change: Change) -> int:
    return len(change.before) + len(change.removed) + len(change.inserted)


def _trimmed(change: Change) -> Change:
    """Without what both sides begin and end with."""
    old, new = change.removed, change.inserted
    head = first_difference(old, new)
    tail = common_suffix(old, new, head)
    if not head and not tail:
        return change
    old, new = old[head : len(old) - tail], new[head : len(new) - tail]
    return Change(change.uri, change.before, change.start + head, old, new, change.at, change.accepted)


def _joins(last: Change, new: Change) -> bool:
    """Whether an edit goes on with the last change; ``new.before`` is the text that the last change left."""
    if last.accepted or new.accepted:
        return False
    text, start, end = new.before, new.start, new.start + len(new.removed)
    last_end = last.start + len(last.inserted)
    if start > last_end:
        rows = text.count("\n", last_end, start)
    else:
        rows = text.count("\n", end, last.start) if end < last.start else 0
    pause = new.at - last.at
    if pause < PAUSE_S:
        return rows <= ROWS
    touches = start <= last_end and end >= last.start
    return touches and pause < THOUGHT_S and (not last.inserted or _is_one_word(last, new, text))


def _is_one_word(last: Change, new: Change, text: str) -> bool:
    """Whether the edit changes the very word that the last change wrote."""
    touched = new.removed or text[max(0, new.start - 1) : new.start + 1]
    return bool(touched) and _is_word(new.removed + new.inserted) and _is_word(last.inserted[-1:] + last.inserted[:1])


def _is_word(text: str) -> bool:
    return all(sign.isalnum() or sign in "_$" for sign in text)


def _joined(last: Change, new: Change, after: str) -> Change:
    """Both as one change of the text before the first."""
    new_end, last_end = new.start + len(new.removed), last.start + len(last.inserted)
    start = min(last.start, new.start)
    old_end = last.start + len(last.removed) + max(0, new_end - last_end)
    end = max(last_end, new_end) + len(new.inserted) - len(new.removed)
    return _trimmed(Change(last.uri, last.before, start, last.before[start:old_end], after[start:end], new.at))
