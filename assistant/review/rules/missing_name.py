"""A name that nothing binds any more, or never did: in the changed file, and in files that import what the change took away.

By scope tables and import statements; a star import, ``globals()`` and the like silence it. A name that the old file did not
bind either is an old problem.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import PYTHON, Across, Edit, Problem
from assistant.review.rules.page import Page, page_of
from assistant.review.rules.resolve import imported_page
from assistant.review.rules.view import View
from assistant.workspace.existence.outline import is_dynamic, read_module

if TYPE_CHECKING:
    from tree_sitter import Node

_ALWAYS = frozenset(dir(builtins)) | frozenset(
    (
        *(
            "__file__",
            "__name__",
            "__doc__",
            "__path__",
            "__class__",
            "__module__",
            "__qualname__",
            "__builtins__",
            "reveal_type",
        ),
        *(
            "__spec__",
            "__loader__",
            "__package__",
            "__annotations__",
            "WindowsError",
            "unicode",
            "basestring",
            "xrange",
            "long",
        ),
        *("raw_input", "reduce", "unichr", "file", "cmp", "buffer", "get_ipython", "__debug__", "exit", "quit", "copyright"),
    )
)
MOST_FILES = 64


def check(view: View) -> Iterator[Problem]:
    new, old = view.new, view.old
    if new is None or new.root.has_error:
        return
    yield from _unbound(view, new, old)
    yield from _imported(view, new)
    if old is not None and not old.root.has_error:
        yield from _taken(view, old, new)


def _unbound(view: View, new: Page, old: Page | None) -> Iterator[Problem]:
    now = unresolved(new)
    if not now:
        return
    before = unresolved(old) if old is not None and not old.root.has_error else {}
    for name, nodes in now.items():
        if name in before and len(before[name]) >= len(nodes):
            continue
        changed = [node for node in nodes if view.is_changed(node)]
        lost = _lost_import(old, name) if old is not None else ""
        bound = old is not None and old.writes[name] > 0
        if not changed and not bound:
            continue
        node = (changed or nodes)[0]
        more = f" (and {len(nodes) - 1} more)" if len(nodes) > 1 else ""
        said = "the change took away what bound it" if bound and not changed else "nothing in this file binds it"
        yield Problem(
            node,
            f"`{name}` is not defined here{more}: {said}, so this raises NameError when it runs.",
            key=name,
            evidence=tuple(nodes[1:3]),
            edits=_restored(new, lost),
            severity="high",
            confidence=0.92,
        )


def unresolved(page: Page) -> dict[str, list[Node]]:
    """Names that are read and bound nowhere; none for a file whose names nobody can list."""
    found: dict[str, list[Node]] = {}
    table = page.table
    for mention in table.mentions:
        if mention.kind != "read" or mention.name in _ALWAYS or mention.name.startswith("__"):
            continue
        if table.resolve(mention.scope, mention.name, mention.space) is None:
            node = page.root.descendant_for_byte_range(mention.start, mention.end)
            if node is not None and not _is_guarded(page, node):
                found.setdefault(mention.name, []).append(node)
    if found and (is_dynamic(page.source.data) or any(one.name == "*" for one, _ in page.imports)):
        return {}
    return found


def _is_guarded(page: Page, node: Node) -> bool:
    """Whether somebody has thought of the name not being there."""
    if "noqa" in page.lines[node.start_point[0]]:
        return True
    here = node.parent
    while here is not None:
        if here.type == "try_statement" and "NameError" in page.src(here):
            return True
        if here.type in ("type", "delete_statement"):  # an annotation may never be evaluated
            return True
        here = here.parent
    return False


def _lost_import(old: Page, name: str) -> str:
    """The old file's plain import of a name, as a statement."""
    for found, _node in old.imports:
        if found.bound == name and found.scope == -1:
            alias = f" as {found.alias}" if found.alias else ""
            if not found.name:
                return f"import {found.module}{alias}"
            return f"from {'.' * found.level}{found.module} import {found.name}{alias}"
    return ""


