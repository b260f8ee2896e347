"""An attribute of ``self`` that the class never sets: a name that was misspelt, or left behind by a renaming.

Only in a class whose bases are all in the file (or that has none), and in which every other attribute is accounted for: a mixin
uses what others set. Dynamic classes are left alone, and tests, whose runners and fixtures set attributes from outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import PYTHON, Looking, Problem
from assistant.review.rules.page import Page, field
from assistant.review.rules.resolve import bases, class_named
from assistant.review.rules.view import View
from assistant.workspace.existence.nearest import nearest
from assistant.workspace.existence.outline import class_of

if TYPE_CHECKING:
    from tree_sitter import Node

_SETS = re.compile(r"\b(?:self|cls|[a-z]\w*)\.(\w+)\s*(?::[^=\n]+)?(?:[-+*/|&^%@]|//|\*\*|<<|>>)?=(?!=)")
_TUPLES = re.compile(r"^[ \t]*(\(?[ \t]*(?:self|cls)\.\w+[ \t]*,[^=\n]*)=(?!=)", re.MULTILINE)
_LOOPS = re.compile(r"\b(?:for|as|with)\s+(?:\w+,\s*)*self\.(\w+)")
_KNOWN = frozenset(("object", "ABC", "abc.ABC", "Exception", "ValueError", "TypeError", "RuntimeError", "KeyError", "OSError"))
_BUILTIN = frozenset(dir(OSError)) | frozenset(dir(SyntaxError)) | frozenset(dir(UnicodeError))
MOST_DEPTH = 6


def check(page: Page, view: View) -> Iterator[Problem]:
    for cls in page.of("class_definition"):
        if not view.concerns(page, cls) or "Mixin" in page.src(field(cls, "name")) or _is_base(page, cls):
            continue
        names = _names(page, cls)
        if names is None:
            continue
        unknown: dict[str, list[Node]] = {}
        for node in _reads(page, cls):
            name = page.src(field(node, "attribute"))
            if name not in names:
                unknown.setdefault(name, []).append(node)
        if len(unknown) == 1:
            name, nodes = unknown.popitem()
            yield _problem(page, cls, name, nodes[0], names)


def _is_base(page: Page, cls: Node) -> bool:
    """Whether another class of the file adds to it."""
    return any(page.src(field(cls, "name")) in bases(page, other) for other in page.of("class_definition"))


def _reads(page: Page, cls: Node) -> Iterator[Node]:
    """``self.x`` in the methods of a class itself, not of one inside."""
    for node in page.of("attribute"):
        if cls.start_byte <= node.start_byte < cls.end_byte and page.src(field(node, "object")) == "self":
            here = node.parent
            depth = 0  # functions around that have a `self` of their own
            while here is not None and here.type != "class_definition":
                parameters = page.src(field(here, "parameters")) if here.type == "function_definition" else ""
                depth += re.match(r"\(\s*self\b", parameters) is not None
                here = here.parent
            if here == cls and depth == 1:
                yield node


def _names(page: Page, cls: Node, depth: int = 0) -> frozenset[str] | None:
    """All attributes that a class and its bases set or define; ``None`` where somebody else may add some."""
    outline = class_of(cls, page.source)
    text = page.src(cls)
    if (
        outline.dynamic
        or outline.decorators
        or depth > MOST_DEPTH
        or "__slots__" in text
        or "metaclass" in page.src(field(cls, "superclasses"))
    ):
        return None
    outer = cls.parent
    if (
        outer is not None
        and outer.type == "decorated_definition"
        and not re.match(r"@\s*(?:dataclasses\.)?(?:dataclass|final)", page.src(outer))
    ):
        return None
    found = set(outline.members) | set(_SETS.findall(text)) | set(_LOOPS.findall(text))
    for group in _TUPLES.findall(text):
        found.update(re.findall(r"self\.(\w+)", group))
    found.update(re.findall(r"[\"'](\w+)[\"']", text))  # getattr, setattr, slots, a registry
    for base in bases(page, cls):
        parent = class_named(page, base)
        if base in _KNOWN:
            found |= _BUILTIN
            continue
        inherited = _names(page, parent, depth + 1) if parent is not None and parent != cls else None
        if inherited is None:
            return None
        found |= inherited
    return frozenset(found | set(dir(object)) | {"__dict__", "__annotations__"})


def _problem(page: Page, cls: Node, name: str, node: Node, names: frozenset[str]) -> Problem:
    best = nearest(name, names)
    attribute = field(node, "attribute") or node
    meant = f"; `{best}` is there" if best is not None else ""
    return Problem(
        node,
        f"{page.src(field(cls, 'name'))} has no attribute `{name}`: nothing in the class or its bases sets it{meant}.",
        key=name,
        evidence=(field(cls, "name") or cls,),
        edits=((attribute.start_byte, attribute.end_byte, best),) if best is not None else (),
        severity="high",
        confidence=0.85 if best is not None else 0.7,
    )


RULE = Looking("missing-attribute", "bug", PYTHON, check, lambda view: not view.is_test)
