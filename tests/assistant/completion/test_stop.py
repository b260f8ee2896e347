"""Where reading the model ends: the buffer, the mode it gets, what the model would say, what is kept of it."""

from __future__ import annotations

import pytest

from assistant.completion.multiline import Mode, Shape, choose
from assistant.completion.stop import Stopper
from assistant.types import Finish, Trigger
from tests.assistant.buffers import site

LINE, BLOCK, STATEMENT = Shape.LINE, Shape.BLOCK, Shape.STATEMENT
CASES = [
    # one line
    ("x = |", LINE, "f(\n1)", "f("),
    ("x = 1|", LINE, "\ny = 2", ""),
    # the body of a header
    ("def f():|", BLOCK, "\n    return 1\n\ndef g():\n", "\n    return 1"),
    ("def f():|", BLOCK, "\n    x = 1\n    return x\nprint(f())\n", "\n    x = 1\n    return x"),
    (
        "def f():|",
        BLOCK,
        "\n    if x:\n        y()\n    else:\n        z()\nw()\n",
        "\n    if x:\n        y()\n    else:\n        z()",
    ),
    ("def f():|", BLOCK, "\n    foo(\n1,\n2)\n    bar()\nx\n", "\n    foo(\n1,\n2)\n    bar()"),
    ("def f():|", BLOCK, '\n    """A.\n\nB.\n    """\n    x\n\ny', '\n    """A.\n\nB.\n    """\n    x'),
    ("def f():|", BLOCK, "\n    x = 1\n\n    y = 2\n", "\n    x = 1"),
    ("def f():|", BLOCK, " return 1\n    x\n", " return 1"),
    ("def f():\n    |", BLOCK, "x = 1\n    y = 2\nz\n", "x = 1\n    y = 2"),
    ("def f():\n|", BLOCK, "    x = 1\n    y = 2\nz\n", "    x = 1\n    y = 2"),
    ("class A:\n    def f(self):\n        |", BLOCK, "x\n        y\n    def g(self):\n", "x\n        y"),
    ("def f():\n    '''Doc.'''\n    |", BLOCK, "x = 1\n    y = 2\nz\n", "x = 1\n    y = 2"),
    ("def f():|", BLOCK, "\n\n\n    return 1\nx\n", "\n\n\n    return 1"),
    ("def f():|", BLOCK, "\nx = 1\ny = 2\n", ""),
    ("def f():|", BLOCK, "\n    return 1\nx", "\n    return 1"),
    ("def f():|", BLOCK, "\n    a = 1\n    if b == ''':\n        c()\n", "\n    a = 1"),
    # the statement at the cursor
    ("x = 1\n|\ny = 2\n", STATEMENT, "z = 3\nw = 4\n", "z = 3"),
    ("x = 1\n|\n", STATEMENT, "z = f(\n    1,\n)\nw = 4\n", "z = f(\n    1,\n)"),
    ("x = 1\n|\n", STATEMENT, "for a in b:\n    c()\n    d()\ne()\n", "for a in b:\n    c()\n    d()"),
    (
        "x = 1\n|\n",
        STATEMENT,
        "if a:\n    b()\nelif c:\n    d()\nelse:\n    e()\nf()\n",
        "if a:\n    b()\nelif c:\n    d()\nelse:\n    e()",
    ),
    (
        "x = 1\n|\n",
        STATEMENT,
        "try:\n    a()\nexcept E:\n    b()\nfinally:\n    c()\nd\n",
        "try:\n    a()\nexcept E:\n    b()\nfinally:\n    c()",
    ),
    ("x = 1\n|\n", STATEMENT, "@deco\ndef f():\n    pass\nx\n", "@deco\ndef f():\n    pass"),
    ("x = 1\n|\n", STATEMENT, "if a:\n    b()\nelsewhere = 1\n", "if a:\n    b()"),
    ("x = 1\n|\n", STATEMENT, "# why\nx = 2\ny\n", "# why\nx = 2"),
    ("def f():\n    x = 1\n    |\n    z()\n", STATEMENT, "if a:\n        b()\n    c()\n", "if a:\n        b()"),
    ("x = 1\n|\n", STATEMENT, "x = '''\na\n'''\ny\n", "x = '''\na\n'''"),
    ("x = [\n    1,\n    |\n]\n", STATEMENT, "2,\n    3,\n]\n", "2,"),
    ("x = [\n    1,\n    |\n]\n", STATEMENT, "(2,\n     3),\n    4,\n", "(2,\n     3),"),
    ("x = f(|", STATEMENT, "1,\n      2)\ny = 2\n", "1,\n      2)"),
]


@pytest.mark.parametrize(("before", "shape", "said", "kept"), CASES)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_answer_ends_where_it_is_complete(before: str, shape: Shape, said: str, kept: str, size: int) -> None:
    place = site(before)
    mode = choose(place, Trigger.INVOKED, "never" if shape is LINE else "always")
    assert mode.shape is shape
    assert run(Stopper(place, mode), said, size, Finish.END) == kept


