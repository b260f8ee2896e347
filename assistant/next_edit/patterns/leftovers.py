"""Lines that the user deleted in one place are deleted where the same lines stand. Any language.

One deletion says little; the lines must say something (a bare ``return`` or ``}`` does not) and stand in few places.
"""

from __future__ import annotations

from collections.abc import Iterator

from assistant.next_edit.patterns.context import Context, Site
from assistant.next_edit.patterns.edits import Edit
from assistant.next_edit.patterns.tokens import is_word, line_end, line_start, tokens
from assistant.next_edit.types import Candidate, Document

MIN_TOKENS = 4
MAX_MATCHES = 4  # for one example
MAX_LINES = 12


def find(context: Context) -> Iterator[Candidate]:
    groups: dict[str, list[Edit]] = {}
    for edit in context.edits:
        gone = _deleted(edit)
        if gone:
            groups.setdefault(gone, []).append(edit)
    for gone, edits in groups.items():
        for document in context.documents:
            context.cancel.check()
            yield from _left(context, document, gone, edits)


def _deleted(edit: Edit) -> str:
    """The whole lines that an edit deleted, without their indentation; "" when it did something else."""
    if edit.inserted.strip() or not edit.removed.strip():
        return ""
    start, end = line_start(edit.base, edit.old_start), line_end(edit.base, edit.old_end)
    rest = edit.base[start : edit.old_start] + edit.base[edit.old_end : end]
    if rest.strip() and not edit.removed.endswith("\n") and not edit.removed.startswith("\n"):
        return ""
    gone = edit.removed.strip()
    signs = tokens(gone)
    if gone.count("\n") >= MAX_LINES or len(signs) < MIN_TOKENS or sum(1 for t in signs if is_word(t.text)) < 2:
        return ""
    return gone


def _left(context: Context, document: Document, gone: str, edits: list[Edit]) -> Iterator[Candidate]:
    text = document.text
    sites = []
    at = text.find(gone)
    while at != -1:
        start, end = line_start(text, at), line_end(text, at + len(gone))
        is_alone = not text[start:at].strip() and not text[at + len(gone) : end].strip()
        if is_alone and not context.is_touched(document, start, end):  # the user may have moved it here
            stop = text.find("\n", end)
            sites.append(Site(start, len(text) if stop == -1 else stop + 1, ""))
        at = text.find(gone, at + len(gone))
    if not sites or (len(edits) < 2 and len(sites) > MAX_MATCHES):
        return
    features = {
        "tokens": float(len(tokens(gone))),
        "lines": float(gone.count("\n") + 1),
        "same_file": float(any(e.uri == document.uri for e in edits)),
        "recent": float(max(e.order for e in edits) == context.last_order),
    }
    why = f"'{gone.splitlines()[0][:40]}' was deleted elsewhere"
    yield from context.candidates("leftover", document, sites, why, len(edits), features)
