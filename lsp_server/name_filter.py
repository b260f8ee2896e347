"""The filter of names that do not exist, over whatever index the workspace has at the moment.

Knows that the index is replaced when folders or settings change; what is judged, and how, stands in `assistant`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.types import Snapshot
from assistant.workspace.existence.verdict import Verdict

if TYPE_CHECKING:
    from assistant.workspace.existence.checker import Existence
    from lsp_server.workspace import Workspace


class NameFilter:
    """An `assistant.workspace.existence.verdict.Checker`. Call it inside the event loop."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._made: Existence | None = None
        self._index: object = self  # no index is this

    def check(self, snapshot: Snapshot, start: int, end: int, text: str) -> Verdict:
        return self._filter().check(snapshot, start, end, text)

    @staticmethod
    def warm() -> None:
        """In any thread: load what the first check would wait for (parsers, tables of the standard library: 0.15 s)."""
        from assistant.workspace.existence.checker import Existence

        made, text = Existence(), "import os\n\n\ndef join(folder, name):\n    return os.path.join(folder)\n"
        made.check(Snapshot("untitled:warm.py", "python", text, len(text) - 9), len(text) - 9, len(text) - 9, ", name")
        made.close()

    def forget(self, uri: str) -> None:
        if self._made is not None:
            self._made.forget(uri)

    def close(self) -> None:
        """Let go of the modules that were read."""
        made, self._made, self._index = self._made, None, self
        if made is not None:
            made.close()

    def _filter(self) -> Existence:
        index = self._workspace.index
        if self._made is None or index is not self._index:
            from assistant.workspace.existence.joined import checker_of

            self.close()
            self._made, self._index = checker_of(index), index
        return self._made
