"""A file is read in one sitting, and says first what it does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.repo.tree import PACKAGES, ROOT, sources

ROOF = 400
SCREEN = 80
"""Lines of a function: the roof of the architecture page's habits; the median is held far below."""

FILES = sources(*PACKAGES, "tests")


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def test_no_file_is_over_the_roof() -> None:
    assert [f"{p.relative_to(ROOT)}: {lines(p)} lines" for p in FILES if lines(p) > ROOF] == []


def test_functions_fit_a_screen() -> None:
    long = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > SCREEN:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines")
    assert long == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_does(package: str) -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources(package)
        if path.read_text("utf-8").strip() and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []
