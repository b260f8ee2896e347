"""Docstrings that the change made false."""

from __future__ import annotations

import pytest

from assistant.review.rules import stale_docstring
from tests.assistant.review.rules.cases import find, fixed, one

RULE = stale_docstring.RULE
HEAD = 'def f(path, limit=5):\n    """Read.\n\n'
TAIL = '    """\n    return path, limit\n'
SPHINX = f"{HEAD}    :param path: where.\n    :param limit: most lines, defaults to 5.\n{TAIL}"
GOOGLE = f"{HEAD}    Args:\n        path: Where.\n        limit: Most lines.\n\n    Returns:\n        Lines.\n{TAIL}"
NUMPY = f"{HEAD}    Parameters\n    ----------\n    path : str\n        Where.\n    limit : int\n        Most lines.\n{TAIL}"


@pytest.mark.parametrize("old", [SPHINX, GOOGLE, NUMPY])
def test_a_parameter_that_is_gone(old: str) -> None:
    finding, line = one(RULE, old, old.replace("(path, limit=5)", "(path)").replace("return path, limit", "return path"))
    assert "limit" in line
    assert "is gone" in finding.message


@pytest.mark.parametrize("old", [SPHINX, GOOGLE, NUMPY])
def test_a_parameter_that_was_renamed_is_renamed_in_the_text(old: str) -> None:
    text = fixed(RULE, old, old.replace("(path, limit=5)", "(source, limit=5)").replace("return path", "return source"))
    assert "path" not in text.split('"""')[1]


def test_another_default() -> None:
    assert "defaults to 9" in fixed(RULE, SPHINX, SPHINX.replace("limit=5", "limit=9"))


def test_jsdoc() -> None:
    old = "/**\n * Read.\n * @param {string} path where\n */\nfunction f(path) {\n  return path;\n}\n"
    one(RULE, old, old.replace("f(path)", "f()").replace("return path", "return 1"), "a.js")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SPHINX, SPHINX.replace("(path, limit=5)", "(path, limit=5, more=1)")),
        (SPHINX, SPHINX.replace("(path, limit=5)", "(path, **options)")),
        (SPHINX.replace("path,", "source,"), SPHINX.replace("path,", "source,").replace("Read.", "Read all.")),
        ('def f(path):\n    """Read path: it is long.\n    """\n', 'def f(p):\n    """Read path: it is long.\n    """\n'),
    ],
)
def test_silent(old: str, new: str) -> None:
    assert not find(RULE, old, new)
