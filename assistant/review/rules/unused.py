"""Something new that nothing reads: a variable, a fixture of a test, a column of its table of cases, a parameter.

By the file's scope tables, Python only. Names that begin with ``_``, stubs, callbacks and methods that others have too are left
alone, and so is what the author marked with ``noqa``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import PYTHON, Across, Problem
from assistant.review.rules.left_behind import SAMPLES
from assistant.review.rules.page import Function, Page, field, nth, statements, within
from assistant.review.rules.resolve import bases
from assistant.review.rules.view import View

if TYPE_CHECKING:
    from tree_sitter import Node

_INERT = frozenset(
    ("monkeypatch", "tmp_path", "tmpdir", "tmp_path_factory", "tmpdir_factory", "caplog", "mocker", "request", "pytestconfig")
)
"""Fixtures of pytest (and pytest-mock) that do nothing by being asked for, or nothing that a test could want."""

_LABELS = frozenset("name id desc description test_id label title comment reason case test_name msg".split())  # noqa: SIM905
_DYNAMIC = re.compile(r"\b(?:locals|eval|exec|vars|globals)\s*\(|\binspect\.|_getframe")
_COLUMNS = re.compile(r"[\w.]*parametrize\(\s*(?:argnames=)?(?:[\"']([\w\s,]+)[\"']|[\[(]([\w\"',\s]+)[\])])")
_INNER = frozenset(("function_definition", "class_definition", "lambda"))
MOST_FILES = 12


def check(view: View) -> Iterator[Problem]:
    page, old = view.new, view.old
    if page is None or page.root.has_error or SAMPLES.search(view.path):
        return
    for function in page.functions:
        before = old.by_name.get(function.qualified, []) if old is not None else []
        if not view.is_changed(function.outer) and not any(view.is_removed(one.outer) for one in before):
            continue
        view.cancel.check()
        found = list(_unread(view, page, function))
        known = {one.key for was in before if found and old is not None for one in _unread(view, old, was)}
        for one in found:
            if one.key not in known and (not one.key.startswith("parameter") or _is_own(view, page, function)):
                yield one


def _unread(view: View, page: Page, function: Function) -> Iterator[Problem]:
    body = function.body
    if body is None or _DYNAMIC.search(page.src(body)):
        return
    read = {m.name for m in page.mentions_in(body.start_byte, body.end_byte) if m.kind != "write"}
    is_inner = page.function_at(function.outer) is not None
    if view.is_test and function.name.startswith("test") and not is_inner:
        yield from _fixtures(page, function, read)
        yield from _cases(page, function, read)
    elif not view.is_test and not is_inner:
        yield from _parameters(page, function, read)
    yield from _variables(view, page, function, read)


def _fixtures(page: Page, function: Function, read: set[str]) -> Iterator[Problem]:
    for name in function.names if not any("patch" in mark for mark in function.decorators) else ():
        if name in _INERT and name not in read and not any(name in mark for mark in function.decorators):
            said = f"{function.name} asks for the fixture {name} and does not use it."
            yield Problem(_named(page, function, name), said, key=f"fixture:{name}", severity="medium", confidence=0.9)


def _named(page: Page, function: Function, name: str) -> Node:
    """A parameter's name."""
    found = (node for node in within(field(function.node, "parameters"), "identifier") if page.src(node) == name)
    return next(found, function.node)


def _cases(page: Page, function: Function, read: set[str]) -> Iterator[Problem]:
    """Columns of ``parametrize`` that the test takes and never looks at."""
    for mark in function.decorators:
        columns = _COLUMNS.match(mark) if "indirect" not in mark else None
        for name in re.findall(r"\w+", columns.group(1) or columns.group(2)) if columns is not None else ():
            if name in function.names and name not in read and not name.startswith("_") and name not in _LABELS:
                said = f"The cases of {function.name} give a {name}, and the test does not look at it."
                yield Problem(_named(page, function, name), said, key=f"case:{name}", severity="medium", confidence=0.9)


