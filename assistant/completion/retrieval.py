"""What the workspace says, for the prompt of one completion: whether to ask, asked off the event loop, kept, packed.

It becomes stubs of files before the file itself, the lasting ones first: what is found *around* the cursor stays while one
definition is written, what is found *near* it is added with each new call or receiver. So the engine's KV cache stays good
between them. Knows the `Retriever` protocol and mean token lengths; not the index, not the layout of a prompt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from assistant.cancel import Cancel
from assistant.completion.context import CHARS_PER_TOKEN, Site, for_model, relative_path
from assistant.types import ModelInfo, Snapshot
from assistant.workspace.aim import AROUND, DEADLINE_MS, NEAR, Aim, Retriever, Snippet, aim

SMALL_MODEL = 100_000_000
MOST_TOKENS, SHARE = 1024, 4
"""A model of `SMALL_MODEL` parameters gets a quarter of its context for the workspace, up to so many tokens. A smaller one
none: the shipped one knows the project by its n-gram caches. On top of them 256 tokens of context changed the rest of a line by
+0.001 bits/byte (240 cursors of four packages used for choosing; at calls and dots +0.004, callees and members alone -0.001),
and by -0.006 (490 cursors of 14 held-out packages): not worth a prefill of 12 ms with each new call.
"""
LEAST_TOKENS = 32
_FILE_CHARS = 16  # special tokens and line ends of a file


@dataclass(frozen=True)
class Retrieved:
    """``files``: shown paths and texts, the most lasting first."""

    files: tuple[tuple[str, str], ...] = ()


NOTHING = Retrieved()


def budget(info: ModelInfo | None, wanted: int) -> int:
    """Tokens of a prompt for the workspace. ``wanted``: the setting; below 0 the model decides, see `SMALL_MODEL`."""
    if info is None:
        return 0
    by_model = 0 if info.parameters < SMALL_MODEL else min(MOST_TOKENS, info.context // SHARE)
    tokens = by_model if wanted < 0 else min(wanted, info.context // 2)
    return tokens if tokens >= LEAST_TOKENS else 0


@dataclass
class _Kept:
    """What is known of one document while ``place`` is written; ``around`` is ``None`` until it is."""

    place: str
    around: tuple[Snippet, ...] | None = None
    near: dict[Aim, tuple[Snippet, ...]] = field(default_factory=dict)


class Retrieval:
    """Asks one `Retriever`, in a thread, one question at a time."""

    def __init__(self, retriever: Retriever, deadline_ms: float = DEADLINE_MS) -> None:
        self._retriever, self._deadline_ms = retriever, deadline_ms
        self._kept: dict[str, _Kept] = {}
        self._asked: asyncio.Future[None] | None = None

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._kept.pop(uri, None)

    async def at(self, snapshot: Snapshot, site: Site, tokens: int, cancel: Cancel) -> Retrieved:
        """What to show at the snapshot's cursor, which is the site's, in ``tokens``: what is known by the deadline."""
        if tokens <= 0 or site.in_text:
            return NOTHING
        kept, place = self._kept.get(snapshot.uri), _place(site)
        if kept is None or kept.place != place:
            kept = self._kept[snapshot.uri] = _Kept(place)
        here = aim(snapshot)
        asks_near = here != Aim() and here not in kept.near
        if (asks_near or kept.around is None) and (self._asked is None or self._asked.done()):
            work = asyncio.to_thread(self._find, snapshot, site, here if asks_near else Aim(), kept, cancel)
            self._asked = asyncio.ensure_future(work)
            await asyncio.wait((self._asked,), timeout=self._deadline_ms / 1000)
        near = [snippet for found in kept.near.values() for snippet in found]
        return pack(kept.around or (), near, site, tokens, snapshot.root)

    def _find(self, snapshot: Snapshot, site: Site, here: Aim, kept: _Kept, cancel: Cancel) -> None:
        """Both questions, the nearer first. What comes late counts from the next key on."""
        shown = site.prefix + site.suffix
        if here != Aim():
            found = self._retriever.snippets(snapshot, NEAR, shown, cancel, self._deadline_ms)
            if not found.late:
                kept.near[here] = found.items
        if kept.around is None:
            found = self._retriever.snippets(snapshot, AROUND, shown, cancel, self._deadline_ms)
            if not found.late:
                kept.around = found.items


def _place(site: Site) -> str:
    """The top-level line that what is being written belongs to."""
    lines = site.prefix.split("\n")[:-1]
    return next((line for line in reversed(lines) if line[:1].strip() and line[:1] not in ")]}#/\"'"), "")


def pack(around: Iterable[Snippet], near: Iterable[Snippet], site: Site, tokens: int, root: str | None = None) -> Retrieved:
    """As many snippets as ``tokens`` hold: the latest near ones first, half of it at most, then those around in their order.
    None that the prompt shows already, none twice. Paths are shown from ``root``.
    """
    chars = int(tokens * CHARS_PER_TOKEN)
    packed = _Packed(site, root)
    latest = packed.chosen(reversed(list(near)), chars // 2)
    lasting = packed.chosen(around, chars - sum(map(packed.cost, latest)))
    files: dict[str, list[str]] = {}
    for path, text in [*lasting, *reversed(latest)]:
        files.setdefault(path, []).append(text)
    return Retrieved(tuple((path, "\n".join(texts)) for path, texts in files.items()))


class _Packed:
    """Chooses snippets for one prompt, and remembers the lines that it holds."""

    def __init__(self, site: Site, root: str | None) -> None:
        self._root = root
        self._seen = {line.strip() for line in (site.prefix + site.suffix).split("\n")}

    @staticmethod
    def cost(item: tuple[str, str]) -> int:
        """Characters of a path and a text as a file of the prompt."""
        return len(item[0]) + len(item[1]) + _FILE_CHARS

    def chosen(self, snippets: Iterable[Snippet], room: int) -> list[tuple[str, str]]:
        found = []
        for snippet in snippets:
            item = relative_path(snippet.path, self._root), for_model(snippet.text)
            lines = {line.strip() for line in item[1].split("\n")} - {""}
            if self.cost(item) <= room and not lines <= self._seen:
                self._seen |= lines
                found.append(item)
                room -= self.cost(item)
        return found
