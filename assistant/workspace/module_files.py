"""The files that an import may mean, from how each language names its modules.

Knows nothing of what exists: a caller asks the disk or the index which of them are there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache


def module_files(module: str, name: str, level: int, path: str, roots: tuple[str, ...]) -> Iterator[str]:
    """The files that an import in ``path`` may mean, whether they exist or not."""
    folder, suffix = os.path.split(path)[0], os.path.splitext(path)[1]
    if suffix in (".py", ".pyi"):
        yield from _python_files(module, name, level, folder, roots)
        return
    text = module.replace("::", "/") if suffix == ".rs" else module
    parts = text.replace(".", "/") if suffix == ".java" else text
    bases: Iterable[str] = [folder] if parts.startswith(".") or level else _above(folder, roots)
    for base in bases:
        target = os.path.normpath(os.path.join(base, parts))
        yield target
        for ending in _ENDINGS.get(suffix, (suffix,)):
            yield target + ending
            yield os.path.join(target, (name if suffix == ".java" else "index") + ending)


_ENDINGS = {s: (".ts", ".tsx", ".js", ".jsx", ".mjs") for s in (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs")}


def _python_files(module: str, name: str, level: int, folder: str, roots: tuple[str, ...]) -> Iterator[str]:
    bases = _above(folder, roots)
    if level:
        base = folder
        for _ in range(level - 1):
            base = os.path.dirname(base)
        bases = (base,)
    parts = os.sep + module.replace(".", os.sep) if module else ""
    for base in bases:
        target = base.rstrip(os.sep) + parts
        for end in (".py", os.sep + "__init__.py", ".pyi"):
            yield target + end
        if name and name != "*":
            yield f"{target}{os.sep}{name}.py"
            yield f"{target}{os.sep}{name}{os.sep}__init__.py"


@lru_cache(maxsize=64)
def _above(folder: str, roots: tuple[str, ...]) -> tuple[str, ...]:
    """The folder and those above it up to its root, then every root and its ``src``."""
    found: dict[str, None] = {}
    while folder not in found and any(folder == root or folder.startswith(root + os.sep) for root in roots):
        found[folder] = None
        folder = os.path.dirname(folder)
    for root in roots:
        found.update(dict.fromkeys((root, os.path.join(root, "src"))))
    return tuple(found)
