"""Context for completion from whatever index the workspace has at the moment, and from what the user has just done elsewhere.

Knows that the index comes, goes and is replaced; what is found, and how, stands in `assistant`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from assistant.cancel import Cancel
from assistant.types import Snapshot
from assistant.workspace.aim import DEADLINE_MS, Snippets
from lsp_server.from_lsp import path_of

if TYPE_CHECKING:
    from assistant.next_edit.types import Change
    from lsp_server.workspace import Workspace

MOST_LINES = 6
"""Of one edit, removed and written ones each."""


class IndexRetriever:
    """An `assistant.workspace.aim.Retriever`. ``changes``: the user's latest, the oldest first."""

    def __init__(self, workspace: Workspace, changes: Callable[[], Sequence[Change]]) -> None:
        self._workspace, self._changes = workspace, changes

    def snippets(
        self, snapshot: Snapshot, kinds: Sequence[str], shown: str, cancel: Cancel, deadline_ms: float = DEADLINE_MS
    ) -> Snippets:
        from assistant.workspace.retrieve import WorkspaceRetriever

        index = self._workspace.index
        if index is None:
            return Snippets(late=tuple(kinds))
        return WorkspaceRetriever(index, self._recent).snippets(snapshot, kinds, shown, cancel, deadline_ms)

    def _recent(self, snapshot: Snapshot) -> list[tuple[str, str]]:
        """Edits of other documents, the newest first: the path, and the lines as a diff shows them."""
        others = (change for change in reversed(self._changes()) if change.uri != snapshot.uri)
        return [(path_of(change.uri) or change.uri, as_diff(change)) for change in others]


def as_diff(change: Change) -> str:
    """The whole lines that a change touched, as they were and as they became."""
    old = _lines(change.before, change.start, change.start + len(change.removed))
    new = _lines(change.after, change.start, change.start + len(change.inserted))
    return "\n".join([*(f"-{line}" for line in old), *(f"+{line}" for line in new)])


def _lines(text: str, start: int, end: int) -> list[str]:
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    lines = text[first : last if last != -1 else len(text)].replace("\r", "").split("\n")
    return [line for line in lines if line.strip()][:MOST_LINES]
