"""A private function, class or variable that nothing mentions any more, or never did: its last use went with this change.

One mention in the whole project is the definition's own; any other, in a text or comment even, silences the rule. Samples and
tests of types are left alone: what they define is for a checker to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.page import SCRIPT, Page, field
from assistant.review.rules.resolve import bases
from assistant.review.rules.view import View

if TYPE_CHECKING:
    from tree_sitter import Node

SAMPLES = re.compile(
    r"(?:^|/)(?:types?|typing\w*|mypy\w*|playground|examples?|fixtures?|samples?|benchmarks?|docs?|\w*snapshot\w*)/|typing|test-d\."
    r"|\.d\.[cm]?ts$|(?:^|/)_?compat"
)
_FOUND_BY_NAME = re.compile(r"test|pytest_|setup|teardown|bench|main$|run|[A-Z]|on_|do_|visit_|handle")
_KINDS = {
    "function_declaration": "function",
    "class_declaration": "class",
    "variable_declarator": "variable",
    "type_alias_declaration": "type",
    "interface_declaration": "interface",
}


def check(view: View) -> Iterator[Problem]:
    page = view.new
    if page is None or page.root.has_error or SAMPLES.search(view.path):
        return
    for name, node, what in _script(page) if page.language in SCRIPT else _python(view, page):
        if "noqa" in page.lines[node.start_point[0]] or page.words[name] != 1 or _is_composed(page, name):
            continue
        was_used, is_new = _history(view, name, node)
        if not (was_used or is_new) or not view.project.complete:
            continue
        view.cancel.check()
        if all(path == view.path for path in view.project.naming(name, 3)):
            said = "the change took its last use away" if was_used else "it is new, and nothing uses it"
            yield Problem(
                node,
                f"The {what} {name} is used nowhere in the project: {said}.",
                key=name,
                severity="medium",
                confidence=0.9 if was_used else 0.85,
            )


def _history(view: View, name: str, node: Node) -> tuple[bool, bool]:
    """Whether the change took a use away, and whether it made the name up."""
    before = view.old.words[name] if view.old is not None else 0
    files = [one.old for one in view.changes.files if one.old is not None and one.path != view.path]
    word = re.compile(rf"(?<![\w$]){re.escape(name)}(?![\w$])")
    elsewhere = any(name in text and word.search(text) for text in files)
    return before > 1 or (before == 1 and elsewhere), before == 0 and not elsewhere and view.is_changed(node)


def _python(view: View, page: Page) -> Iterator[tuple[str, Node, str]]:
    """Names with one underscore in front, and the plain functions of a test."""
    for function in page.functions:
        name = function.name
        private = name.startswith("_") and not name.startswith("__") and not name.endswith("_")
        helper = view.is_test and function.cls is None and not _FOUND_BY_NAME.match(name) and "conftest" not in view.path
        if not private and not helper:
            continue
        if any(mark not in ("staticmethod", "classmethod", "property") for mark in function.decorators):
            continue
        if page.function_at(function.outer) is None and not (function.cls is not None and bases(page, function.cls)):
            yield name, field(function.node, "name") or function.node, "function"
    for cls in page.of("class_definition"):
        named = field(cls, "name")
        if named is not None and _is_private(page.src(named)) and cls.parent is not None and cls.parent.type == "module":
            yield page.src(named), named, "class"
    for node in page.of("assignment"):
        left, outer = field(node, "left"), node.parent.parent if node.parent is not None else None
        is_top = outer is not None and outer.type == "module"
        if left is not None and left.type == "identifier" and is_top and _is_private(page.src(left)):
            yield page.src(left), left, "variable"


def _is_composed(page: Page, name: str) -> bool:
    """Whether the file has the name's beginning as a text: ``getattr(self, "_on_" + kind)``."""
    return any(name.startswith(found) for found in re.findall(r"[\"'](_\w{2,}_)[\"'{%]", page.text))


def _is_private(name: str) -> bool:
    return re.fullmatch(r"_[A-Za-z]\w+", name) is not None and not name.endswith("_")


def _script(page: Page) -> Iterator[tuple[str, Node, str]]:
    """What stands at the file's top and is not exported."""
    for node in page.of(*_KINDS):
        outer = node.parent.parent if node.type == "variable_declarator" and node.parent is not None else node.parent
        name = field(node, "name")
        if node.type == "type_alias_declaration" and page.src(name).startswith("_"):
            continue  # a test of types
        if outer is not None and outer.type == "program" and name is not None and name.type.endswith("identifier"):
            yield page.src(name), name, _KINDS[node.type]


RULE = Across("left-behind", "leftover", BOTH, check)
