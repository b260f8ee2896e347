"""A value was given a name: where the same expression stands in reach of the name, the name takes its place.

``limit = config["limit"]`` was added, so ``config["limit"]`` below becomes ``limit``. A module's constant reaches the whole
file, a local its function. Python and JavaScript/TypeScript; an expression of three tokens or more, or a longer string.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.next_edit.patterns.context import Context, Site
from assistant.next_edit.patterns.edits import Edit
from assistant.next_edit.patterns.signatures import FUNCTIONS
from assistant.next_edit.patterns.tokens import is_word, line_end, line_start, tokens
from assistant.next_edit.patterns.trees import Parsed
from assistant.next_edit.types import Candidate, Document

if TYPE_CHECKING:
    from tree_sitter import Node

MIN_TOKENS = 3
MAX_MATCHES = 12
MAX_LINES = 4  # that were added at once; more is new code rather than a name for old
_ASSIGNED = re.compile(
    r"[ \t]*(?:(?:export[ \t]+)?(?:const|let|var)[ \t]+)?([\w$]+)(?:[ \t]*:[^=\n]+)?"
    r"[ \t]*=[ \t]*(?![=>])(\S[^\n]*?);?[ \t]*\r?$"
)


def find(context: Context) -> Iterator[Candidate]:
    for edit in context.edits:
        context.cancel.check()
        document = context.scene.find(edit.uri)
        if document is None or not edit.inserted.strip() or edit.inserted.strip().count("\n") >= MAX_LINES:
            continue
        start = line_start(edit.text, edit.start + len(edit.inserted) - len(edit.inserted.lstrip()))
        while start < edit.end:
            end = line_end(edit.text, start)
            named = _ASSIGNED.match(edit.text, start, end)
            if named is not None and not _says_little(named.group(2)) and _is_new(edit, named):
                yield from _uses(context, document, edit, named)
            start = edit.text.find("\n", end) + 1 or edit.end


def _is_new(edit: Edit, named: re.Match[str]) -> bool:
    """Whether the value was there before and the name for it was not."""
    return named.group(2) in edit.base and f"{named.group(1)} = {named.group(2)}" not in edit.base


def _says_little(expression: str) -> bool:
    signs = tokens(expression)
    if expression[:1] in "\"'`":
        return len(expression) < 6 or expression[-1:] != expression[:1]
    opened = sum(expression.count(s) for s in "([{") - sum(expression.count(s) for s in ")]}")
    return (
        len(signs) < MIN_TOKENS
        or not is_word(signs[0].text)
        or opened != 0
        or expression.startswith(("await ", "yield", "lambda"))
    )


def _uses(context: Context, document: Document, edit: Edit, named: re.Match[str]) -> Iterator[Candidate]:
    name, expression = named.group(1), named.group(2)
    now = context.now(document)
    if now.tree is None or now.is_broken(*named.span()):
        return
    limit = _reach(now, named.start(2))
    sites = []
    at = document.text.find(expression, named.end(), limit)
    while at != -1:
        end = at + len(expression)
        if _is_whole(now, at, end) and not context.is_typing(document.uri, at, end):
            sites.append(Site(at, end, name))
        at = document.text.find(expression, end, limit)
    if not 0 < len(sites) <= MAX_MATCHES:
        return
    features = {
        "tokens": float(len(tokens(expression))),
        "call": float("(" in expression),
        "string": float(expression[0] in "\"'`"),
        "taken": float(bool(context.before(document).words(name))),
        "recent": float(edit.order == context.last_order),
    }
    yield from context.candidates("extract", document, sites, f"it is called '{name}' now", 1, features)


def _reach(now: Parsed, at: int) -> int:
    """The end of what sees a name that is declared at a place."""
    node: Node | None = now.node(at, at + 1)
    while node is not None and node.type not in FUNCTIONS:
        node = node.parent
    return now.span(node)[1] if node is not None else len(now.text)


def _is_whole(now: Parsed, start: int, end: int) -> bool:
    """Whether a place is one expression of the tree, and not the target of an assignment."""
    node = now.node(start, end)
    if node is None or now.span(node) != (start, end):
        return False
    parent = node.parent
    return parent is not None and not (
        parent.type in ("assignment", "augmented_assignment", "assignment_expression")
        and parent.child_by_field_name("left") == node
    )
