"""What is being written at a cursor, by its last characters; and what a retriever is asked and answers.

Values and one protocol, so that whoever asks need not load the index. Knows brackets and dotted names; resolves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant.cancel import Cancel
from assistant.types import Snapshot
from assistant.workspace import parse
from assistant.workspace.brackets import in_text, scan

NEAR = ("callee", "members")
"""What is asked for at the cursor itself: the function whose arguments are written, and what the receiver before a dot has."""
AROUND = ("own", "imports", "similar", "edits")
"""What is asked for once a definition: members of the class around it, what its imports mean, blocks like it, recent edits."""

DEADLINE_MS = 20.0
_REACH = 2_000
_LONGEST = 200  # of a dotted name: looking for its beginning takes the square of it
_CALLED = re.compile(r"([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)[ \t]*$")
_DOTTED = re.compile(r"([A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*)\.[\w$]*$")
_HEADER = re.compile(r"(?:def|class|function|func|fn)[ \t]+[\w.]*$")


@dataclass(frozen=True)
class Snippet:
    """A piece of what the workspace says. ``kind``: one of `NEAR` or `AROUND`. ``path``: of the file it is from, absolute.
    ``name``: what it is about. ``text``: lines of code or stubs, without a line end.
    """

    kind: str
    path: str
    name: str
    text: str


@dataclass(frozen=True)
class Snippets:
    """In the order of the kinds asked for. ``late``: those of which nothing can be said yet: the deadline passed, or the
    document is not known, perhaps not yet.
    """

    items: tuple[Snippet, ...] = ()
    late: tuple[str, ...] = ()


@dataclass(frozen=True)
class Aim:
    """What is being written: ``callee``, the dotted name whose arguments; ``receiver``, the dotted name before the last dot.
    Both are "" in strings and comments.
    """

    callee: str = ""
    receiver: str = ""


class Retriever(Protocol):
    """Called from one thread at a time, never the event loop's; never raises."""

    def snippets(
        self, snapshot: Snapshot, kinds: Sequence[str], shown: str, cancel: Cancel, deadline_ms: float = DEADLINE_MS
    ) -> Snippets:
        """What may help at the snapshot's cursor and is not in ``shown``, as far as it is found within ``deadline_ms``."""


def aim(snapshot: Snapshot) -> Aim:
    """What is being written at the snapshot's cursor: 0.1 ms, from the last 2,000 characters."""
    head = snapshot.text[max(0, snapshot.offset - _REACH) : snapshot.offset].replace("\r\n", "\n")
    head = head[parse.safe_start(head, snapshot.language) :]
    stack = scan(head, snapshot.language).stack
    if in_text(stack):
        return Aim()
    call = next((entry for entry in reversed(stack) if entry.mark == "("), None)
    before = head[max(0, call.at - _LONGEST) : call.at] if call is not None else ""
    called = _CALLED.search(before) if not _HEADER.search(before) else None
    dotted = _DOTTED.search(head[max(head.rfind("\n") + 1, len(head) - _LONGEST) :])
    return Aim(called.group(1) if called else "", dotted.group(1) if dotted else "")
