"""A function that always gave a value and now can end without one; a value that is computed and no longer returned.

Compares the two versions of a function. A function that never returned a value, or only sometimes did, is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.page import FUNCTIONS, Function, Page, field, nth, squeezed, statements, within
from assistant.review.rules.view import View

if TYPE_CHECKING:
    from tree_sitter import Node

_ENDS = frozenset(("return_statement", "raise_statement", "throw_statement"))
_NO_RETURN = re.compile(rb"(?:\w+\.)*_*(?:re)?(?:raise|fail|abort|die|error|exit|skip|panic|assert_never|unreachable)\w*\(")
_CHANGES = (
    "update|append|extend|insert|add|remove|clear|sort|write\\w*|close|put|set\\w*|register|emit|log|debug|info|warning|error"
)
_NOTHING = re.compile(rf"\.(?:{_CHANGES})\([^()]*\)$")  # methods that give nothing: returning one was a way to end
_GENERATOR = ("yield", "yield_expression")


def check(view: View) -> Iterator[Problem]:
    old, new = view.old, view.new
    if old is None or new is None:
        return
    for pair in view.pairs:
        view.cancel.check()
        if not _gives(pair.old) or _falls(pair.old.body) or within(pair.new.body, *_GENERATOR, stop=FUNCTIONS):
            continue
        if (
            _is_void(pair.after, pair.new)
            or not _falls(pair.new.body)
            or pair.new.marked("abstractmethod", "overload")
            or "NoReturn" in new.src(pair.new.node)
        ):
            continue
        valued = _valued(pair.new)
        lost = [node for node in _valued(pair.old) if view.is_removed(node)]
        if not lost and not _is_shortened(view, pair.new):
            continue
        yield _problem(view, old, new, pair.new, valued, lost)


def _is_void(page: Page, function: Function) -> bool:
    """Whether the header says that nothing comes back."""
    return page.src(field(function.node, "return_type")).strip("\"': ") in ("None", "NoReturn", "Never", "void", "never")


def _problem(view: View, old: Page, new: Page, function: Function, valued: list[Node], lost: list[Node]) -> Problem:
    name = field(function.node, "name") or function.node
    dropped = _dropped(view, old, new, function, lost)
    if dropped is not None:
        return Problem(
            dropped,
            f"The value of this is no longer returned, and {function.name} gives "
            f"{'None' if new.language == 'python' else 'undefined'} here: before, every path returned a value.",
            evidence=(name,),
            edits=((dropped.start_byte, dropped.start_byte, "return "),),
            severity="high",
            confidence=0.85,
        )
    row = min(view.landing(lost[-1].start_point[0]), function.node.end_point[0]) if lost else function.node.end_point[0]
    none = "None" if new.language == "python" else "undefined"
    said = (
        f"ends without a value on some path now and gives {none} there" if valued else f"returns nothing now and gives {none}"
    )
    return Problem(
        name,
        f"{function.name} {said}: before, every path returned a value.",
        key=function.qualified,
        evidence=(valued[0],) if valued else (),
        severity="medium",
        confidence=0.6 if valued else 0.3,
        row=row,
    )


def _dropped(view: View, old: Page, new: Page, function: Function, lost: list[Node]) -> Node | None:
    """The expression that was returned and now stands alone."""
    values = {squeezed(text) for node in lost if not _NOTHING.search(text := old.src(nth(node, 0)))}
    for node in within(function.body, "expression_statement", stop=FUNCTIONS):
        if view.is_changed(node) and squeezed(new.src(node)).rstrip(";") in values:
            return node
    return None


def _is_shortened(view: View, function: Function) -> bool:
    """Whether the change touched the function's last statements, where a path may have lost its end."""
    return any(
        view.is_changed(node) for node in within(function.body, "if_statement", "try_statement", "else_clause", stop=FUNCTIONS)
    )


def _valued(function: Function) -> list[Node]:
    return [n for n in within(function.body, "return_statement", stop=FUNCTIONS) if n.named_child_count and not _is_none(n)]


def _is_none(node: Node) -> bool:
    value = nth(node, 0)
    return value is None or value.type in ("none", "comment", "null", "undefined")


def _gives(function: Function) -> bool:
    """Whether every return of a function has a value."""
    returns = within(function.body, "return_statement", stop=FUNCTIONS)
    if function.body is not None and function.body.type not in ("block", "statement_block"):
        return False  # an arrow function's expression
    return (
        bool(returns)
        and all(node.named_child_count and not _is_none(node) for node in returns)
        and not within(function.body, *_GENERATOR, stop=FUNCTIONS)
    )


def _falls(block: Node | None) -> bool:
    """Whether the end of a block can be reached, as far as its shape tells."""
    inside = statements(block)
    if not inside:
        return True
    last = inside[-1]
    if last.type in _ENDS:
        return False
    if last.type == "if_statement":
        return _if_falls(last)
    if last.type in ("with_statement", "block", "statement_block"):
        return _falls(field(last, "body") if last.type == "with_statement" else last)
    if last.type == "try_statement":
        return _try_falls(last)
    if last.type == "while_statement":
        return not _is_endless(last)
    if last.type in ("match_statement", "switch_statement", "for_statement", "for_in_statement", "do_statement"):
        return last.type in ("for_statement", "for_in_statement") and not _for_else(last)
    return not _exits(last)


def _exits(node: Node) -> bool:
    """Whether a statement is a call that does not come back, by its name."""
    return _NO_RETURN.match(node.text or b"") is not None


def _if_falls(node: Node) -> bool:
    branches = [field(node, "consequence")]
    has_else = False
    for part in node.children_by_field_name("alternative"):
        if part.type == "elif_clause":
            branches.append(field(part, "consequence"))
            continue
        has_else = True
        inner = field(part, "body") or nth(part, 0)
        if inner is not None and inner.type == "if_statement":
            if _if_falls(inner):
                return True
            continue
        branches.append(inner)
    return not has_else or any(_branch_falls(branch) for branch in branches)


def _branch_falls(branch: Node | None) -> bool:
    if branch is not None and branch.type not in ("block", "statement_block"):
        return branch.type not in _ENDS
    return _falls(branch)


def _try_falls(node: Node) -> bool:
    parts = {part.type: part for part in node.named_children}
    final = parts.get("finally_clause")
    if final is not None and final.named_child_count and not _falls(final.named_children[-1]):
        return False
    handlers = [part for part in node.named_children if part.type in ("except_clause", "catch_clause", "except_group_clause")]
    blocks = [handler.named_children[-1] for handler in handlers if handler.named_child_count]
    other = parts.get("else_clause")
    body = field(other, "body") if other is not None else field(node, "body")
    if other is not None and not _falls(field(node, "body")):
        body = field(node, "body")
    return _falls(body) or any(_falls(block) for block in blocks)


def _is_endless(node: Node) -> bool:
    condition = field(node, "condition")
    text = (condition.text or b"").strip(b"()") if condition is not None else b""
    return text in (b"True", b"1", b"true") and not within(field(node, "body"), "break_statement", stop=FUNCTIONS)


def _for_else(node: Node) -> bool:
    other = field(node, "alternative")
    return other is not None and not _falls(field(other, "body"))


RULE = Across("missing-return", "bug", BOTH, check)
