"""A condition the wrong way round: behind ``x is None`` (or ``not x``) the code uses ``x`` as if it were there.

The proof is in one function: the test, and in the branch that it opens an attribute, item or call of the same name with no
assignment between. Also ``x is not None or x.y`` and ``x is None and x.y``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Problem, local
from assistant.review.rules.page import FUNCTIONS, SCRIPT, Page, bare, field, nth, squeezed, statements, within

if TYPE_CHECKING:
    from tree_sitter import Node

_LEAVES = frozenset(("return_statement", "raise_statement", "continue_statement", "break_statement", "throw_statement"))
_NOTHING = frozenset(("none", "null", "undefined"))
_PATHS = frozenset(("identifier", "attribute", "member_expression"))


def check(page: Page) -> Iterator[Problem]:
    for node in page.of("if_statement", "elif_clause"):
        condition = bare(field(node, "condition"))
        name, is_none = _none_test(page, condition)
        if not name or condition is None:
            continue
        yes = field(node, "consequence")
        if is_none and yes is not None:
            yield from _used(page, condition, name, statements(yes) if yes.type in ("block", "statement_block") else [yes])
        elif node.type == "if_statement" and not is_none:
            yield from _else(page, node, condition, name)
            yield from _after(page, node, condition, name, yes)
    for node in page.of("boolean_operator", "binary_expression"):
        yield from _short_circuit(page, node)


def _none_test(page: Page, node: Node | None) -> tuple[str, bool]:
    """What is tested against None, and whether the test is true when it is None; ("", False) for another condition."""
    node = bare(node)
    if node is None:
        return "", False
    if node.type in ("not_operator", "unary_expression") and page.src(node)[:1] in ("n", "!"):
        name, is_none = _none_test(page, field(node, "argument") or nth(node, 0))
        return name, not is_none
    sides: tuple[Node | None, Node | None] = (None, None)
    operator = ""
    if node.type == "comparison_operator" and node.named_child_count == 2:
        sides = bare(nth(node, 0)), bare(nth(node, 1))
        operator = " ".join(child.type for child in node.children if not child.is_named)
    elif node.type == "binary_expression":
        sides, operator = (bare(field(node, "left")), bare(field(node, "right"))), page.src(field(node, "operator"))
    left, right = sides
    if left is None or right is None or right.type not in _NOTHING or left.type not in _PATHS:
        return "", False
    if operator in ("is", "==", "==="):
        return page.src(left), True
    return (page.src(left), False) if operator in ("is not", "!=", "!==") else ("", False)


def _used(page: Page, test: Node, name: str, block: list[Node]) -> Iterator[Problem]:
    use = _first_use(page, name, block)
    if use is not None:
        yield Problem(
            use,
            f"{name} is {_word(page)} here, by the test above, and this uses it: it raises whenever the branch runs.",
            key=f"{name}:{squeezed(page.src(use))}",
            touched=(test, use),
            evidence=(test,),
            severity="high",
            confidence=0.9,
        )


def _word(page: Page) -> str:
    return "None" if page.language == "python" else "null or undefined"


def _first_use(page: Page, name: str, block: list[Node]) -> Node | None:
    """The first dereference of a name, before any assignment or call that may set it."""
    is_path = "." in name
    for statement in block:
        for node in within(
            statement, "identifier", "attribute", "member_expression", "call", "call_expression", stop=FUNCTIONS
        ):
            if node.type in ("call", "call_expression"):
                if is_path and not page.src(field(node, "function")).startswith(f"{name}."):
                    return None  # a method may set self.x
                continue
            if page.src(node) != name:
                continue
            parent = node.parent
            if parent is None or _is_guarded(node, statement):
                continue
            if _is_bound_here(node, parent):
                return None
            owner = field(parent, "object") if parent.type in ("attribute", "member_expression") else field(parent, "value")
            if (
                owner == node
                and parent.type in ("attribute", "member_expression", "subscript")
                and "?." not in page.src(parent)
            ):
                return parent if not _is_assigned_in(page, statement, name) else None
        if _is_assigned_in(page, statement, name):
            return None
    return None


def _is_guarded(node: Node, top: Node) -> bool:
    """Whether another test of the name, or a try, stands between."""
    here = node.parent
    while here is not None and here != top.parent:
        if here.type in ("if_statement", "conditional_expression", "while_statement", "boolean_operator", "ternary_expression"):
            return True
        if here.type in ("try_statement", "lambda", "binary_expression") or here.type in FUNCTIONS:
            return True
        here = here.parent
    return False


def _is_bound_here(node: Node, parent: Node) -> bool:
    return parent.type in ("assignment", "assignment_expression", "named_expression", "for_statement") and node in (
        field(parent, "left"),
        field(parent, "name"),
    )


def _is_assigned_in(page: Page, statement: Node, name: str) -> bool:
    for node in within(
        statement,
        "assignment",
        "named_expression",
        "assignment_expression",
        "for_statement",
        "as_pattern_target",
        "global_statement",
    ):
        left = field(node, "left") or field(node, "name") or node
        if name in (page.src(found) for found in within(left, *_PATHS)):
            return True
    return False


def _else(page: Page, node: Node, condition: Node, name: str) -> Iterator[Problem]:
    for part in node.children_by_field_name("alternative"):
        body = field(part, "body") or (nth(part, 0) if part.type == "else_clause" else None)
        if part.type == "else_clause" and body is not None and body.type in ("block", "statement_block"):
            yield from _used(page, condition, name, statements(body))


def _after(page: Page, node: Node, condition: Node, name: str, yes: Node | None) -> Iterator[Problem]:
    """``if x is not None: return`` and then ``x.y``."""
    inside = statements(yes) if yes is not None and yes.type in ("block", "statement_block") else []
    if not inside or inside[-1].type not in _LEAVES or node.children_by_field_name("alternative"):
        return
    following = []
    here = node.next_named_sibling
    while here is not None:
        following.append(here)
        here = here.next_named_sibling
    yield from _used(page, condition, name, following)


def _short_circuit(page: Page, node: Node) -> Iterator[Problem]:
    operator = page.src(field(node, "operator"))
    name, is_none = _none_test(page, field(node, "left"))
    right = bare(field(node, "right"))
    if not name or right is None or operator not in (("and", "or") if page.language not in SCRIPT else ("&&", "||")):
        return
    if is_none != (operator in ("and", "&&")):
        return
    use = next(
        (found for found in within(right, "attribute", "member_expression", "subscript") if _owner(page, found) == name), None
    )
    if use is None:
        return
    other = {"and": "or", "or": "and", "&&": "||", "||": "&&"}[operator]
    mark = next((child for child in node.children if child.type == operator), None)
    yield Problem(
        node,
        f"`{page.src(use)[:50]}` is reached only when {name} is {_word(page)}: `{other}` was meant.",
        edits=((mark.start_byte, mark.end_byte, other),) if mark is not None else (),
        severity="high",
        confidence=0.95,
    )


def _owner(page: Page, node: Node) -> str:
    if "?." in page.src(node):
        return ""
    return page.src(field(node, "object") or field(node, "value"))


RULE = local("none-use", "bug", BOTH, check)
