"""Lines of use from the workspace for one completion: asked for off the event loop, once a place, and put where the engine's
n-gram cache of the open file reads them.

Knows the `Retriever` protocol; does not know the index, nor what the lines say.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from assistant.cancel import Cancel
from assistant.types import OpenFile, Snapshot
from assistant.wire import BELOW
from assistant.workspace.aim import DEADLINE_MS, Aim, Retriever, aim


class Uses:
    """Asks ``retriever`` in a thread of its own. While the aim at a document's cursor stays the same, so does the answer:
    typing on along a line asks again only for another callee or receiver.
    """

    def __init__(self, retriever: Retriever, deadline_ms: float = DEADLINE_MS) -> None:
        self._retriever, self._deadline_ms = retriever, deadline_ms
        self._thread = ThreadPoolExecutor(1, "sotto-uses")
        self._known: dict[str, tuple[Aim, str]] = {}
        self._asked: Future[str] | None = None

    async def at(self, snapshot: Snapshot, cancel: Cancel) -> str:
        """The lines for the snapshot's cursor; "" if they are not there by the deadline, or an earlier question still runs."""
        here = aim(snapshot)
        known = self._known.get(snapshot.uri)
        if known is not None and known[0] == here:
            return known[1]
        if self._asked is not None and not self._asked.done():
            return ""
        self._asked = self._thread.submit(self._find, here, snapshot, cancel)
        done, _ = await asyncio.wait((asyncio.wrap_future(self._asked),), timeout=self._deadline_ms / 1000)
        return next(iter(done)).result() if done else ""

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._known.pop(uri, None)

    def _find(self, here: Aim, snapshot: Snapshot, cancel: Cancel) -> str:
        found = self._retriever.snippets(snapshot, cancel, self._deadline_ms)
        if not found.late:
            self._known[snapshot.uri] = here, found.text
        return found.text


def with_uses(file: OpenFile, uses: str) -> OpenFile:
    """``file`` with lines of use behind its text, within what the caches read of it. Above the cursor the text stays as it is:
    there the caches keep its tokens from key to key.
    """
    if not uses:
        return file
    below, room = file.below, max(0, BELOW - len(uses) - 1)
    if len(below) > room:
        below = below[: below.rfind("\n", 0, room) + 1] or below[:room]
    if not below.endswith("\n"):
        below += "\n"
    return replace(file, below=below + uses)
