"""A function, method or key that is defined twice in one place: the first one is lost without a word.

Decorated functions, overloads, conditional definitions and names that are read in between are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Problem, local
from assistant.review.rules.page import SCRIPT, Page, field, nth, squeezed, statements, within

if TYPE_CHECKING:
    from tree_sitter import Node

_BODIES = ("module", "block", "class_body", "program", "statement_block")
_DEFINITIONS = frozenset(("function_definition", "class_definition", "function_declaration", "method_definition"))
_KEYS = frozenset(("string", "integer", "property_identifier", "number", "identifier"))


def check(page: Page) -> Iterator[Problem]:
    for body in page.of(*_BODIES):
        yield from _definitions(page, body)
    for table in page.of("dictionary", "object"):
        yield from _keys(page, table)


def _definitions(page: Page, body: Node) -> Iterator[Problem]:
    found: dict[str, list[Node]] = {}
    for node in statements(body):
        inner = node
        if node.type == "export_statement":
            inner = field(node, "declaration") or node
        if inner.type in _DEFINITIONS and field(inner, "body") is not None:
            name = page.src(field(inner, "name"))
            marks = [child.type for child in inner.children if child.type in ("get", "set", "static")]
            found.setdefault(" ".join([*marks, name]), []).append(inner)
    for name, nodes in found.items():
        for first, second in pairwise(nodes):
            if _is_lost(page, body, name, first, second):
                yield _problem(page, name, first, second)


def _is_lost(page: Page, body: Node, name: str, first: Node, second: Node) -> bool:
    between = page.source.data[first.end_byte : second.start_byte]
    if name.encode() in between or name in ("_", "__") or name.startswith("__getattr"):
        return False
    if page.language != "python" and body.type != "class_body":
        return first.type == second.type == "function_declaration" and _is_plain_type(first)
    return True


def _is_plain_type(node: Node) -> bool:
    return field(node, "body") is not None


def _problem(page: Page, name: str, first: Node, second: Node) -> Problem:
    is_test = name.startswith("test")
    loss = "the first test never runs" if is_test else "the first one can never be reached"
    return Problem(
        field(second, "name") or second,
        f"{name} is defined here a second time: {loss}.",
        key=f"{name}:{page.function_at(second).qualified if page.function_at(second) else ''}",  # type: ignore[union-attr]
        touched=(field(first, "name") or first, field(second, "name") or second),
        evidence=(first,),
        severity="high",
        confidence=0.93,
    )


def _keys(page: Page, table: Node) -> Iterator[Problem]:
    seen: dict[str, Node] = {}
    for pair in table.named_children:
        key, value = field(pair, "key"), field(pair, "value")
        if pair.type in ("dictionary_splat", "spread_element"):
            seen.clear()
        if pair.type != "pair" or key is None or value is None:
            continue
        if key.type not in _KEYS or within(key, "interpolation") or (key.type == "identifier" and page.language in SCRIPT):
            continue
        text = squeezed(page.src(key)).strip("'\"") if key.type == "string" else page.src(key)
        text = f"{key.type == 'integer'}:{text}"
        first = seen.get(text)
        if first is not None:
            same = squeezed(page.src(field(first, "value"))) == squeezed(page.src(value))
            yield Problem(
                key,
                f"The key {page.src(key)} stands twice in this literal: the value above is lost."
                if not same
                else f"The key {page.src(key)} stands twice in this literal.",
                touched=(key, nth(first, 0) or first),
                evidence=(first,),
                severity="medium" if same else "high",
                confidence=0.7 if same else 0.93,
            )
        seen[text] = pair


RULE = local("redefinition", "bug", BOTH, check)
