"""What the repository's own rules read: its Python files, and what each imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("kernels", "telemetry", "assistant", "lsp_server")


@dataclass(frozen=True)
class Import:
    """One import statement: ``module`` is the dotted name, ``line`` where it stands."""

    file: Path
    module: str
    line: int

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def sources(*folders: str) -> list[Path]:
    """Every Python file below the named folders of the repository, sorted; not the demo's sample project."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if not {"__pycache__", "sample"} & set(path.parts))


def imports(path: Path) -> Iterator[Import]:
    """All imports of a file, also those inside functions. ``from a import b`` counts as both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(path, node)
            yield Import(path, module, node.lineno)
            for alias in node.names:
                yield Import(path, f"{module}.{alias.name}", node.lineno)


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parts[: -node.level]
    return ".".join((*package, node.module or "")).rstrip(".")


def room(path: Path) -> str:
    """The dotted package a file belongs to, as ``assistant.model``."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)
