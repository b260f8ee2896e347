"""Scenes for the tests of the rules: documents before and after what the user did, and what a rule makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from assistant.cancel import Cancel
from assistant.next_edit.patterns import ALL
from assistant.next_edit.types import Candidate, Change, Document, Scene
from assistant.text import common_suffix, first_difference
from assistant.workspace.languages import language_of


class Shelf:
    """Indexed files that are not open."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def naming(self, identifier: str, limit: int = 32) -> Iterable[str]:
        return [path for path, text in self._texts.items() if identifier in text][:limit]

    def read(self, path: str) -> Document | None:
        text = self._texts.get(path)
        return None if text is None else Document(f"file:///{path}", path, language_of(path), text)


def change(uri: str, before: str, after: str, at: float = 0.0) -> Change:
    """The one change between two texts."""
    start = first_difference(before, after)
    tail = common_suffix(before, after, start)
    return Change(uri, before, start, before[start : len(before) - tail], after[start : len(after) - tail], at)


def scene(
    *texts: str,
    path: str = "pkg/shop.py",
    others: Mapping[str, str] | None = None,
    indexed: Mapping[str, str] | None = None,
    cursor: int | None = None,
) -> Scene:
    """``texts``: the document before all changes, after the first, after the second and so on. The cursor stands where the
    last change ended, or ``cursor`` characters from the beginning.
    """
    uri = f"file:///{path}"
    changes = tuple(change(uri, a, b, float(i)) for i, (a, b) in enumerate(pairwise(texts)))
    offset = changes[-1].start + len(changes[-1].inserted) if changes else 0
    open_ = tuple(Document(f"file:///{name}", name, language_of(name), text, 1) for name, text in (others or {}).items())
    document = Document(uri, path, language_of(path), texts[-1], 1)
    return Scene(
        document, offset if cursor is None else cursor, open_, changes, Shelf(indexed) if indexed is not None else None
    )


def run(name: str, where: Scene) -> list[Candidate]:
    """What one rule proposes."""
    rule = next(rule for rule in ALL if rule.name == name)
    return list(rule(where, Cancel()))


def text_of(where: Scene, uri: str) -> str:
    document = where.find(uri)
    if document is None and where.files is not None:
        document = where.files.read(uri.removeprefix("file:///"))
    assert document is not None
    return document.text


def applied(text: str, found: Sequence[Candidate]) -> str:
    """The text with all candidates in it."""
    for candidate in sorted(found, key=lambda c: -c.start):
        text = text[: candidate.start] + candidate.text + text[candidate.end :]
    return text


def after(name: str, where: Scene, path: str = "") -> str:
    """The document (the current one, or that of ``path``) as it is when everything a rule proposes in it was accepted."""
    uri = f"file:///{path}" if path else where.document.uri
    return applied(text_of(where, uri), [c for c in run(name, where) if c.uri == uri])
