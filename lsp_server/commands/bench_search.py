"""How well `sotto search` finds a function by its own documentation: docstrings are cut out, then asked for.

The questions are the first paragraphs of docstrings; the index is built over a copy of the tree without any docstring. Beside
our ranking stands plain BM25 (SQLite's FTS5, Porter stems) over the same functions' names and bodies.
"""

from __future__ import annotations

import ast
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from assistant.workspace.find import Finder
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.words import identifiers, prose, subwords

LEAST_WORDS, LEAST_LINES = 3, 3
"""A shorter docstring asks nothing; a shorter function has nothing to be found by."""


@dataclass(frozen=True)
class Function:
    """``text`` was the docstring of the function ``name`` in ``path``, "" where none is asked for; ``words`` are its others."""

    path: str
    name: str
    text: str
    words: str


@dataclass(frozen=True)
class Ranks:
    """Mean reciprocal ranks over ``n`` questions."""

    ours: float
    bm25: float
    n: int


def strip(source: Path, target: Path) -> list[Function]:
    """Copy the Python files below ``source`` without docstrings; all functions, with a ``text`` where they are to be asked for:
    those whose question is asked once and names one function.
    """
    functions = list[Function]()
    for path in sorted(source.rglob("*.py")):
        relative = path.relative_to(source)
        try:
            text = path.read_text("utf-8")
            tree = ast.parse(text)
        except (OSError, UnicodeDecodeError, SyntaxError, ValueError, RecursionError):
            continue
        bare = _without(text, [body for _, body in _docstrings(tree)])
        out = target / relative
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(bare)
        if "test" not in str(relative).lower():
            functions += _functions_of(relative.as_posix(), tree)
    asked = Counter(function.text for function in functions)
    named = Counter((function.path, function.name) for function in functions)
    return [f if asked[f.text] == 1 == named[f.path, f.name] else replace(f, text="") for f in functions]


def measure(index: WorkspaceIndex, root: Path, functions: list[Function], most: int = 400, seed: int = 0) -> Ranks:
    """Ask for up to ``most`` of the functions that have a text, in both rankings; one that is not found counts 0."""
    questions = [function for function in functions if function.text]
    asked = random.Random(seed).sample(questions, min(most, len(questions)))
    finder, plain = Finder(index), _Plain(functions)
    ours = sum(_reciprocal([(f.path, f.name) for f in finder.find(q.text, 100)], root, q) for q in asked)
    bm25 = sum(plain.reciprocal(q) for q in asked)
    return Ranks(ours / max(1, len(asked)), bm25 / max(1, len(asked)), len(asked))


def _reciprocal(found: list[tuple[str, str]], root: Path, question: Function) -> float:
    for rank, (path, name) in enumerate(found, start=1):
        if name.rpartition(".")[2] == question.name.rpartition(".")[2] and Path(path) in (
            root / question.path,
            Path(question.path),
        ):
            return 1 / rank
    return 0.0


def _docstrings(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Expr]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                yield node, first


def _without(text: str, strings: list[ast.Expr]) -> bytes:
    """The text without these statements; each becomes ``...`` so that what held nothing else stays a body."""
    lines = text.encode("utf-8").splitlines(keepends=True)
    for node in sorted(strings, key=lambda node: -node.lineno):
        last = (node.end_lineno or node.lineno) - 1
        head, tail = lines[node.lineno - 1][: node.col_offset], lines[last][node.end_col_offset :]
        lines[node.lineno - 1 : last + 1] = [head + b"..." + tail]
    return b"".join(lines)


def _functions_of(path: str, tree: ast.Module) -> Iterator[Function]:
    strings = dict(_docstrings(tree))
    for name, node in _functions(tree, ""):
        body = node.body[1:] if node in strings else node.body
        code = "\n".join(ast.unparse(statement) for statement in body)
        words = [part for word in identifiers(f"{name} {ast.unparse(node.args)} {code}") for part in subwords(word)]
        yield Function(path, name, _asked(node, strings.get(node)), " ".join(words))


def _asked(node: ast.FunctionDef | ast.AsyncFunctionDef, doc: ast.Expr | None) -> str:
    """The first paragraph of the docstring, "" where it asks nothing or there is nothing to be found."""
    if doc is None or node.name.startswith("__") or "test" in node.name.lower():
        return ""
    asked = " ".join((ast.get_docstring(node) or "").strip().split("\n\n")[0].split())
    left = (node.end_lineno or 0) - node.lineno + 1 - ((doc.end_lineno or 0) - doc.lineno + 1)
    return asked if len(asked.split()) >= LEAST_WORDS and left >= LEAST_LINES else ""


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + child.name, child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)


class _Plain:
    """BM25 over the functions' words, as SQLite computes it."""

    def __init__(self, functions: list[Function]) -> None:
        self._db = sqlite3.connect(":memory:")
        self._db.execute("CREATE VIRTUAL TABLE functions USING fts5(words, tokenize='porter ascii')")
        self._db.executemany("INSERT INTO functions(rowid, words) VALUES (?, ?)", enumerate(f.words for f in functions))
        self._rows = {(q.path, q.name): row for row, q in enumerate(functions)}

    def reciprocal(self, question: Function) -> float:
        words = {part for word in identifiers(question.text) for part in subwords(word)} or set(prose(question.text))
        terms = " OR ".join(f'"{word}"' for word in sorted(words))
        if not terms:
            return 0.0
        ranked = self._db.execute(
            "SELECT rowid FROM functions WHERE functions MATCH ? ORDER BY bm25(functions) LIMIT 100", (terms,)
        ).fetchall()
        mine = self._rows[question.path, question.name]
        return next((1 / rank for rank, (row,) in enumerate(ranked, start=1) if row == mine), 0.0)