BRACES = [
    ("javascript", "if (x) {|\n", BLOCK, "\n  y();\n}\nz();\n", "\n  y();\n}"),
    ("javascript", "if (x) {|}\n", BLOCK, "\n  y();\n}\nz();\n", "\n  y();\n}"),
    (
        "javascript",
        "function f() {|\n",
        BLOCK,
        "\n  if (x) {\n    y();\n  }\n  z();\n}\nw();\n",
        "\n  if (x) {\n    y();\n  }\n  z();\n}",
    ),
    (
        "javascript",
        "function f() {|\n",
        BLOCK,
        "\n  g(function () {\n    y();\n  });\n  z();\n}\n",
        "\n  g(function () {\n    y();\n  });\n  z();\n}",
    ),
    (
        "javascript",
        "let y;\n|\n",
        STATEMENT,
        "if (x) {\n  y();\n} else {\n  z();\n}\nw();\n",
        "if (x) {\n  y();\n} else {\n  z();\n}",
    ),
    ("javascript", "let y;\n|\n", STATEMENT, "y = 1;\nw();\n", "y = 1;"),
    ("go", "func f() {|\n", BLOCK, "\n\treturn\n}\n\nfunc g() {", "\n\treturn\n}"),
]


@pytest.mark.parametrize(("language", "before", "shape", "said", "kept"), BRACES)
@pytest.mark.parametrize("size", [1, 1000])
def test_without_a_grammar_brackets_and_indentation_decide(
    language: str, before: str, shape: Shape, said: str, kept: str, size: int
) -> None:
    place = site(before, language)
    mode = choose(place, Trigger.INVOKED, "always")
    assert mode.shape is shape
    assert run(Stopper(place, mode), said, size, Finish.END) == kept


def test_a_finished_simple_statement_is_known_at_its_line_end() -> None:
    stopper = Stopper(site("x = 1\n|\n"), Mode(STATEMENT))
    assert not stopper.feed("z = 3")
    assert stopper.feed("\n"), "the next line need not be decoded"


def test_a_block_needs_no_more_than_the_next_lines_first_word() -> None:
    stopper = Stopper(site("def f():|"), Mode(BLOCK, 0))
    assert not stopper.feed("\n    return 1\n")
    assert not stopper.feed("pri")
    assert stopper.feed("nt(")
    assert stopper.text == "\n    return 1"


@pytest.mark.parametrize(
    ("before", "said", "kept"),
    [
        ("def f():|", "\n    x = 1\n    y = foo(", "\n    x = 1"),
        ("def f():|", "\n    x = foo(\n        1,\n        2", ""),
        ("def f():|", "\n    return val", "\n    return val"),
        ("def f():\n    |", "x = 1\n    retu", "x = 1"),
    ],
)
@pytest.mark.parametrize("finish", [Finish.LENGTH, Finish.BUDGET])
def test_several_lines_that_were_cut_short_end_with_a_whole_one(before: str, said: str, kept: str, finish: Finish) -> None:
    stopper = Stopper(site(before), Mode(BLOCK, 0))
    assert run(stopper, said, 4, finish) == kept


@pytest.mark.parametrize(
    ("before", "said", "kept"),
    [
        ("def f():|", "\n    go(a)\n    go(a)\n    go(a)\n", "\n    go(a)"),
        ("def f():|", "\n    ab()\n    cd()\n    ab()\n    cd()\n    ab()\n", "\n    ab()\n    cd()"),
        ("x = load(a)\n|\n", "x = load(a)\nx = load(a)\n", ""),
    ],
)
def test_a_loop_is_cut_at_its_second_round(before: str, said: str, kept: str) -> None:
    place = site(before)
    stopper = Stopper(place, choose(place, Trigger.INVOKED, "always"))
    assert run(stopper, said, 1, Finish.LENGTH) == kept
    assert stopper.done


@pytest.mark.parametrize(
    ("before", "setting", "said", "kept"),
    [
        ("x = |", "never", "push(" * 40, ""),
        ("def f():|", "auto", "\n    x = 1\n    y = [" + "None, " * 40, "\n    x = 1"),
    ],
)
def test_what_goes_round_in_one_line_is_not_read_to_its_end(before: str, setting: str, said: str, kept: str) -> None:
    place = site(before)
    stopper = Stopper(place, choose(place, Trigger.AUTOMATIC, setting))
    assert run(stopper, said, 4, Finish.LENGTH) == kept
    assert stopper.done


@pytest.mark.parametrize("shape", [LINE, BLOCK])
def test_a_docstring_that_was_cut_off_is_not_shown(shape: Shape) -> None:
    stopper = Stopper(site("def f():\n    |"), Mode(shape, 0))
    assert run(stopper, '"""Return the name of the', 4, Finish.LENGTH) == ""


@pytest.mark.parametrize(
    ("said", "kept"), [("foo(alpha, be", "foo(alpha, "), ("compu", "compu"), ("foo(", "foo("), ("a b", "a ")]
)
def test_one_line_that_was_cut_short_is_kept_to_its_last_whole_word(said: str, kept: str) -> None:
    assert run(Stopper(site("x = |"), Mode(LINE)), said, 4, Finish.BUDGET) == kept
    assert run(Stopper(site("x = |"), Mode(LINE)), said, 4, Finish.END) == said


def run(stopper: Stopper, said: str, size: int, finish: Finish) -> str:
    for at in range(0, len(said), size):
        if stopper.feed(said[at : at + size]):
            break
    return stopper.finish(finish)
