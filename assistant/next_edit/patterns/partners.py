"""What belongs to a renamed thing without being code: its name in the docstring and the comments around it, the closing tag
of an opening one.

Words of prose are no names: a name must be marked as one (``:param x:``, backticks), or be a local's in its own function and
look like one (an underscore, a capital inside). Authors leave most of what is said of it elsewhere as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.next_edit.patterns.context import Context, Site, Swapped
from assistant.next_edit.patterns.rename import Renamed, is_rename, renames
from assistant.next_edit.patterns.signatures import FUNCTIONS
from assistant.next_edit.patterns.trees import Parsed
from assistant.next_edit.types import Candidate, Document

MAX_MENTIONS = 12
_LOOKS_LIKE_A_NAME = re.compile(r"\w_\w|[a-z][A-Z]|\d")
_MARK = re.compile(r"(?:`|:(?:param|arg|type|attr|func|class|meth)(?: \w+)? ~?|@param (?:\{[^}]*\} )?)\Z")


def find(context: Context) -> Iterator[Candidate]:
    for renamed in renames(context):
        if any(o.kind == "write" for o in renamed.done):
            yield from _mentions(context, renamed)
    for swap in context.swapped:
        document = context.scene.find(swap.uri)
        if document is not None and swap.start and document.text[swap.start - 1] in "</" and is_rename(context, swap):
            yield from _tag(context, document, swap)


def _mentions(context: Context, renamed: Renamed) -> Iterator[Candidate]:
    document, old = renamed.document, renamed.old
    now = context.now(document)
    if now.tree is None:
        return
    start, end = _around(now, renamed)
    sites, marked = [], 0
    for at in now.words(old):
        if not start <= at < end or now.is_code(at, at + len(old)) or context.is_touched(document, at, at + len(old)):
            continue
        if document.text[at - 1 : at] == "." and renamed.every[0].scope != "module":
            continue  # something's attribute
        is_marked = _MARK.search(document.text[max(0, at - 60) : at]) is not None
        if is_marked or (renamed.every[0].scope != "module" and _LOOKS_LIKE_A_NAME.search(old)):
            marked += is_marked
            sites.append(Site(at, at + len(old), renamed.new))
    if len(sites) > MAX_MENTIONS:
        return
    features = {
        "marked": float(marked),
        "local": float(renamed.every[0].scope != "module"),
        "recent": float(renamed.swap.order == context.last_order),
    }
    why = f"'{old}' was renamed to '{renamed.new}'"
    yield from context.candidates("mention", document, sites, why, len(renamed.done), features)


def _around(now: Parsed, renamed: Renamed) -> tuple[int, int]:
    """The function of a local, the file of anything else."""
    if renamed.every[0].scope == "module":
        return 0, len(now.text)
    node = now.node(renamed.swap.start, renamed.swap.start + len(renamed.new))
    while node is not None and node.type not in FUNCTIONS:
        node = node.parent
    return now.span(node) if node is not None else (0, 0)


def _tag(context: Context, document: Document, swap: Swapped) -> Iterator[Candidate]:
    now = context.now(document)
    for at in now.words(swap.old):
        context.cancel.check()
        before = document.text[max(0, at - 2) : at]
        opens = document.text[swap.start - 1] == "<"
        is_other_end = before == "</" if opens else before[-1:] == "<"
        if is_other_end and _is_partner(document.text, swap, at, opens):
            site = Site(at, at + len(swap.old), swap.new)
            features = {"tag": 1.0, "recent": float(swap.order == context.last_order)}
            yield from context.candidates("mention", document, [site], "the tag's other end was renamed", 1, features)
            return


def _is_partner(text: str, swap: Swapped, at: int, opens: bool) -> bool:
    """Whether the tags of both names between the two places close each other."""
    if (at > swap.start) != opens:
        return False
    between = text[swap.start : at] if opens else text[at + len(swap.old) : swap.start - 2]
    for name in (swap.old, swap.new):
        word = re.escape(name)
        if len(re.findall(rf"<{word}(?![\w$.-])(?![^<>]*/>)", between)) != len(re.findall(rf"</{word}\s*>", between)):
            return False
    return True