def _parameters(page: Page, function: Function, read: set[str]) -> Iterator[Problem]:
    plain = all(mark in ("staticmethod", "classmethod") for mark in function.decorators)
    special = function.name.startswith("__") and function.name != "__init__"
    if not plain or special or _is_stub(page, function):
        return
    if function.cls is not None and bases(page, function.cls):
        return
    for one in function.parameters:
        name = one.name
        if (
            not name
            or one.kind in ("star", "star_star")
            or name in read
            or name.startswith("_")
            or name in ("self", "cls", "mcs")
        ):
            continue
        node = _named(page, function, name)
        if "noqa" not in page.lines[node.start_point[0]] and f"del {name}" not in page.src(function.body):
            said = f"{function.name} never reads its parameter {name}."
            yield Problem(node, said, key=f"parameter:{name}", severity="medium", confidence=0.85)


def _is_stub(page: Page, function: Function) -> bool:
    """Whether a body does nothing: ``...``, a raise, a short return."""
    body = [one for one in statements(function.body) if not _is_text(one)]
    return all(
        one.type in ("pass_statement", "raise_statement") or (one.type == "return_statement" and len(page.src(one)) < 40)
        for one in body
    )


def _is_text(statement: Node) -> bool:
    inner = nth(statement, 0) if statement.type == "expression_statement" else None
    return inner is not None and inner.type in ("string", "ellipsis")


def _is_own(view: View, page: Page, function: Function) -> bool:
    """Whether a function's parameters are its own choice: nobody takes it as a value, and no other has its name."""
    if function.name != "__init__" and _is_value(page, function.name):
        return False
    name = re.escape(function.name)
    paths = view.project.naming(function.name, MOST_FILES) if function.name != "__init__" else ()
    for path in paths:
        text = view.project.read(path) or ""
        if len(re.findall(rf"\bdef {name}\b", text)) > (path == view.path):
            return False
        if path != view.path and re.search(rf"\b{name}\b(?!\s*\()", re.sub(r"^.*\bimport\b.*$", "", text, flags=re.MULTILINE)):
            return False
    return True


def _is_value(page: Page, name: str) -> bool:
    """Whether a file takes a function as a value, or has its name in a text."""
    for node in page.of("identifier"):
        parent = node.parent
        if parent is None or page.src(node) != name:
            continue
        if parent.type == "attribute" and field(parent, "attribute") == node:
            node, parent = parent, parent.parent or parent
        is_called = parent.type == "call" and field(parent, "function") == node
        if not is_called and parent.type not in ("function_definition", "import_from_statement", "dotted_name"):
            return True
    return f'"{name}"' in page.text or f"'{name}'" in page.text


def _variables(view: View, page: Page, function: Function, read: set[str]) -> Iterator[Problem]:
    """``x = value`` as a statement. In tests a call's value may be kept to stay alive."""
    body = page.src(function.body)
    for node in within(function.body, "assignment", stop=_INNER):
        left, right = field(node, "left"), field(node, "right")
        if left is None or right is None or left.type != "identifier" or right.type == "assignment":
            continue
        name = page.src(left)
        is_statement = node.parent is not None and node.parent.type == "expression_statement"
        if not is_statement or name in read or name in function.names or name.startswith(("_", "unused", "dummy", "ignore")):
            continue
        if (view.is_test and (right.type in ("call", "await") or field(node, "type"))) or _is_meant(page, node, name, body):
            continue
        said = f"{name} is set here and read nowhere."
        yield Problem(left, said, key=f"variable:{name}", severity="medium", confidence=0.88)


def _is_meant(page: Page, node: Node, name: str, body: str) -> bool:
    """Whether the name stands elsewhere (``global``, a text), or the author has said that it is not read."""
    marked = any("noqa" in page.lines[row] or "pylint" in page.lines[row] for row in (node.start_point[0], node.end_point[0]))
    return marked or len(re.findall(rf"\b{name}\b", body)) > 1


RULE = Across("unused", "leftover", PYTHON, check)
