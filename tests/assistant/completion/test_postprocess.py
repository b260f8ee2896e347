"""What the user gets for what the model said: the buffer before, the model's text, the buffer after (``None``: nothing
is shown).
"""

from __future__ import annotations

import pytest

from assistant.completion.multiline import choose
from assistant.completion.postprocess import suggest
from assistant.types import Indent, Trigger
from tests.assistant.buffers import site

PYTHON = [
    # plain continuations
    ("return the|", "n", "return then"),
    ("x = |", "compute(1)\n", "x = compute(1)"),
    ("x = |", "compute(1)   \t", "x = compute(1)"),
    ("import |\n", "os\nimport sys\n", "import os\n"),
    ("x = |", "", None),
    ("x = |", "   \n  ", None),
    ("x = 1|\n", "\ny = 2", None),
    # special tokens never leak
    ("x = |", "1<|end|>", "x = 1"),
    ("x = |", "<|fim_middle|>1", None),
    ("x = |", "foo(<|endoftext|>)", "x = foo("),
    ("x = |", "foo<|en", "x = foo"),
    ("x = |", "foo<fim_suffix>bar", "x = foo"),
    ("x = |", "foo<file_sep>bar", "x = foo"),
    ("x = |", "foo<repo_name>", "x = foo"),
    ("x = |", "foo</s>", "x = foo"),
    ("x = |", "foo\ufffd", "x = foo"),
    ("x = |", "a < b and c > d", "x = a < b and c > d"),
    # brackets and quotes that stand already
    ("foo(|)", "a, b)", "foo(a, b)"),
    ("foo(|)", "a, b", "foo(a, b)"),
    ("foo(|)", "f(x)", "foo(f(x))"),
    ("foo(|)", "f(x))", "foo(f(x))"),
    ("foo(|)", "x[0], {1: (2, 3)})", "foo(x[0], {1: (2, 3)})"),
    ("foo(|)", ")", None),
    ("foo([|])", "1, 2])", "foo([1, 2])"),
    ("foo([|])", "1, 2]", "foo([1, 2])"),
    ("foo('|')", "a.txt')", "foo('a.txt')"),
    ("foo('|')", "a.txt'", "foo('a.txt')"),
    ("foo('|')", "a.txt', 'r')", "foo('a.txt', 'r')"),
    ('x = "|"', 'hello"', 'x = "hello"'),
    ('x = f"|"', '{name}"', 'x = f"{name}"'),
    ('x = "a|', 'bc"', 'x = "abc"'),
    ("foo(|", "a, b)", "foo(a, b)"),
    ("foo(bar(|", "a))", "foo(bar(a))"),
    ("foo(bar(|)", "a))", "foo(bar(a))"),
    ("foo(bar(|))", "a))", "foo(bar(a))"),
    ("def f(|):\n    pass\n", "a, b):", "def f(a, b):\n    pass\n"),
    ("def f(|)\n", "a, b):", "def f(a, b):\n"),
    ("def f(|) -> None:\n    pass\n", "a, b) -> None:", "def f(a, b) -> None:\n    pass\n"),
    ("print(|)\n", "x) + 1\n", "print(x) + 1\n"),
    ("print(|)\n", "x) + (1\n", "print(x) + (1)\n"),
    ("foo(\n    a,\n    |\n)\n", "b,\n)", "foo(\n    a,\n    b,\n)\n"),
    ("foo(\n    bar(|\n)\n", "1)", "foo(\n    bar(1)\n)\n"),
    ("d = {\n    'a': foo(|\n    'b': 2,\n}\n", "1),", "d = {\n    'a': foo(1),\n    'b': 2,\n}\n"),
    ("d = {|}\n", "'a': 1}", "d = {'a': 1}\n"),
    ("d['|']\n", "key']", "d['key']\n"),
    ("if x in (|):\n    pass\n", "1, 2):", "if x in (1, 2):\n    pass\n"),
    ("x = y)|\n", "", None),
    ("x = f(|\n" + "y = g(1)\n" * 900, "a, b)", "x = f(a, b)\n" + "y = g(1)\n" * 900),
    ("def f():\n    x = g(|\n\n    def h():\n        pass\n", "a)", "def f():\n    x = g(a)\n\n    def h():\n        pass\n"),
    ("raise E('|', path=p)\n", "a's path')", "raise E('a', path=p)\n"),
    ("x.append('|')\n", '""', None),
    ("x.append('|')\n", "''", None),
    ("x = {1: '|'}\n", "a', 2: 'b'}", "x = {1: 'a', 2: 'b'}\n"),
    ("x = s|\n", "elf.", "x = self\n"),
    ("x = |\n", "...", "x = ...\n"),
    ("f(name|)\n", ", name, name, name, name, name", None),
    ("def f():\n    '''Parameters\n    |\n    '''\n", "----------", "def f():\n    '''Parameters\n    ----------\n    '''\n"),
    ("# see callable(|) -> names\n", "src, dst)", "# see callable(src, dst) -> names\n"),
    ("def f():\n    '''Say (default: ''|)\n    or not.\n    '''\n", "')", None),
    ('def f():\n    """Say (default: ""|\n    or not.\n    """\n', '")', None),
    ("# see (it|\n", ", and (that", "# see (it, and (that\n"),
    ("# see (|)\n", "it)", "# see (it)\n"),
    ("raise E(|\n", '"a long mess', None),
    ("raise E|\n", '("a long mess', "raise E(\n"),
    ("x = f('|')\n", "a', 'b", "x = f('a', 'b')\n"),
    ("x = a if k == '|' else b\n", "one' else 'two'", "x = a if k == 'one' else b\n"),
    # the rest of the line
    ("x = | + tail\n", "head + tail", "x = head + tail\n"),
    ("x = |tail\n", "tail", None),
    ("x = |self.value\n", "self.value.strip()", None),
    ("foo(|, b)\n", "a, b)", "foo(a, b)\n"),
    ("foo(|, last)\n", "first", "foo(first, last)\n"),
    ("return |  # why\n", "x\n", "return x  # why\n"),
    ("x = |   \n", "1", "x = 1   \n"),
    ("isinstance(x, (|int, float))\n", "str, bool", None),
    ("isinstance(x, (|int, float))\n", "str, ", "isinstance(x, (str, int, float))\n"),
    # lines below
    ("|\nreturn x\n", "return x", None),
    ("    x = 1\n    |\n    y = 2\n", "y = 2", None),
    ("    ret|\n    return x\n", "urn x", None),
    ("a = [\n    1,\n    |\n    2,\n]\n", "3,", "a = [\n    1,\n    3,\n    2,\n]\n"),
    ("|\nfoo(a)\nbar(b)\n", "foo(a)\nbar(b)", None),
    # lines above
    ("x = load(a)\n|\n", "x = load(a)", None),
    ("foo(alpha)\nbar(beta)\nfoo(alpha)\n|\n", "bar(beta)", None),
    ("foo(alpha)\nfoo(|", "beta)", "foo(alpha)\nfoo(beta)"),
    ("x = |", "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,", None),
    ("x = |", "aaa aaa aaa aaa aaa aaa aaa aaa aaa aaa aaa aaa aaa aaa aaa aaa", None),
    ("x = [|", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", "x = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"),
    ("self.x = |\n", "self.x", None),
    ("f(\n    name=|\n)\n", "name,", "f(\n    name=name,\n)\n"),
    ("x = push(|", "a.push(a.push(a.push(a.push(a.push(", None),
    (
        "def f():\n    if a:\n        return False\n    |\n",
        "return False",
        "def f():\n    if a:\n        return False\n    return False\n",
    ),
    ("if a == b:\n    |\n", "if a == b:", None),
    # decorators, comments, strings, docstrings
    ("@|\ndef f(self):\n    pass\n", "property\ndef f(self):", "@property\ndef f(self):\n    pass\n"),
    ("@app.route('|')\ndef f():\n    pass\n", "/home')", "@app.route('/home')\ndef f():\n    pass\n"),
    ("# comp|\nx = 1\n", "ute (the) value's x\n", "# compute (the) value's x\nx = 1\n"),
    ("x = 1  # it's |\n", "one)", "x = 1  # it's one)\n"),
    ('def f():\n    """Re|"""\n', 'turn the value."""', 'def f():\n    """Return the value."""\n'),
    ('def f():\n    """Re|\n', 'turn the value."""', 'def f():\n    """Return the value."""\n'),
    ("x = 'it\\'s |'\n", "here'", "x = 'it\\'s here'\n"),
    ("def f():\n    |\n    x = 1\n", '"""Return it.\n', 'def f():\n    """Return it."""\n    x = 1\n'),
    ("def f():\n    |\n    x = 1\n", '"""', None),
    # emoji, surrogates, line ends
    ("greet('👋|')\n", "🌍')", "greet('👋🌍')\n"),
    ("x = '\ud83d|'\n", "y'", "x = '\ud83dy'\n"),
    ("x = |\r\ny = 2\r\n", "1\r\n", "x = 1\r\ny = 2\r\n"),
    ("foo(|)\r\n", "a)\r\n", "foo(a)\r\n"),
    # indentation of the first line
    ("def f():\n    x = 1\n    |\n", "    return x", "def f():\n    x = 1\n    return x\n"),
    ("def f():\n    if x:\n    |\n", "    return x", "def f():\n    if x:\n        return x\n"),
    ("def f():\n    x = 1\n|\n", "    return x", "def f():\n    x = 1\n    return x\n"),
    ("def f():\n\tx = 1\n|\n", "    return x", "def f():\n\tx = 1\n\treturn x\n"),
    ("def f():\n    if a:\n        x = 1\n    |\n", "    y = 2", "def f():\n    if a:\n        x = 1\n    y = 2\n"),
    # broken by the wrong depth
    ("if a:\n    x()\n    |\ny()\n", "else:", None),
    ("if a:\n    x()\n|\ny()\n", "else:", "if a:\n    x()\nelse:\ny()\n"),
    ("def f():\n    x()\n    |\n    y()\n", "for a in b:", "def f():\n    x()\n    for a in b:\n    y()\n"),
    ("def f():\n    x()\n    |\n    y()\n", "except ValueError:", None),
]


@pytest.mark.parametrize(("before", "said", "after"), PYTHON)
def test_single_lines_of_python(before: str, said: str, after: str | None) -> None:
    check(before, said, after, "python", "never")


BLOCKS = [
    ("def f():|\n", "\n    return 1\n", "def f():\n    return 1\n"),
    ("def f():|\n", "\n    x = 1\n    return x", "def f():\n    x = 1\n    return x\n"),
    ("def f():\n    |\n", "x = 1\n    return x", "def f():\n    x = 1\n    return x\n"),
    ("def f():\n|\n", "    x = 1\n    return x", "def f():\n    x = 1\n    return x\n"),
    ("def f():\n    |\n", "\n    x = 1\n    return x", "def f():\n    x = 1\n    return x\n"),
    ("class A:\n  def f(self):|\n", "\n      return 1\n", "class A:\n  def f(self):\n    return 1\n"),
    ("class A:\n\tdef f(self):|\n", "\n        return 1\n", "class A:\n\tdef f(self):\n\t\treturn 1\n"),
    (
        "class A:\n\tdef f(self):\n\t\t|\n",
        "if x:\n            return 1\n        return 2",
        "class A:\n\tdef f(self):\n\t\tif x:\n\t\t\treturn 1\n\t\treturn 2\n",
    ),
    ("class A:\n    def f(self):|\n", "\n\t\treturn 1\n", "class A:\n    def f(self):\n        return 1\n"),
    (
        "def f():\n    x()\n    |\n",
        "    if x:\n            return 1\n        return 2",
        "def f():\n    x()\n    if x:\n        return 1\n    return 2\n",
    ),
    ("def f():|\n", "\n    if x: return 1\n        y = 2", "def f():\n    if x: return 1\n"),
    ("def f():|\n", "\n    if x:  # why\n        y = 2", "def f():\n    if x:  # why\n        y = 2\n"),
    ("def f():|\n", "\n    x = y + \\\n        2", "def f():\n    x = y + \\\n        2\n"),
    (
        "def f():|\n",
        "\n    x = [\n        1,\n            2]\n    y = 3",
        "def f():\n    x = [\n        1,\n            2]\n    y = 3\n",
    ),
    ("def f():|\n    return x\n", " pass", None),
    ("def f():|\n    return x\n", " # go\n    return x", "def f(): # go\n    return x\n"),
    ("x = [\n|\n]\n", "    1,\n    2,\n]", "x = [\n    1,\n    2,\n]\n"),
    ("def f():|\r\n", "\n    x = 1\n    return x", "def f():\r\n    x = 1\r\n    return x\r\n"),
    (
        "def f(x):|\n\ndef g(x):\n    pass\n",
        "\n    pass\n\ndef g(x):\n    pass",
        "def f(x):\n    pass\n\ndef g(x):\n    pass\n",
    ),
    (
        "def f():|\n",
        '\n    """Doc.\n\n      deep\n    """\n    return 1',
        'def f():\n    """Doc.\n\n      deep\n    """\n    return 1\n',
    ),
    ("for x in y:|\n", "\n    foo(\n        x,\n    )\n", "for x in y:\n    foo(\n        x,\n    )\n"),
    ("def f():|\n", '\n    """\n\n    """', None),
    ("def f():|\n", "\n    x = 1\n    if x:", "def f():\n    x = 1\n"),
    ("def f():|\n", "\n    if x:", None),
    ("def f():|\n", "\n    # only\n    # words", None),
    ("def f():|\n", "\n    x = 1\n    # words", "def f():\n    x = 1\n"),
    ("for x in y:|\n", "\n    a()\n    a()\n    a()\n    a()", None),
]


@pytest.mark.parametrize(("before", "said", "after"), BLOCKS)
def test_several_lines_of_python(before: str, said: str, after: str | None) -> None:
    check(before, said, after, "python", "always")


OTHERS = [
    ("javascript", "describe('fi|')\n", "rst')", "describe('first')\n"),
    ("javascript", "describe('fi|')\n", "rst', () => {", "describe('first')\n"),
    ("javascript", "foo(|);\n", "a, b);", "foo(a, b);\n"),
    ("javascript", "foo(|);\n", "a) || b;", "foo(a) || b;\n"),
    ("javascript", "foo('|');\n", "a', [1]);", "foo('a', [1]);\n"),
    ("javascript", "foo(|)\n", "a, b);", "foo(a, b);\n"),
    ("javascript", "const f = `a ${b} |`;\n", "c`;", "const f = `a ${b} c`;\n"),
    ("javascript", "if (x) {|}\n", "\n  return 1;\n}", "if (x) {\n  return 1;\n}\n"),
    ("javascript", "if (x) {|}\n", "\n  return 1;\n", "if (x) {\n  return 1;\n}\n"),
    ("javascript", "if (x) {|\n}\n", "\n  return 1;\n}", "if (x) {\n  return 1;\n}\n"),
    ("javascript", "if (x) {|\n", "\n  return 1;\n}", "if (x) {\n  return 1;\n}\n"),
    ("javascript", "items.map((x) => {|});\n", "\n  return x;\n});", "items.map((x) => {\n  return x;\n});\n"),
    ("javascript", "// don't |\nlet x;\n", "do this", "// don't do this\nlet x;\n"),
    (
        "typescript",
        "class A {\n  run(): void {|\n  }\n}\n",
        "\n    go();\n  }\n}",
        "class A {\n  run(): void {\n    go();\n  }\n}\n",
    ),
    ("go", "func f() {|}\n", "\n\treturn\n}", "func f() {\n\treturn\n}\n"),
    ("go", "func f() {|}\n", "\n    return\n}", "func f() {\n\treturn\n}\n"),
    ("c", "int a[] = {|};\n", "1, 2};", "int a[] = {1, 2};\n"),
    ("c", "#define X(a) (|)\n", "(a) + 1)", "#define X(a) ((a) + 1)\n"),
    ("rust", "fn f<'a>(x: &'a str|) {\n}\n", ", y: u8)", "fn f<'a>(x: &'a str, y: u8) {\n}\n"),
    ("rust", "let v = vec![|];\n", "1, 2];", "let v = vec![1, 2];\n"),
    ("yaml", "a:\n  b: |\n", "1\n", "a:\n  b: 1\n"),
    ("json", '{"a": |}\n', "[1, 2]}", '{"a": [1, 2]}\n'),
    ("xml", "<list>|\n", "<file>a</file>", "<list><file>a</file>\n"),
    ("html", '<a href="|">x</a>\n', '/home">', '<a href="/home">x</a>\n'),
    ("shellscript", 'echo "$(|)"\n', 'date)"', 'echo "$(date)"\n'),
    ("sql", "select count(|) from t\n", "*) from t", "select count(*) from t\n"),
    ("lua", "-- it's |\n", "fine", "-- it's fine\n"),
    ("unknown", "call(|)\n", "a)", "call(a)\n"),
]


@pytest.mark.parametrize(("language", "before", "said", "after"), OTHERS)
def test_other_languages(language: str, before: str, said: str, after: str | None) -> None:
    check(before, said, after, language, "auto")


def test_the_editors_word_counts_where_the_buffer_says_nothing() -> None:
    check("def f():|\n", "\n    return 1", "def f():\n\treturn 1\n", "python", "auto", Indent(4, tabs=True))
    check("def f():|\n", "\n    return 1", "def f():\n  return 1\n", "python", "auto", Indent(2))


def test_a_range_lies_on_the_cursors_line_and_new_text_is_what_was_not_there() -> None:
    for before, said, text, inserted in (
        ("foo(|)", "a, b)", "a, b", "a, b"),
        ("def foo(|)", "a, b):", "a, b):", "a, b:"),
        ("foo('|')", "a', 'r')", "a', 'r", "a', 'r"),
        ("foo('|')", "a', [1])", "a', [1])", "a, [1]"),
        ("if (x) {|}", "\n  y();\n", "\n  y();\n}", "\n  y();\n"),
        ("x = |  # why", "1", "1", "1"),
    ):
        language = "javascript" if "{" in before else "python"
        place = site(before, language)
        placed = suggest(said, place, choose(place, Trigger.AUTOMATIC, "auto"))
        assert placed is not None
        assert (placed.text, placed.inserted) == (text, inserted)
        assert placed.start == place.offset
        assert placed.end in (place.offset, place.offset + len(place.rest))


def check(before: str, said: str, after: str | None, language: str, multi_line: str, indent: Indent | None = None) -> None:
    place = site(before, language, indent=indent)
    placed = suggest(said, place, choose(place, Trigger.AUTOMATIC, multi_line))
    got = None if placed is None else place.text[: placed.start] + placed.text + place.text[placed.end :]
    assert got == after
