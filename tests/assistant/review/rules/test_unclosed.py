"""Files and connections that stay open."""

from __future__ import annotations

import pytest

from assistant.review.rules import unclosed
from tests.assistant.review.rules.cases import find, one

RULE = unclosed.RULE


def test_a_file_that_nobody_closes() -> None:
    _, line = one(RULE, "", "def f(p):\n    file = open(p)\n    return file.read()\n")
    assert line == "file = open(p)"


def test_a_return_between_open_and_close() -> None:
    head = "def f(p):\n    file = open(p)\n    if not p:\n        return None\n"
    new = head + "    text = file.read()\n    file.close()\n    return text\n"
    finding, line = one(RULE, "", new)
    assert line == "return None"
    assert [e.line for e in finding.evidence] == [1, 5]


@pytest.mark.parametrize(
    "body",
    [
        "with open(p) as file:\n        return file.read()",
        "file = open(p)\n    return file",
        "file = open(p)\n    self.file = file",
        "file = open(p)\n    use(file)",
        "file = open(p)\n    try:\n        return file.read()\n    finally:\n        file.close()",
        "file = open(p)\n    text = file.read()\n    file.close()\n    return text",
        "file = open(p)\n    with file:\n        return file.read()",
    ],
)
def test_silent(body: str) -> None:
    assert not find(RULE, "", f"def f(p, self):\n    {body}\n")
