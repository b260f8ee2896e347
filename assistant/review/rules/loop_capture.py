"""A function made in a loop that reads the loop's variable and is kept for later: all of them see its last value.

Kept means: put into a list or dict, assigned to an attribute or item, given to something that calls it back later, yielded. A
function that is called within the same turn is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import PYTHON, Problem, local
from assistant.review.rules.page import Page, around, field, walk, within

if TYPE_CHECKING:
    from tree_sitter import Node

    from assistant.review.rules.base import Edit

_LOOPS = frozenset(
    ("for_statement", "list_comprehension", "dictionary_comprehension", "set_comprehension", "generator_expression")
)
_LATER = "add_done_callback call_later call_soon connect after bind register submit add_callback subscribe on Timer Thread"
_CALLED_LATER = frozenset(
    (*_LATER.split(), "append", "add", "insert", "setdefault", "appendleft", "addCleanup", "push", "add_job")
)


def check(page: Page) -> Iterator[Problem]:
    for node in page.of("lambda"):
        loop = around(node, _LOOPS, frozenset(("function_definition", "lambda")))
        if loop is not None and _is_kept(page, node, loop):
            yield from _captured(page, node, node, loop)
    for function in page.functions:
        loop = around(function.outer, _LOOPS, frozenset(("function_definition", "lambda", "class_definition")))
        if loop is not None and loop.type == "for_statement" and not function.decorators:
            use = _kept_name(page, function.name, loop, function.node)
            if use is not None:
                yield from _captured(page, function.node, use, loop)


def _is_kept(page: Page, node: Node, loop: Node) -> bool:
    parent = node.parent
    if loop.type != "for_statement":
        return parent == loop or (
            parent is not None and parent.type == "pair" and parent.parent == loop and loop.type != "generator_expression"
        )
    if parent is None:
        return False
    if parent.type == "assignment":
        left = field(parent, "left")
        return left is not None and left.type in ("attribute", "subscript")
    if parent.type in ("argument_list", "keyword_argument"):
        holder = parent if parent.type == "argument_list" else parent.parent
        call = holder.parent if holder is not None else None
        function = field(call, "function")
        name = page.src(field(function, "attribute") or function)
        return name in _CALLED_LATER
    return parent.type == "yield"


def _kept_name(page: Page, name: str, loop: Node, definition: Node) -> Node | None:
    """Where a function of the loop is kept by its name."""
    for node in within(field(loop, "body"), "identifier"):
        if page.src(node) == name and node.start_byte > definition.end_byte and _is_kept(page, node, loop):
            return node
    return None


def _targets(page: Page, loop: Node) -> set[str]:
    """The loop's own variables and what its body computes from them."""
    lefts = (
        [field(loop, "left")]
        if loop.type == "for_statement"
        else [field(c, "left") for c in loop.named_children if c.type == "for_in_clause"]
    )
    return {page.src(node) for left in lefts if left is not None for node in within(left, "identifier")}


def _captured(page: Page, function: Node, kept: Node, loop: Node) -> Iterator[Problem]:
    parameters = field(function, "parameters")
    own = {page.src(node) for node in within(parameters, "identifier")} if parameters is not None else set()
    body = field(function, "body")
    bound = {page.src(field(node, "left")) for node in within(body, "assignment", "for_statement", "for_in_clause")}
    for name in sorted(_targets(page, loop) - own - bound - {"_"}):
        use = (
            next((node for node in walk(body) if node.type == "identifier" and page.src(node) == name and _is_read(node)), None)
            if body
            else None
        )
        if use is None:
            continue
        yield Problem(
            function if function.type == "lambda" else kept,
            f"All functions made in this loop read the same `{name}`, and it has its last value when they are called.",
            key=name,
            touched=(function, kept),
            evidence=(loop, use),
            edits=_edits(function, parameters, name),
            severity="high",
            confidence=0.85,
        )


def _is_read(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    if parent.type == "attribute":
        return field(parent, "object") == node
    return not (parent.type == "keyword_argument" and field(parent, "name") == node)


def _edits(function: Node, parameters: Node | None, name: str) -> tuple[Edit, ...]:
    if function.type != "lambda":
        return ()
    if parameters is None:
        at = function.start_byte + len(b"lambda")
        return ((at, at, f" {name}={name}"),)
    return ((parameters.end_byte, parameters.end_byte, f", {name}={name}"),) if b"*" not in (parameters.text or b"") else ()


RULE = local("loop-capture", "bug", PYTHON, check)
