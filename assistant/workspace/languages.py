"""Which language a file is in, and the tree-sitter parser for it.

Grammars come from their wheels and are loaded at their first use; one that is not installed, or that this tree-sitter
cannot read, is the same as none. Knows nothing of what a tree means.
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Parser

_MODULES = {
    "python": ("tree_sitter_python", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "java": ("tree_sitter_java", "language"),
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
}
LANGUAGES = tuple(_MODULES)
"""The languages with a grammar, by our names."""

_ALIASES = {"javascriptreact": "javascript", "typescriptreact": "tsx", "jsx": "javascript", "c++": "cpp", "golang": "go"}
_SUFFIXES = {
    "python": ".py .pyi .pyw",
    "javascript": ".js .jsx .mjs .cjs",
    "typescript": ".ts .mts .cts",
    "tsx": ".tsx",
    "go": ".go",
    "rust": ".rs",
    "java": ".java",
    "c": ".c .h",
    "cpp": ".cc .cpp .cxx .c++ .hh .hpp .hxx .h++ .ipp .inl .cu .cuh",
}
_BY_SUFFIX = {suffix: language for language, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}


def language_of(path: str) -> str:
    """The language of a file by its name: one of ``LANGUAGES``, or "" when none is known."""
    return _BY_SUFFIX.get(os.path.splitext(path)[1].lower(), "")


def resolve(language: str, path: str = "") -> str:
    """Our name for an editor's language id; without one, or for one we do not know, what the path says.

    A name that nobody knows comes back as it is.
    """
    name = language.lower()
    name = _ALIASES.get(name, name)
    by_path = language_of(path)
    if name == "typescript" and by_path == "tsx":
        return "tsx"
    return name if name in _MODULES else by_path or name


@cache
def grammar(language: str) -> Language | None:
    """The grammar of one of ``LANGUAGES``; ``None`` when there is none here that works."""
    module, function = _MODULES.get(language, ("", ""))
    if not module:
        return None
    try:
        from tree_sitter import Language

        return Language(getattr(importlib.import_module(module), function)())
    except (ImportError, AttributeError, ValueError, OSError):  # not installed, or an ABI that this tree-sitter cannot read
        return None


def parser(language: str) -> Parser | None:
    """A new parser (a parser serves one thread at a time); ``None`` without a grammar."""
    found = grammar(language)
    if found is None:
        return None
    from tree_sitter import Parser

    return Parser(found)
