"""Which function a call calls: exact within a file, through imports where the imported file can be read, else no answer.

A method is found through ``self``, ``this``, ``cls`` or its class's name, in the class and in bases of the same file. Knows no
types: ``thing.method()`` has no answer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from posixpath import dirname, normpath
from typing import TYPE_CHECKING

from assistant.review.rules.page import CLASSES, FUNCTIONS, Function, Page, field, page_of
from assistant.workspace import languages
from assistant.workspace.symbols import Import

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node


_SCRIPTS = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", "/index.ts", "/index.js")


def callee(call: Node) -> Node | None:
    return field(call, "function") or field(call, "constructor")


def target(page: Page, call: Node) -> Function | None:
    """The function of the same file that a call surely calls."""
    function = callee(call)
    if function is None:
        return None
    if function.type == "identifier":
        return named(page, function)
    name = page.src(field(function, "attribute") or field(function, "property"))
    receiver = page.src(field(function, "object"))
    cls = class_around(call) if receiver in ("self", "cls", "this", "super()") else class_named(page, receiver)
    if cls is None:
        return None
    return method(page, cls, name, above=receiver == "super()")


def named(page: Page, node: Node) -> Function | None:
    """The function that a bare name is, bound once in its scope."""
    name = page.src(node)
    outer = page.function_at(node)
    candidates = page.free.get(name, [])
    if len(candidates) != 1:
        return None
    found = candidates[0]
    home = page.function_at(found.outer)
    if home is not None and not _contains(home.node, node):
        return None
    if home is None and "." in found.qualified:
        return None
    if outer is not None and _is_bound_between(page, outer, home, name):
        return None
    return None if _writes(page, name) > 1 else found


def _contains(outer: Node, inner: Node) -> bool:
    return outer.start_byte <= inner.start_byte and inner.end_byte <= outer.end_byte


def _is_bound_between(page: Page, function: Function | None, home: Function | None, name: str) -> bool:
    while function is not None and function is not home:
        if name in function.names:
            return True
        function = page.function_at(function.outer)
    return False


def _writes(page: Page, name: str) -> int:
    return page.writes.get(name, 0)


def class_around(node: Node) -> Node | None:
    """The class whose method a node is in; a nested function's ``self`` is its method's."""
    here = node.parent
    while here is not None and here.type not in CLASSES:
        here = here.parent
    return here


def class_named(page: Page, name: str) -> Node | None:
    """The only class of that name at the file's top."""
    found = [cls for cls in page.classes.get(name, ()) if not is_inside_function(cls)]
    return found[0] if len(found) == 1 else None


def is_inside_function(node: Node) -> bool:
    here = node.parent
    while here is not None:
        if here.type in FUNCTIONS:
            return True
        here = here.parent
    return False


def bases(page: Page, cls: Node) -> list[str]:
    """The bases of a class as written, keywords left out."""
    holder = field(cls, "superclasses")
    if holder is not None:
        return [page.src(child) for child in holder.named_children if child.type not in ("keyword_argument", "comment")]
    heritage = next((child for child in cls.children if child.type == "class_heritage"), None)
    text = page.src(heritage)
    return [text.replace("extends", "", 1).split("{")[0].split()[0]] if "extends" in text and len(text.split()) > 1 else []


def method(page: Page, cls: Node, name: str, above: bool = False, depth: int = 0) -> Function | None:
    """The method of a class, or of its bases in the same file; ``None`` where there are several or a base is not seen."""
    own = [f for f in page.functions if f.cls == cls and f.name == name]
    if own and not above:
        return own[0] if len(own) == 1 else None
    for base in bases(page, cls) if depth < 8 else ():
        parent = class_named(page, base)
        if parent is None or parent == cls:
            return None
        found = method(page, parent, name, depth=depth + 1)
        if found is not None:
            return found
    return None


def module_paths(path: str, module: str, level: int, read: Callable[[str], str | None]) -> Iterator[str]:
    """Where the module that a Python file at ``path`` imports may lie, relative to the root: never beside it in a package."""
    parts = module.split(".") if module else []
    if not level and parts and parts[0] in sys.stdlib_module_names:
        return
    folder = dirname(path)
    if level:
        for _ in range(level - 1):
            folder = dirname(folder)
        homes = [folder]
    else:
        homes = ["", "src", "lib"]
        while folder:
            if read(f"{folder}/__init__.py") is None:
                homes.append(folder)
            folder = dirname(folder)
    for home in homes:
        name = "/".join([*([home] if home else []), *parts])
        yield f"{name}.py" if parts else ""
        yield f"{name}/__init__.py" if name else "__init__.py"


def script_paths(path: str, module: str) -> Iterator[str]:
    """Where a relative module of JavaScript or TypeScript may lie."""
    if module.startswith("."):
        base = normpath(f"{dirname(path)}/{module}".lstrip("/"))
        yield base
        for suffix in _SCRIPTS:
            yield base + suffix
        if base.endswith(".js"):
            yield base[:-3] + ".ts"


def imported_page(page: Page, path: str, found: Import, read: Callable[[str], str | None]) -> tuple[str, Page] | None:
    """The file that an import reads, when it is one of the project's."""
    where = (
        module_paths(path, found.module, found.level, read) if page.language == "python" else script_paths(path, found.module)
    )
    for candidate in where:
        text = read(candidate) if candidate else None
        if text is not None:
            made = page_of(text, languages.language_of(candidate))
            return (candidate, made) if made is not None else None
    return None


def imported(page: Page, path: str, call: Node, read: Callable[[str], str | None]) -> tuple[str, Page, Function] | None:
    """The function of another file that a call calls: ``from m import f; f()`` or ``import m; m.f()``."""
    function = callee(call)
    if function is None:
        return None
    whole = page.src(function)
    head, _, rest = whole.rpartition(".")
    wanted = head or whole
    if page.writes.get(wanted, 0) > 1:
        return None
    for found, _node in page.imports:
        if found.bound != wanted and not (head and not found.name and found.module == head):
            continue
        if not head and not found.name:
            continue
        origin = imported_page(page, path, found, read)
        name = rest if head else found.name
        if head and found.name and page.language == "python":  # `from package import module`
            inner = found._replace(module=f"{found.module}.{found.name}".strip("."), name="")
            origin = imported_page(page, path, inner, read)
        if origin is None:
            continue
        hits = [f for f in origin[1].functions if f.qualified == name]
        if len(hits) == 1 and origin[1].bindings(name) == 1:
            return (*origin, hits[0])
    return None
