"""What is being written at a cursor, by its last characters; and what a retriever answers for it.

Values and one protocol, so that whoever asks need not load the index. Knows brackets and dotted names; resolves nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from assistant.cancel import Cancel
from assistant.types import Snapshot
from assistant.workspace import parse
from assistant.workspace.brackets import in_text, scan

KINDS = ("own", "members")
"""What the class around the cursor has, and what the receiver before the dot has: in the order in which they are looked for."""

DEADLINE_MS = 20.0
_REACH = 2_000
_DOTTED = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\.\w*$")


@dataclass(frozen=True)
class Snippet:
    """Lines of use. ``kind``: one of `KINDS`. ``path``: of the file that defines it, absolute. ``name``: what is used."""

    kind: str
    path: str
    name: str
    text: str


@dataclass(frozen=True)
class Snippets:
    """In the order of `KINDS`. ``late``: kinds that were not there by the deadline."""

    items: tuple[Snippet, ...] = ()
    late: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All lines of use, each once."""
        lines = (line for snippet in self.items for line in snippet.text.split("\n"))
        return "".join(f"{line}\n" for line in dict.fromkeys(lines))


@dataclass(frozen=True)
class Aim:
    """What is being written at a cursor: while it stays the same, so does what is retrieved.

    ``receiver``: the dotted name before the last dot, "" in strings and comments.
    """

    path: str
    line: int
    receiver: str = ""


class Retriever(Protocol):
    """Called from one thread at a time, never the event loop's; never raises."""

    def snippets(self, snapshot: Snapshot, cancel: Cancel, deadline_ms: float = DEADLINE_MS) -> Snippets:
        """What may help at the snapshot's cursor, as far as it was found within ``deadline_ms``."""


def aim(snapshot: Snapshot) -> Aim:
    """What is being written at the snapshot's cursor: 0.1 ms, from the last 2,000 characters."""
    text, offset = snapshot.text, snapshot.offset
    head = text[max(0, offset - _REACH) : offset].replace("\r\n", "\n")
    head = head[parse.safe_start(head, snapshot.language) :]
    is_text = in_text(scan(head, snapshot.language).stack)
    dotted = None if is_text else _DOTTED.search(head[head.rfind("\n") + 1 :])
    return Aim(snapshot.path or "", text.count("\n", 0, offset), dotted.group(1) if dotted else "")
