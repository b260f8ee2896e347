"""What is open, and what is closed later."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assistant.workspace.brackets import Outlook, in_text, scan


@pytest.mark.parametrize(
    ("language", "text", "open_"),
    [
        ("python", "foo(a, [1", "(["),
        ("python", "foo(a)", ""),
        ("python", "x = 'it\\'s", "'"),
        ("python", "x = 'one\ny = (", "("),
        ("python", "x = 'one\\\ny = (", "'"),
        ("python", '"""a (\n\'[', '"""'),
        ("python", '"""a""" (', "("),
        ("python", 'x = "" (', "("),
        ("python", "# it's (", "#"),
        ("python", "# it's (\n[", "["),
        ("python", "'#' (", "("),
        ("javascript", "`a ${'", "`"),
        ("javascript", "`a\n", "`"),
        ("javascript", "/* ( \n", "/*"),
        ("javascript", "/* ( */ [ // (\n", "["),
        ("rust", "fn f<'a>(x", "("),
        ("markdown", "it's (", "("),
        ("html", "<!-- ( --> <a href='", ""),
        ("nothing known", "it's {", "{"),
        ("python", "}) foo(", "("),
        ("python", "(]", "("),
        ("python", "([)", ""),
    ],
)
def test_what_is_open(language: str, text: str, open_: str) -> None:
    assert "".join(entry.mark for entry in scan(text, language).stack) == open_


def test_strings_and_comments_are_text() -> None:
    assert in_text(scan("x = '", "python").stack)
    assert in_text(scan("# ", "python").stack)
    assert not in_text(scan("x = ''", "python").stack)
    assert not in_text(scan("(", "python").stack)


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        ("foo(", ")", ""),
        ("foo(", "", "("),
        ("foo(bar(", ")", "("),
        ("foo('", "')", ""),
        ("foo('", ")", "('"),
        ("foo('", "\n)", "'"),
        ("d = {\n  'a': foo(", "\n  'b': 2,\n}", "("),
        ("foo(\n  bar(", "\n)", "("),
        ("foo(\n  bar(", ")\n", "("),
        ("foo(", "\nx = (1)\n", "("),
    ],
)
def test_what_nothing_closes(before: str, after: str, missing: str) -> None:
    stack = scan(before, "python").stack
    assert "".join(entry.mark for entry in Outlook.of(stack, after, "python").missing) == missing


@pytest.mark.parametrize(("whole", "missing"), [(False, ""), (True, "{{")])
def test_beyond_the_window_what_lines_above_opened_is_taken_to_be_closed(whole: bool, missing: str) -> None:
    before = "class A {\n  run() {\n    go("
    stack = scan(before, "javascript").stack
    view = Outlook.of(stack, ");\n", "javascript", line=before.rindex("\n") + 1, whole=whole)
    assert "".join(entry.mark for entry in view.missing) == missing


def test_beyond_the_window_what_the_line_itself_opened_is_missing() -> None:
    before = "class A {\n  x = f("
    stack = scan(before, "javascript").stack
    view = Outlook.of(stack, "\n  y = 1;\n", "javascript", line=before.rindex("\n") + 1, whole=False)
    assert [entry.mark for entry in view.missing] == ["("]
    assert [entry.mark for entry in view.beyond] == ["{"]


@pytest.mark.parametrize(
    ("before", "after", "text", "over", "count"),
    [
        ("foo(", ")", "a", 0, 0),
        ("foo(", ")", "a)", 0, 1),
        ("foo(", ")", "a)", 1, 0),
        ("foo(", "", "a", 0, 1),
        ("foo(", "", "a)", 0, 0),
        ("foo('", "')", "a', 'b", 0, 0),
        ("x = ", "", "'", 0, 1),
        ("x = ", "", "# it's (", 0, 0),
        ("", ")", "", 0, 1),
        ("", ")", "(", 0, 0),
    ],
)
def test_how_many_marks_lack_a_partner(before: str, after: str, text: str, over: int, count: int) -> None:
    assert Outlook.of(scan(before, "python").stack, after, "python").imbalance(text, over) == count


@given(st.text(alphabet="()[]{}'\"#\\ab \n"), st.text(alphabet="()[]{}'\"#\\ab \n"))
def test_scanning_in_two_pieces_is_scanning_once(one: str, two: str) -> None:
    """Except inside a mark of several characters, and for the indentation of lines, which pieces do not carry."""
    line = one[one.rfind("\n") + 1 :]
    assume(line.strip(" \t") and not one.endswith(("\\", "'", '"')))
    first = scan(one, "python").stack
    whole = [entry.mark for entry in scan(one + two, "python").stack]
    pieces = [entry.mark for entry in scan(two, "python", first, len(line) - len(line.lstrip(" \t"))).stack]
    assert pieces == whole
