"""Earlier answers, for text the user types along with a suggestion, deletes, or types again: no model work.

An entry is good where the text around the cursor is exactly what the model saw, plus what was typed of the suggestion
since. Editors that close brackets by themselves, and users who type over those closers, are understood. Knows no clock:
only its size is limited.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.completion.context import Site
from assistant.completion.multiline import LINE, Mode
from assistant.completion.postprocess import Placed, remainder
from assistant.workspace.brackets import PAIRS, scan

CAPACITY = 250
_TYPED_OVER = 3  # closers in a row a user types over, at most


@dataclass(frozen=True)
class Answer:
    """What the model wrote at a place. ``tokens``: for each token the offset in ``raw`` at which it begins, and its
    log-probability.

    ``hurried`` says that the wall-clock budget or a doubt ended it: someone who asks by hand is not served it again.
    ``objected``: the filter of what does not exist has repaired or dropped it.
    """

    raw: str
    tokens: tuple[tuple[int, float], ...] = ()
    mode: Mode = LINE
    hurried: bool = False
    objected: bool = False


@dataclass
class Entry:
    """``placed`` is what was suggested between ``before`` and ``after``; ``None`` if the model had nothing to say.

    ``shown`` is set once a suggestion from it reached the user: it then stays through the gate while it is typed along.
    """

    before: str
    after: str
    offset: int
    placed: Placed | None
    answer: Answer
    at_end: bool  # ``after`` reaches the end of the file
    shown: bool = False

    @classmethod
    def of(cls, site: Site, placed: Placed | None, answer: Answer) -> Entry:
        """``placed`` is suggested at ``site``, made from ``answer``."""
        before, after = site.text[site.start : site.offset], site.text[site.offset : site.end]
        return cls(before, after, site.offset, placed, answer, site.end == len(site.text))

    @property
    def text(self) -> str:
        return self.placed.text if self.placed else ""


@dataclass(frozen=True)
class Hit:
    """An entry that holds after ``typed`` characters of its suggestion were typed. ``moved``: what follows the cursor
    has changed by closers that the editor added or the user typed over.
    """

    entry: Entry
    typed: int
    moved: bool = False

    @property
    def text(self) -> str:
        """What is left of the suggestion's text."""
        return self.entry.text[self.typed :]

    def placed(self, site: Site) -> Placed | None:
        """What is left of the suggestion at ``site``, if anything of it is more than white space."""
        if self.entry.placed is None or not self.text.strip():
            return None
        return remainder(self.text, site) if self.moved else self.entry.placed.after(self.typed)


class CompletionCache:
    """Least recently used entries of all documents together."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[tuple[str, int, str, str, Mode], Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, uri: str, entry: Entry) -> None:
        key = (uri, entry.offset, entry.before, entry.after, entry.answer.mode)
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def get(self, uri: str, site: Site, mode: Mode, *, patient: bool = False) -> Hit | None:
        """The newest entry that still holds here. ``patient``: the user waits for an answer and wants no hurried one."""
        for key in reversed(self._entries):
            if key[0] != uri:
                continue
            entry = self._entries[key]
            hit = _match(entry, site, mode)
            if hit and not (patient and entry.answer.hurried):
                self._entries.move_to_end(key)
                return hit
        return None

    def forget(self, uri: str) -> None:
        for key in [key for key in self._entries if key[0] == uri]:
            del self._entries[key]


def _match(entry: Entry, site: Site, mode: Mode) -> Hit | None:
    typed = site.offset - entry.offset
    if typed and not 0 < typed < len(entry.text):
        return None
    if not typed and entry.answer.mode != mode:
        return None
    words = site.text[entry.offset : site.offset]
    begin = entry.offset - len(entry.before)
    if not entry.text.startswith(words) or site.text[begin : entry.offset] != entry.before:
        return None
    over = entry.placed.over if entry.placed else ()
    if _follows(entry, entry.after, site):
        return Hit(entry, typed) if not over or typed <= over[0] else None
    return Hit(entry, typed, moved=True) if any(_follows(entry, after, site) for after in _moved(entry, words, site)) else None


def _follows(entry: Entry, after: str, site: Site) -> bool:
    """Whether ``after`` follows the cursor, up to the end of the file if it did so for the entry."""
    if entry.at_end:
        return site.text[site.offset :] == after
    return site.text.startswith(after, site.offset)


def _moved(entry: Entry, typed: str, site: Site) -> Iterator[str]:
    """What follows the cursor if the editor closed the brackets in ``typed``, or the user typed over closers."""
    if typed:
        yield _auto_closed(typed, site.language) + entry.after
        for k in range(1, min(_TYPED_OVER, len(typed), len(entry.after)) + 1):
            if typed.endswith(entry.after[:k]):
                yield entry.after[k:]


def _auto_closed(typed: str, language: str) -> str:
    """The closers an editor adds for what ``typed`` opens."""
    return "".join(PAIRS.get(entry.mark, entry.mark) for entry in reversed(scan(typed, language).stack))
