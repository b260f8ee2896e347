"""A coroutine that nobody awaits: an ``async def`` of the file, of a changed file or of asyncio, called as if it ran at once.

Says so where the result is thrown away, or used as the value that only an ``await`` gives. A coroutine that is passed on or
kept may be awaited elsewhere and is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Looking, Problem
from assistant.review.rules.page import FUNCTIONS, SCRIPT, Function, Page, around, bare, field
from assistant.review.rules.resolve import imported, target
from assistant.review.rules.view import View
from assistant.review.types import Evidence

if TYPE_CHECKING:
    from tree_sitter import Node

_LIBRARY = frozenset(
    ("asyncio.sleep", "asyncio.wait", "asyncio.wait_for", "asyncio.open_connection", "anyio.sleep", "trio.sleep")
)
_PROMISE = frozenset(("then", "catch", "finally"))
_COROUTINE = ("__await__", "send", "throw", "close", "cr_")
"""What a coroutine itself has."""
_CONDITIONS = frozenset(("if_statement", "while_statement", "elif_clause", "conditional_expression", "not_operator"))


def check(page: Page, view: View) -> Iterator[Problem]:
    """Calls of coroutines of the file, of what it imports, and of a few well-known ones."""
    for call in page.of("call", "call_expression"):
        use = _use(page, call)
        if use is None:
            continue
        function, where, home = target(page, call), view.path, page
        name = page.src(field(call, "function"))
        is_new = page is not view.new or view.is_changed(call)
        if function is None and is_new and (found := imported(page, view.path, call, view.project.read)) is not None:
            where, home, function = found
        if function is not None and not _is_coroutine(function):
            continue
        if function is None and name not in _LIBRARY:
            continue
        proof = (view.evidence(function.node, where, home),) if function is not None else ()
        header = field(function.node, "name") if function is not None and home is page else None
        yield _problem(call, name, use, proof, (call, header) if header is not None else ())


def _is_coroutine(function: Function) -> bool:
    return function.is_async and not function.decorators and not _is_generator(function)


def _is_generator(function: Function) -> bool:
    pending = [function.body] if function.body is not None else []
    while pending:
        node = pending.pop()
        if node.type in ("yield", "yield_expression"):
            return True
        pending.extend(child for child in node.named_children if child.type not in FUNCTIONS)
    return function.node.type.startswith("generator")


def _use(page: Page, call: Node) -> str | None:
    """How the coroutine is misused; ``None`` where it may be right."""
    parent = call.parent
    while parent is not None and parent.type == "parenthesized_expression":
        call, parent = parent, parent.parent
    if parent is None:
        return None
    if parent.type == "expression_statement" and page.language not in SCRIPT:
        return "thrown away"
    if parent.type in ("attribute", "member_expression") and field(parent, "object") == call:
        name = page.src(field(parent, "property") or field(parent, "attribute"))
        return None if name in _PROMISE or name.startswith(_COROUTINE) else "read"
    if parent.type in _CONDITIONS and (parent.type in ("not_operator",) or field(parent, "condition") == call):
        return "tested"
    if parent.type in ("subscript", "subscript_expression") and (field(parent, "value") or field(parent, "object")) == call:
        return "read"
    return "compared" if parent.type == "comparison_operator" else None


def _problem(call: Node, name: str, use: str, proof: tuple[Evidence, ...], touched: tuple[Node, ...]) -> Problem:
    outer = around(call, FUNCTIONS)
    can_await = outer is not None and outer.child_count > 0 and any(child.type == "async" for child in outer.children[:4])
    said = {
        "thrown away": "the coroutine is made and thrown away, so its body never runs",
        "read": "this looks into the coroutine, not into its result",
        "tested": "a coroutine is always true",
        "compared": "this compares the coroutine, not its result",
    }[use]
    bracket = use == "read"
    whole = bare(call) or call
    edits = [(whole.start_byte, whole.start_byte, "(await " if bracket else "await ")]
    if bracket:
        edits.append((whole.end_byte, whole.end_byte, ")"))
    return Problem(
        call,
        f"{name}() is async and is not awaited: {said}.",
        touched=touched,
        evidence=proof,
        edits=tuple(edits) if can_await else (),
        severity="high",
        confidence=0.92,
    )


RULE = Looking("missing-await", "bug", BOTH, check)
