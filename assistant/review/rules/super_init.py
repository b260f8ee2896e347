"""A constructor that does not call the one it replaces, though the base sets attributes that its other methods read.

The base is a class of the file or one imported from the project; ``threading.Thread`` is known too. JavaScript demands
``super()`` of every subclass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Looking, Problem
from assistant.review.rules.page import SCRIPT, Function, Page, field, statements, within
from assistant.review.rules.resolve import bases, class_named, imported_page
from assistant.review.rules.view import View
from assistant.workspace.grammar.python import docstring

if TYPE_CHECKING:
    from tree_sitter import Node

_THREADS = frozenset(("threading.Thread", "Thread", "multiprocessing.Process", "Process"))


def check(page: Page, view: View) -> Iterator[Problem]:
    for function in page.functions:
        if function.cls is None or function.name not in ("__init__", "constructor"):
            continue
        names = bases(page, function.cls)
        text = page.src(function.body)
        if not names or re.search(r"\bsuper\b|__init__\s*\(", text):
            continue
        if page.language in SCRIPT:
            yield from _script(function, names[0], text)
        elif function.name == "__init__":
            yield from _python(page, view, function, names)


def _script(function: Function, base: str, text: str) -> Iterator[Problem]:
    if "throw " in text or base == "null" or "return " in text:
        return
    body = function.body
    at = body.start_byte + 1 if body is not None else 0
    yield Problem(
        function.node,
        f"The constructor of a class that extends {base} does not call super(): `new` raises ReferenceError.",
        key="super",
        edits=((at, at, " super();"),) if at and not function.parameters else (),
        severity="high",
        confidence=0.95,
    )


def _python(page: Page, view: View, function: Function, names: list[str]) -> Iterator[Problem]:
    for name in names:
        if name in _THREADS:
            yield _problem(function, name, "and start() asserts that it ran", ())
            return
        found = _base(page, view, name)
        if found is None:
            continue
        where, home, cls = found
        own = next((f for f in home.functions if f.cls == cls and f.name == "__init__"), None)
        if own is None or any(f.cls == cls and f.name == "__new__" for f in home.functions):
            continue
        sets = _sets(home, own.node)
        lacking = sorted(sets - _sets(page, function.cls))
        read = next(
            (a for f in home.functions if f.cls == cls and f is not own for a in lacking if f"self.{a}" in home.src(f.body)),
            None,
        )
        if read is not None and not _has_class_value(home, cls, read):
            why = f"so self.{read}, which {name}'s methods read, is never set"
            yield _problem(function, name, why, (view.evidence(own.node, where, home),))
            return


def _base(page: Page, view: View, name: str) -> tuple[str, Page, Node] | None:
    cls = class_named(page, name)
    if cls is not None:
        return view.path, page, cls
    for found, _node in page.imports:
        if found.bound == name and found.name:
            origin = imported_page(page, view.path, found, view.project.read)
            there = class_named(origin[1], found.name) if origin is not None else None
            return (*origin, there) if origin is not None and there is not None else None
    return None


def _sets(page: Page, node: Node | None) -> set[str]:
    """Attributes that are assigned on ``self``."""
    return set(re.findall(r"\bself\.(\w+)\s*(?::[^=\n]+)?=(?!=)", page.src(node)))


def _has_class_value(page: Page, cls: Node, name: str) -> bool:
    return any(
        page.src(field(node, "left")) == name
        for statement in statements(field(cls, "body"))
        for node in within(statement, "assignment")
        if statement.type == "expression_statement"
    ) or any(f.cls == cls and f.name in (name, "__getattr__") for f in page.functions)


def _problem(function: Function, base: str, why: str, proof: tuple[object, ...]) -> Problem:
    body = statements(function.body)
    text = docstring(function.body)
    first = body[1] if text is not None and len(body) > 1 else body[0] if body else None
    simple = first is not None and not proof and first.type != "pass_statement"
    edits = (
        ((first.start_byte, first.start_byte, f"super().__init__()\n{' ' * first.start_point[1]}"),) if simple and first else ()
    )
    return Problem(
        field(function.node, "name") or function.node,
        f"{function.qualified} does not call the constructor of {base}, {why}.",
        key="super",
        evidence=proof,  # type: ignore[arg-type]
        edits=edits,
        severity="high",
        confidence=0.85,
    )


RULE = Looking("missing-super-init", "bug", BOTH, check)
