"""The workspace's index as next-edit prediction sees it: which files hold a name, and what a file says.

Called from a thread of its own. Whatever the index cannot say is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from assistant.next_edit.types import Document
from assistant.workspace.index import real
from assistant.workspace.languages import language_of
from assistant.workspace.lookup import Lookup
from lsp_server.to_lsp import uri_of

if TYPE_CHECKING:
    from assistant.workspace.index import WorkspaceIndex

_NAMES = 'names : "{}"'
_SQL = (
    "SELECT DISTINCT path FROM (SELECT rowid AS id FROM words WHERE words MATCH ? LIMIT ?) JOIN chunk USING (id)"
    " JOIN file ON file.id = chunk.file LIMIT ?"
)


class IndexedFiles:
    """An `assistant.next_edit.types.Files`. ``given``: a real path as the editor spells it."""

    def __init__(self, index: WorkspaceIndex, given: Callable[[str], str]) -> None:
        self._index, self._given, self._lookup = index, given, Lookup(index)

    def naming(self, identifier: str, limit: int = 32) -> Iterable[str]:
        """Open buffers are other documents of the scene: only what is stored is named here."""
        if not self._index.store.has_text or not identifier.isidentifier():
            return []
        open_now = self._index.buffers.records()
        rows = self._index.store.query(_SQL, (_NAMES.format(identifier.lower()), 8 * limit, limit + len(open_now)))
        return [self._given(str(path)) for (path,) in rows if path not in open_now][:limit]

    def read(self, path: str) -> Document | None:
        text = self._lookup.text(real(path))
        return Document(uri_of(path), path, language_of(path), text) if text else None
