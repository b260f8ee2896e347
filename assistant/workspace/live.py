"""An open buffer, read again after every change: what did not change is moved, not read.

Knows nothing of editors, threads or other files.
"""

from __future__ import annotations

from assistant.text import common_suffix, first_difference
from assistant.workspace.document import DocumentTree
from assistant.workspace.record import Record, compose
from assistant.workspace.walk import language_by_name


class LiveFile:
    """Reads the texts of one buffer, one after the other."""

    def __init__(self, path: str, language: str) -> None:
        self._path = path
        self._language = language or language_by_name(path)
        self._tree: DocumentTree | None = None
        self._record: Record | None = None

    def read(self, text: str) -> Record:
        """The record of a text: equal to `record.record` while the text has no syntax errors that were not there at first; with
        them, it also keeps what was known.
        """
        tree, old = self._tree, self._record
        self._tree = self._record = None  # should this fail, the next one begins afresh
        if tree is None or old is None or not _resembles(tree.text, text):
            tree, old = DocumentTree(text, self._language, self._path), None
        else:
            tree.replace(text)
        made = compose(self._path, text, self._language, tree.symbols(), old)
        self._tree, self._record = tree, made
        return made


def _resembles(old: str, new: str) -> bool:
    """Whether at least half of a text stayed where it was: else nothing of the old one is worth keeping."""
    start = first_difference(old, new)
    return 2 * (start + common_suffix(old, new, start)) >= max(len(old), len(new))
