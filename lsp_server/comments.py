"""The comments that the editor shows, wherever their lines are by now: they move with edits, and go when their line changes.

Knows texts, offsets and findings; nothing of messages, threads, git or the store. A document is known by its real path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from assistant.review.anchors import Pin
from assistant.review.rank import Comment
from lsp_server.buffers import difference


@dataclass(frozen=True)
class Edit:
    """Replace ``[start, end)`` behind a pin's start with ``text``; ``pin`` is the lines around it."""

    path: str
    pin: Pin
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Seen:
    """A line of evidence. ``name`` is its file as the review names it."""

    path: str
    pin: Pin
    text: str
    name: str


Placed = TypeVar("Placed", Edit, Seen)


@dataclass(frozen=True)
class Live:
    """A comment in the editor. ``key`` names the finding for good, ``id`` this impression of it."""

    id: str
    key: str
    comment: Comment
    path: str
    pin: Pin
    evidence: tuple[Seen, ...] = ()
    fix: tuple[Edit, ...] = ()

    def after(self, path: str, text: str, start: int, end: int, new: str) -> Live | None:
        """The comment after an edit of a document; ``None`` when its own lines changed. A fix goes when its lines changed."""
        pin = self.pin.after(text, start, end, new) if path == self.path else self.pin
        if pin is None:
            return None
        fix = _moved(self.fix, path, text, start, end, new)
        return replace(
            self,
            pin=pin,
            fix=fix if len(fix) == len(self.fix) else (),
            evidence=_moved(self.evidence, path, text, start, end, new),
        )


def _moved(some: tuple[Placed, ...], path: str, text: str, start: int, end: int, new: str) -> tuple[Placed, ...]:
    """Those whose lines did not change, where they are now."""
    kept = []
    for one in some:
        pin = one.pin.after(text, start, end, new) if one.path == path else one.pin
        if pin is not None:
            kept.append(one if pin == one.pin else replace(one, pin=pin))
    return tuple(kept)


def pinned(
    id: str, key: str, comment: Comment, place: Callable[[str], str], text_of: Callable[[str], str | None]
) -> Live | None:
    """A comment on texts as they were reviewed. ``place``: a finding's path as a real one; ``text_of``: its text then."""
    finding = comment.finding
    text = text_of(finding.path)
    if text is None:
        return None
    evidence = []
    for seen in finding.evidence:
        said = text_of(seen.path)
        if said is not None:
            evidence.append(Seen(place(seen.path), Pin.on(said, seen.line, seen.line), seen.text.strip(), seen.path))
    fix = []
    for edit in finding.fix:
        said = text_of(edit.path)
        if said is None:
            return None
        pin = Pin.around(said, edit.start, edit.end)
        fix.append(Edit(place(edit.path), pin, edit.start - pin.start, edit.end - pin.start, edit.text))
    pin = Pin.on(text, finding.line, finding.end_line)
    return Live(id, key, comment, place(finding.path), pin, tuple(evidence), tuple(fix))


class Comments:
    """All of one session. Not thread-safe. ``texts`` remembers the text that the pins of a document are in."""

    def __init__(self) -> None:
        self._live: dict[str, Live] = {}
        self._texts: dict[str, str] = {}

    def __iter__(self) -> Iterator[Live]:
        return iter(list(self._live.values()))

    def get(self, id: str) -> Live | None:
        return self._live.get(id)

    def of(self, path: str) -> list[Live]:
        """The comments of one document, in the order of its lines."""
        return sorted((one for one in self._live.values() if one.path == path), key=lambda one: one.pin.start)

    def text(self, path: str) -> str | None:
        """The text that offsets of this document are in."""
        return self._texts.get(path)

    def like(self, live: Live) -> Live | None:
        """The comment that says the same of the same lines."""
        return next((one for one in self.of(live.path) if one.key == live.key and one.pin == live.pin), None)

    def put(self, live: Live, texts: Mapping[str, str]) -> list[Live]:
        """Add a comment, or put it in the place of the one with its id. ``texts``: of every document that it speaks of.

        Answers those of earlier comments whose lines are other ones there.
        """
        gone = [one for path, text in texts.items() for one in self.became(path, text) if one.id != live.id]
        self._live[live.id] = live
        self._texts.update(texts)
        return gone

    def drop(self, id: str) -> Live | None:
        return self._live.pop(id, None)

    def edited(self, path: str, before: str, start: int, end: int, new: str) -> list[Live]:
        """A document changed; the comments whose lines changed with it, which are gone now."""
        if path not in self._texts:
            return []
        self._texts[path] = before[:start] + new + before[end:]
        gone = []
        for one in self:
            moved = one.after(path, before, start, end, new)
            if moved is None:
                gone.append(self._live.pop(one.id))
            else:
                self._live[one.id] = moved
        return gone

    def became(self, path: str, text: str) -> list[Live]:
        """A document has this text now, whatever happened to it; the comments whose lines changed."""
        before = self._texts.get(path)
        if before is None or before == text:
            return []
        edit = difference(before, text)
        return self.edited(path, before, edit.start, edit.end, edit.text)
