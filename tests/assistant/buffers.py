"""Buffers written as text with a ``|`` where the cursor is."""

from __future__ import annotations

from assistant.completion.context import Site, Windows, look
from assistant.types import Indent, Selected, Snapshot, Suggestion, Trigger

WINDOWS = Windows(2000, 600)


def snapshot(
    marked: str,
    language: str = "python",
    *,
    trigger: Trigger = Trigger.AUTOMATIC,
    indent: Indent | None = None,
    selected: Selected | None = None,
    uri: str = "file:///project/module.py",
    path: str | None = "/project/module.py",
    root: str | None = "/project",
) -> Snapshot:
    """The first ``|`` is the cursor."""
    before, bar, after = marked.partition("|")
    assert bar, "no cursor"
    return Snapshot(uri, language, before + after, len(before), 1, path, root, trigger, selected, indent)


def site(marked: str, language: str = "python", *, indent: Indent | None = None) -> Site:
    return look(snapshot(marked, language, indent=indent), WINDOWS)


def accepted(document: Snapshot, suggestion: Suggestion) -> str:
    """The buffer after the user took the suggestion, with the cursor behind what was new."""
    return document.text[: suggestion.start] + suggestion.text + document.text[suggestion.end :]
