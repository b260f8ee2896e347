"""A docstring that the change wrote or should have written: it tells of a parameter that is not there, gives a default that is
another, or tells of all parameters but the new one.

Reads Sphinx fields, Google and NumPy sections, and JSDoc. What a change made false without touching it is ``stale_docstring``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.page import SCRIPT, Function, Page, field
from assistant.review.rules.stale_docstring import described, text_of
from assistant.review.rules.view import Pair, View

if TYPE_CHECKING:
    from tree_sitter import Node

_FIELD = re.compile(r":(?:param|parameter|arg|argument|key|keyword)\b(?:[^:\n]*\s)?\\?\*{0,2}(\w+)[ \t]*:")
_JSDOC = re.compile(r"@param\s+(?:\{(?:[^{}]|\{[^{}]*\})*\}\s+)?\[?([A-Za-z_$][\w$]*)(?![\w.$])")
LEAST_TOLD = 2


def check(view: View) -> Iterator[Problem]:
    page = view.new
    if page is None or page.root.has_error:
        return
    for function in page.functions:
        text = text_of(page, function) if view.is_changed(function.outer) or page.language in SCRIPT else None
        if text is not None and view.is_changed(text):
            view.cancel.check()
            yield from _unknown(view, page, function, text)
    for pair in view.pairs:
        text = text_of(pair.after, pair.new) if pair.after.language == "python" else None
        if text is not None:
            yield from _untold(pair, text)


def _unknown(view: View, page: Page, function: Function, text: Node) -> Iterator[Problem]:
    """On a line that the change wrote: a parameter that the function has not."""
    if any(one.kind == "star_star" or not one.name for one in function.parameters) or function.marked("overload"):
        return
    if function.name == "__init__" or (page.language in SCRIPT and not function.parameters):
        return
    data = page.src(text)
    if any(mark in data for mark in ("@overload", "@callback", "@typedef", "@template")):
        return
    for found in (_FIELD if page.language == "python" else _JSDOC).finditer(data):
        name = found.group(1)
        row = text.start_point[0] + data.count("\n", 0, found.start(1))
        if name not in function.names and row in view.changed:
            yield Problem(
                text,
                f"The docstring tells of {name}, and {function.name} has no such parameter.",
                key=f"{function.qualified}:{name}",
                evidence=(field(function.node, "parameters") or function.node,),
                severity="medium",
                confidence=0.9,
                row=row,
            )


def _untold(pair: Pair, text: Node) -> Iterator[Problem]:
    """A parameter that is new in a docstring that tells of all others."""
    page, new = pair.after, pair.new
    came = [one.name for one in new.parameters if one.name and one.name not in pair.old.names]
    stayed = [one.name for one in new.parameters if one.name in pair.old.names and one.name not in ("self", "cls")]
    if not came or len(stayed) < LEAST_TOLD or not all(described(page, text, name) for name in stayed):
        return
    told = page.src(text)
    for name in came:
        if name.startswith("_") or re.search(rf"\b{re.escape(name)}\b", told):
            continue
        holder = field(new.node, "parameters")
        nodes = holder.named_children if holder is not None else []
        node = next((one for one in nodes if re.search(rf"\b{re.escape(name)}\b", page.src(one))), new.node)
        yield Problem(
            node,
            f"The docstring of {new.name} tells of every parameter but the new {name}.",
            key=f"untold:{new.qualified}:{name}",
            evidence=(text,),
            severity="medium",
            confidence=0.88,
            row=node.start_point[0],
        )


RULE = Across("docstring-parameters", "docs", BOTH, check)
