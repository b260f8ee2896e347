"""An exception that is caught and forgotten: a broad ``except`` without a word, or one behind which a name may be unbound.

The first asks for everything being caught (bare, Exception) and nothing done, not even a comment. The second needs no breadth:
the ``try`` was to bind a name, the handler goes on without it, and the code below reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Problem, local
from assistant.review.rules.page import FUNCTIONS, Page, field, nth, statements, within

if TYPE_CHECKING:
    from tree_sitter import Node

_BROAD = frozenset(("", "Exception", "BaseException"))
_EMPTY = frozenset(("pass_statement", "ellipsis"))
_LEAVES = ("return_statement", "raise_statement", "continue_statement", "break_statement")
_CLEANUP = (
    "close",
    "cleanup",
    "shutdown",
    "stop",
    "teardown",
    "__del__",
    "__exit__",
    "__aexit__",
    "disconnect",
    "terminate",
    "kill",
)


def check(page: Page) -> Iterator[Problem]:
    for node in page.of("except_clause"):
        yield from _forgotten(page, node)
    for node in page.of("catch_clause"):
        yield from _empty_catch(node)
    if page.language == "python":
        for node in page.of("try_statement"):
            yield from _unbound(page, node)


def _forgotten(page: Page, node: Node) -> Iterator[Problem]:
    block = node.named_children[-1] if node.named_child_count else None
    if block is None or block.type != "block" or any(_is_comment(child) for child in (*node.children, *block.children)):
        return
    body = statements(block)
    if len(body) != 1 or not _is_nothing(body[0]) or _caught(page, node) not in _BROAD or _is_cleanup(page, node):
        return
    what = "everything, KeyboardInterrupt too," if not _caught(page, node) else "every exception"
    yield Problem(
        node,
        f"This catches {what} and says nothing: a mistake in the try above looks like success.",
        key="forgotten",
        severity="medium",
        confidence=0.6,
    )


def _is_comment(node: Node) -> bool:
    return node.type == "comment"


def _is_nothing(statement: Node) -> bool:
    value = nth(statement, 0)
    return statement.type in _EMPTY or (value is not None and value.type in _EMPTY)


def _caught(page: Page, node: Node) -> str:
    """The class that a handler catches, "" for all, "?" for several."""
    value = nth(node, 0)
    if value is None or value.type == "block":
        return ""
    if value.type == "as_pattern":
        value = nth(value, 0)
    return page.src(value)


def _is_cleanup(page: Page, node: Node) -> bool:
    """Whether the try only tidies up, where there is nothing else to do."""
    function = page.function_at(node)
    if function is not None and any(word in function.name.lower() for word in _CLEANUP):
        return True
    parent = node.parent
    tried = statements(field(parent, "body"))
    text = page.src(tried[0]) if len(tried) == 1 else ""
    return any(f".{word}(" in text for word in (*_CLEANUP, "unlink", "remove", "rmtree", "release", "flush"))


def _empty_catch(node: Node) -> Iterator[Problem]:
    body = field(node, "body")
    if body is not None and not body.named_children:
        yield Problem(
            node,
            "This catches every error and says nothing: a mistake in the try above looks like success.",
            key="forgotten",
            severity="medium",
            confidence=0.55,
        )


def _unbound(page: Page, node: Node) -> Iterator[Problem]:
    """``try: x = f()`` / ``except E: log`` and then ``x``."""
    tried = statements(field(node, "body"))
    function = page.function_at(node)
    if function is None or not tried or node.parent is None:
        return
    handlers = [child for child in node.named_children if child.type == "except_clause"]
    going_on = [handler for handler in handlers if not _leaves(page, handler)]
    bound = [page.src(field(nth(s, 0), "left")) for s in tried if s.type == "expression_statement" and nth(s, 0) is not None]
    if not going_on or _leaves_block(page, tried):
        return
    for name in bound:
        if not name.isidentifier() or any(name in _binds(page, handler) for handler in going_on):
            continue
        if any(
            m.name == name and m.kind != "read" and function.node.start_byte <= m.start < node.start_byte
            for m in page.table.mentions
        ):
            continue
        use = _read_after(page, node, name)
        if use is not None:
            yield Problem(
                use,
                f"{name} has no value here when the try above failed: line {going_on[0].start_point[0] + 1} goes on after the "
                "exception, and this raises UnboundLocalError.",
                key=name,
                touched=(use, going_on[0], tried[0]),
                evidence=(going_on[0],),
                severity="high",
                confidence=0.85,
            )


def _leaves(page: Page, handler: Node) -> bool:
    block = handler.named_children[-1] if handler.named_child_count else None
    return block is None or block.type != "block" or _leaves_block(page, statements(block))


def _leaves_block(page: Page, body: list[Node]) -> bool:
    """Whether a block surely ends the function or the turn; a call of something that may never return counts."""
    if not body:
        return False
    last = body[-1]
    if any(node.type in _LEAVES for node in body) or within(last, *_LEAVES, stop=FUNCTIONS):
        return True
    text = page.src(last)
    return any(word in text for word in ("exit", "fail", "abort", "error(", "skip", "raise", "die"))


def _binds(page: Page, node: Node) -> set[str]:
    return {m.name for m in page.mentions_in(node.start_byte, node.end_byte) if m.kind != "read"}


def _read_after(page: Page, node: Node, name: str) -> Node | None:
    """The first statement of the same block behind a try that reads a name before binding it, and not in a guarded way."""
    if any(child.type in ("else_clause", "finally_clause") and name in page.src(child) for child in node.named_children):
        return None
    here = node.next_named_sibling
    while here is not None:
        names = [found for found in within(here, "identifier", stop=FUNCTIONS) if page.src(found) == name]
        if names:
            simple = here.type in ("return_statement", "expression_statement", "if_statement", "for_statement")
            first = names[0]
            parent = first.parent
            is_bound = parent is not None and parent.type in ("assignment", "for_statement") and field(parent, "left") == first
            return first if simple and not is_bound and "locals()" not in page.src(here) else None
        if here.type in _LEAVES or _may_leave(here):
            return None
        here = here.next_named_sibling
    return None


def _may_leave(node: Node) -> bool:
    """Whether a statement may end the function when the try failed: a test of some flag."""
    return bool(within(node, *_LEAVES, stop=FUNCTIONS))


RULE = local("swallowed-exception", "bug", BOTH, check, lambda view: not view.is_test)
