"""Copies that nobody changed."""

from __future__ import annotations

from assistant.review.rules import copied
from tests.assistant.review.rules.cases import find, one

RULE = copied.RULE
FIRST = 'def test_a():\n    """An empty list gives an empty answer."""\n    assert f([]) == []\n'
BODY = "    made = build({'a': 1, 'b': 2, 'c': 3})\n    assert made.names == ['a', 'b', 'c']\n"


def test_a_docstring() -> None:
    second = FIRST.replace("test_a", "test_b").replace("[]", "()")
    finding, line = one(RULE, FIRST, f"{FIRST}\n{second}", "tests/test_m.py")
    assert finding.line == 5
    assert finding.evidence[0].line == 1
    assert line.startswith('"""An empty')


def test_a_whole_test() -> None:
    finding, line = one(RULE, f"def test_a():\n{BODY}", f"def test_a():\n{BODY}\ndef test_b():\n{BODY}", "tests/test_m.py")
    assert line == "def test_b():"
    assert "test_a" in finding.message


def test_the_title_of_a_javascript_test() -> None:
    old = "describe('x', () => {\n  it('gives one', () => { a(); });\n});\n"
    new = old.replace("});\n});", "});\n  it('gives one', () => { b(); });\n});")
    assert one(RULE, old, new, "x.test.js")[0].line == 2


def test_silent() -> None:
    short = FIRST.replace("An empty list gives an empty answer.", "As above.")
    assert not find(RULE, short, f"{short}\n{short.replace('test_a', 'test_b').replace('[]', '()')}", "tests/test_m.py")
    both = f"{FIRST}\n{FIRST.replace('test_a', 'test_b').replace('[]', '()')}"
    assert not find(RULE, both, both.replace("f(()) ==", "g(()) =="), "tests/test_m.py")
    assert not find(RULE, f"def a():\n{BODY}", f"def a():\n{BODY}\ndef b():\n{BODY}")
