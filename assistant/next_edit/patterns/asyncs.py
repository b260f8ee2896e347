"""``async`` and ``await`` go together: a function that became ``async`` is awaited where it is called from one that is, a
function in which an ``await`` was written becomes ``async``; and back. Python and JavaScript/TypeScript; by the callee's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.next_edit.patterns.calls import arguments_at
from assistant.next_edit.patterns.context import Context, Site
from assistant.next_edit.patterns.edits import Edit
from assistant.next_edit.patterns.signatures import FUNCTIONS, name_of
from assistant.next_edit.patterns.tokens import tokens
from assistant.next_edit.patterns.trees import Parsed
from assistant.next_edit.types import Candidate, Document

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_CALLS = 60
_GENERIC = frozenset(
    ["get", "set", "run", "close", "open", "read", "write", "start", "stop", "send", "add", "call", "__init__"]
)


def find(context: Context) -> Iterator[Candidate]:
    for edit in context.edits:
        context.cancel.check()
        come = {t.text for t in tokens(edit.text, edit.start, edit.end)}
        gone = {t.text for t in tokens(edit.base, edit.old_start, edit.old_end)}
        if "async" in come ^ gone:
            yield from _calls(context, edit, "async" in come)
        if "await" in come - gone:
            yield from _header(context, edit)


def _calls(context: Context, edit: Edit, is_async: bool) -> Iterator[Candidate]:
    document = context.scene.find(edit.uri)
    function = _defined(context.now(document), edit) if document is not None else None
    if document is None or function is None:
        return
    name = name_of(context.now(document), function)
    if not name or name in _GENERIC:
        return
    for other in context.documents:
        if name not in other.text:
            continue
        sites = list(_sites(context, other, name, is_async))
        features = {
            "is_async": float(is_async),
            "same_file": float(other.uri == edit.uri),
            "recent": float(edit.order == context.last_order),
        }
        why = f"'{name}' is {'now' if is_async else 'no longer'} async"
        yield from context.candidates("async", other, sites, why, 1, features)


def _defined(now: Parsed, edit: Edit) -> Node | None:
    """The function whose header begins at the place of an edit."""
    node = now.node(edit.start, edit.end + 1)
    while node is not None and node.type not in FUNCTIONS:
        node = node.parent
    if node is None or node.has_error:
        return None
    start, _ = now.span(node)
    return node if edit.start - 20 <= start <= edit.end + 1 and "\n" not in now.text[start : edit.end].strip() else None


def _sites(context: Context, document: Document, name: str, is_async: bool) -> Iterator[Site]:
    now = context.now(document)
    for at in now.words(name)[:MAX_CALLS]:
        context.cancel.check()
        arguments = arguments_at(now, at, len(name))
        call = arguments.parent if arguments is not None else None
        if call is None or call.parent is None:
            continue
        awaited = call.parent.type in ("await", "await_expression")
        start, _ = now.span(call)
        if is_async and not awaited and is_in_async(now, call) and now.text[start - 1 : start] != ".":
            if call.parent.type in ("attribute", "member_expression", "subscript", "call", "call_expression"):
                end = now.span(call)[1]
                yield Site(start, end, f"(await {now.text[start:end]})")
            else:
                yield Site(start, start, "await ")
        elif not is_async and awaited:
            yield Site(now.span(call.parent)[0], start, "")


def is_in_async(now: Parsed, node: Node) -> bool:
    function = _around(node)
    return function is not None and _is_async(function)


def _around(node: Node) -> Node | None:
    here = node.parent
    while here is not None and here.type not in (*FUNCTIONS, "lambda"):
        here = here.parent
    return here


def _is_async(function: Node) -> bool:
    return any(child.type == "async" for child in function.children)


def _header(context: Context, edit: Edit) -> Iterator[Candidate]:
    """``async`` for the function in which ``await`` was written."""
    document = context.scene.find(edit.uri)
    if document is None or "await" not in edit.inserted:
        return
    now = context.now(document)
    at = edit.start + edit.inserted.find("await")
    node = now.node(at, at + 5)
    function = _around(node) if node is not None else None
    if function is None or _is_async(function) or function.type == "lambda" or not now.is_code(at, at + 5):
        return
    start, _ = now.span(function)
    if now.text[start : start + 3] in ("get", "set") or context.is_touched(document, start, start + 1):
        return
    features = {"is_async": 1.0, "header": 1.0, "recent": float(edit.order == context.last_order)}
    yield from context.candidates("async", document, [Site(start, start, "async ")], "it awaits now", 1, features)