def _restored(page: Page, statement: str) -> tuple[Edit, ...]:
    """The import back, in front of the first import at the file's top."""
    first = next(
        (
            node
            for found, node in page.imports
            if node.parent is not None and node.parent.type == "module" and found.module != "__future__"
        ),
        None,
    )
    return ((first.start_byte, first.start_byte, f"{statement}\n"),) if statement and first is not None else ()


def _imported(view: View, page: Page) -> Iterator[Problem]:
    """``from m import x`` on a changed line where the project's ``m`` has no ``x``."""
    for found, node in page.imports:
        if not found.name or found.name == "*" or not view.is_changed(node) or _is_tried(node):
            continue
        origin = imported_page(page, view.path, found, view.project.read)
        if origin is None or _has(view, origin, found.name):
            continue
        yield Problem(
            node,
            f"{origin[0]} has no `{found.name}`: this import raises ImportError.",
            key=f"{found.module}:{found.name}",
            severity="high",
            confidence=0.85,
        )


def _is_tried(node: Node) -> bool:
    here = node.parent
    while here is not None:
        if here.type in ("try_statement", "if_statement"):
            return True
        here = here.parent
    return False


def _has(view: View, origin: tuple[str, Page], name: str) -> bool:
    """Whether a module binds a name, has such a submodule, or cannot be listed."""
    path, page = origin
    if page.root.has_error or name.startswith("__"):
        return True
    outline = read_module(page.root, page.source)
    if outline.dynamic or outline.stars or name in outline.members or "__getattr__" in outline.members:
        return True
    folder = path.rpartition("/")[0]
    if not path.endswith("__init__.py"):
        return False
    inside = (f"{folder}/{name}.py", f"{folder}/{name}/__init__.py", f"{folder}/{name}.pyi", f"{folder}/{name}.pyx")
    return any(view.project.read(one) is not None for one in inside) or not view.project.complete


def _taken(view: View, old: Page, new: Page) -> Iterator[Problem]:
    """Top-level names that are gone and that other files still import from here."""
    if is_dynamic(new.source.data) or any(found.name == "*" for found, _ in new.imports) or "__getattr__" in new.by_name:
        return
    for name in (name for name in old.top if name not in new.top):
        for path in view.project.naming(name, MOST_FILES):
            view.cancel.check()
            if path == view.path or not path.endswith((".py", ".pyi")):
                continue
            yield from _still_imports(view, path, name)


def _may_import(text: str, path: str, name: str) -> bool:
    """Whether a text has an import's line with the name, and names the module: a parse costs a hundred times as much."""
    stem = path.removesuffix("/__init__.py").removesuffix(".py").rpartition("/")[2]
    line = rf"^(?:[ \t]*from\b[^\n]*\bimport\b[^\n]*|[ \t]+[\w, \t]*)\b{re.escape(name)}\b[ \t]*(?:,|\)|#|$|as\b|\\)"
    return (stem in text or "from ." in text) and re.search(line, text, re.MULTILINE) is not None


def _still_imports(view: View, path: str, name: str) -> Iterator[Problem]:
    text = view.project.read(path)
    page = page_of(text, "python") if text is not None and _may_import(text, view.path, name) else None
    if page is None:
        return
    for found, node in page.imports:
        if found.name != name or _is_tried(node):
            continue
        if any(
            other.path == path and any(h.new_start <= node.start_point[0] < h.new_end for h in other.hunks)
            for other in view.changes.files
        ):
            continue  # said at that file
        origin = imported_page(page, path, found, view.project.read)
        if origin is not None and origin[0] == view.path:
            yield Problem(
                node,
                f"`{name}` is gone from {view.path} with this change, and this still imports it: ImportError.",
                key=f"{path}:{name}",
                severity="high",
                confidence=0.92,
                path=path,
                page=page,
            )


RULE = Across("missing-name", "bug", PYTHON, check)
