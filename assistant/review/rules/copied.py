"""A new test or function that is a copy: the docstring of another word for word, the whole body, or the title of another test.

Only within a file, and only texts that say something particular.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.page import SCRIPT, Function, Page, field, nth, squeezed
from assistant.review.rules.view import View
from assistant.workspace.grammar.python import docstring

if TYPE_CHECKING:
    from tree_sitter import Node

LEAST_WORDS = 4
LEAST_BODY = 60
"""Characters without white space; shorter bodies are equal by chance."""

_TITLED = frozenset(("it", "test"))


def check(view: View) -> Iterator[Problem]:
    page = view.new
    if page is None or page.root.has_error:
        return
    if page.language in SCRIPT:
        yield from _titles(view, page)
        return
    yield from _docstrings(view, page)
    if view.is_test:
        yield from _bodies(view, page)


def _docstrings(view: View, page: Page) -> Iterator[Problem]:
    found: dict[str, list[tuple[Function, Node]]] = {}
    for function in page.functions:
        text = docstring(function.body)
        words = page.src(text).strip("rRuU\"'").split()
        if text is not None and len(words) >= LEAST_WORDS and not function.marked("setter", "overload", "deleter", "getter"):
            found.setdefault(" ".join(words), []).append((function, text))
    for said_twice, some in found.items():
        names = {one.name.strip("_") for one, _ in some}
        if (
            len(some) != 2
            or (not view.is_test and _are_twins(*names))
            or len(names) == 1
            or not _is_new(view, page.src(some[0][1]), 2)
        ):
            continue
        (one, first), (two, second) = some if view.is_changed(some[1][1]) else (some[1], some[0])
        if view.is_changed(second):
            said = f"{two.name} has the docstring of {one.name}, word for word."
            yield Problem(second, said, key=said_twice[:100], evidence=(first,), severity="medium", confidence=0.88)


def _are_twins(*names: str) -> bool:
    """``get`` and ``aget``: one has the other's name in its own."""
    return len(names) == 2 and (names[0] in names[1] or names[1] in names[0])


def _is_new(view: View, text: str, times: int) -> bool:
    """Whether the old text had it less often, and no other file had it."""
    before = view.old.text.count(text) if view.old is not None else 0
    return before < times and not any(
        one.old is not None and one.path != view.path and one.old.count(text) >= times for one in view.changes.files
    )


def _bodies(view: View, page: Page) -> Iterator[Problem]:
    """Two tests that do the same."""
    found: dict[str, list[Function]] = {}
    for function in page.functions:
        if function.name.startswith("test") and function.body is not None:
            body = page.src(function.body).replace(page.src(docstring(function.body)) or "\0", "", 1)
            key = squeezed(body + page.src(field(function.node, "parameters")) + "".join(function.decorators))
            if len(key) >= LEAST_BODY:
                owner = page.src(field(function.cls, "name")) if function.cls is not None else ""
                found.setdefault(owner + key, []).append(function)
    for key, some in found.items():
        if len(some) != 2 or some[0].name == some[1].name or not _is_new(view, page.src(some[0].body), 2):
            continue
        one, two = some if view.is_changed(some[1].node) else (some[1], some[0])
        if view.is_changed(two.node):
            said = f"{two.name} does the same as {one.name}, line for line."
            node = two.node
            yield Problem(node, said, key=key[:200], evidence=(one.node,), confidence=0.9, row=node.start_point[0])


def _titles(view: View, page: Page) -> Iterator[Problem]:
    """``it("...")`` twice in one block."""
    found: dict[tuple[int, str], list[Node]] = {}
    for call in page.of("call_expression"):
        arguments = field(call, "arguments")
        title = nth(arguments, 0) if arguments is not None and page.src(field(call, "function")) in _TITLED else None
        block = call.parent.parent if call.parent is not None and call.parent.type == "expression_statement" else None
        if (
            title is not None
            and block is not None
            and title.type in ("string", "template_string")
            and "${" not in page.src(title)
        ):
            found.setdefault((block.id, page.src(title)), []).append(title)
    for (_, text), some in found.items():
        if len(some) == 2 and _is_new(view, text, 2) and len(text) > LEAST_WORDS:
            one, two = some if view.is_changed(some[1]) else (some[1], some[0])
            if view.is_changed(two):
                said = f"Two tests of this block have the title {text[:80]}: a report cannot tell them apart."
                yield Problem(two, said, key=text[:100], evidence=(one,), severity="medium", confidence=0.88)


RULE = Across("copied", "test", BOTH, check)
