"""Small changes that only take away."""

from __future__ import annotations

import pytest

from assistant.cancel import Cancel
from assistant.review.changes import of_texts
from assistant.review.project import TextsProject, changed_texts
from assistant.review.rules import taken_away
from assistant.review.rules.taken_away import LISTED, SHOWN
from assistant.review.types import Skipped
from tests.assistant.review.rules.cases import find, one

RULE = taken_away.RULE
OLD = """\
def f(a, b):
    if a is None:
        raise ValueError(a)
    if a and not b.done:
        g(a, deep=True)
    else:
        h(a)
    log(a)
    return b
"""


@pytest.mark.parametrize(
    ("was", "now", "said", "line"),
    [
        ("    if a is None:\n        raise ValueError(a)\n", "", "The check `if a is None", "if a and not b.done:"),
        ("a and ", "", "The test `a`", "if not b.done:"),
        (" and not b.done", "", "The test `not b.done`", "if a:"),
        ("    else:\n        h(a)\n", "", "The branch `else: h(a)`", "log(a)"),
        ("not ", "", "The `not` is gone", "if a and b.done:"),
    ],
)
def test_what_is_gone(was: str, now: str, said: str, line: str) -> None:
    finding, shown = one(RULE, OLD, OLD.replace(was, now))
    assert finding.message.startswith(said)
    assert (shown, finding.confidence) == (line, SHOWN)


@pytest.mark.parametrize(("was", "said"), [("    log(a)\n", "`log(a)`"), (", deep=True", "The argument `deep=True`")])
def test_a_call_or_an_argument_that_is_gone_may_be_meant(was: str, said: str) -> None:
    finding, _ = one(RULE, OLD, OLD.replace(was, ""))
    assert finding.message.startswith(said)
    assert finding.confidence == LISTED


def test_a_comma_at_the_end_is_nothing() -> None:
    old = "def f(a):\n    return g(\n        a,\n        1,\n    )\n"
    assert not find(RULE, old, "def f(a):\n    return g(\n        a,\n        1\n    )\n")


def test_javascript() -> None:
    old = "async function f(a, b) {\n  if (a && !b.done) {\n    await g(a);\n  }\n}\n"
    assert one(RULE, old, old.replace(" && !b.done", ""), "m.ts")[0].message.startswith("The test `!b.done`")
    assert "await" in one(RULE, old, old.replace("await ", ""), "m.ts")[0].message


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("    if a is None:\n        raise ValueError(a)\n", "    check(a)\n"),
        ("    if a and", "    # only the first\n    if a and"),
        ("deep=True", "deep=False"),
        ("return b", "return (b)"),
    ],
)
def test_silent_where_something_came(was: str, now: str) -> None:
    assert not find(RULE, OLD, OLD.replace(was, now))


@pytest.mark.parametrize("other", ["tests/test_m.py", "pkg/b.py"])
def test_silent_in_a_change_that_is_more_than_a_slip(other: str) -> None:
    change = of_texts({"pkg/m.py": (OLD, OLD.replace("a and ", "")), other: ("x = 1\n", "x = 2\n")})
    project = TextsProject(changed_texts(change))
    assert not [found for one in change.files for found in RULE(one, change, project, Cancel())]
    alone = of_texts({"pkg/m.py": (OLD, OLD.replace("a and ", "") + "\n\n" + "y = 1\n" * 30)})
    assert not list(RULE(alone.files[0], alone, project, Cancel()))


def test_a_mark_for_the_type_checker_is_no_not() -> None:
    old = "function f(a: A) {\n  return a.b!.c;\n}\n"
    assert not find(RULE, old, old.replace("!", ""), "m.ts")


def test_a_length_beside_its_value_says_nothing() -> None:
    old = "def f(a):\n    return a and len(a) > 0\n"
    assert not find(RULE, old, old.replace(" and len(a) > 0", ""))


TURNED = """\
def f(exc):
    if exc.real is not None:
        exc = exc.real
        show(exc)
    else:
        raise Closed(f"in {exc}") from exc
    return exc
"""


def test_what_came_back_in_another_hunk_is_not_gone() -> None:
    gone = TURNED.replace('    else:\n        raise Closed(f"in {exc}") from exc\n', "")
    assert len(find(RULE, TURNED, gone)) == 1
    above = '        if not exc.real:\n            raise Closed(f"in {exc}") from exc\n'
    turned = gone.replace("        exc = exc.real\n", above)
    assert not find(RULE, TURNED, turned)
    asked = "def g(self):\n    text = 'done'\n    show(text)\n    if self.keys and not self.open:\n        self.make()\n"
    without = asked.replace("self.keys and ", "")
    assert len(find(RULE, asked, without)) == 1
    assert not find(RULE, asked, without.replace("'done'", "'done' if self.keys else 'nothing'"))


def test_silent_where_the_data_of_a_test_changes_too() -> None:
    data = [Skipped("tests/data/final.txt", "not source code")]
    change = of_texts({"pkg/m.py": (OLD, OLD.replace("a and ", ""))}, skipped=data)
    assert not list(RULE(change.files[0], change, TextsProject(changed_texts(change)), Cancel()))


@pytest.mark.parametrize(("leaves", "count"), [("return a", 0), ("show(a)", 1)])
def test_an_else_behind_a_branch_that_leaves_says_nothing(leaves: str, count: int) -> None:
    old = f"def f(a):\n    if a:\n        {leaves}\n    else:\n        go(a)\n        stay(a)\n"
    assert len(find(RULE, old, old.replace("    else:\n        go(a)\n        stay(a)", "    go(a)\n    stay(a)"))) == count
