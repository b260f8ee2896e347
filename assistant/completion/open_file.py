"""The open file as the engine's n-gram caches want it: its name, and all its text on both sides of the cursor.

Knows snapshots and sites; not what the caches do with them, nor how much of a long file travels (`assistant.wire`).
"""

from __future__ import annotations

from assistant.completion.context import Site
from assistant.types import OpenFile, Snapshot


def open_file(site: Site, snapshot: Snapshot) -> OpenFile:
    """``site`` is the snapshot's cursor, perhaps after an entry of the editor's popup was accepted."""
    above, below = site.text[: site.offset], site.text[site.offset :]
    if "\r" in site.text:
        above, below = above.replace("\r\n", "\n"), below.replace("\r\n", "\n")
    return OpenFile(snapshot.path or snapshot.uri, above, below)
