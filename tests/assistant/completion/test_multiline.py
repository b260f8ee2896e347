"""One line or several, by the place alone."""

from __future__ import annotations

import pytest

from assistant.completion.multiline import Shape, choose
from assistant.types import Trigger
from tests.assistant.buffers import site

LINE, BLOCK, STATEMENT = Shape.LINE, Shape.BLOCK, Shape.STATEMENT
AUTO = [
    ("python", "def f():|", BLOCK),
    ("python", "def f(): |\n", BLOCK),
    ("python", "def f():\n    |\n", BLOCK),
    ("python", "def f():\n|\n", BLOCK),
    ("python", "def f():\n    |\n\n\ndef g():\n    pass\n", BLOCK),
    ("python", "class A:\n    def f(self):\n        |\n\n    def g(self):\n        pass\n", BLOCK),
    ("python", "class A:\n    def f(self):\n        '''Doc.'''\n        |\n", BLOCK),
    ("python", "def f():\n    # why\n    |\n", BLOCK),
    ("python", "if x:\n    y()\nelse:|\n", BLOCK),
    ("python", "try:|\n", BLOCK),
    ("python", "with open(\n    x,\n) as f:|\n", BLOCK),
    ("python", "async def f():|\n", BLOCK),
    ("python", "match x:\n    case 1:|\n", BLOCK),
    ("python", "class A:\n\n    x = 1\n\n    def f(self,\n          a,\n          b):|\n", BLOCK),
    ("python", "def f():|\n    pass\n", LINE),
    ("python", "def f():\n    |\n    return 1\n", LINE),
    ("python", "def f():\n    x = 1\n    |\n", LINE),
    ("python", "d = {'a':|}\n", LINE),
    ("python", "d = {\n    'a':|\n}\n", LINE),
    ("python", "x[1:|]\n", LINE),
    ("python", "f = lambda x:|\n", LINE),
    ("python", "x:|\n", LINE),
    ("python", "# see:|\n", LINE),
    ("python", "'''Note:|\n", LINE),
    ("python", "def f(x|):\n", LINE),
    ("python", "x = |\n", LINE),
    ("python", "|\n", LINE),
    ("javascript", "if (x) {|\n", BLOCK),
    ("javascript", "if (x) {|}\n", BLOCK),
    ("javascript", "if (x) {\n  |\n}\n", BLOCK),
    ("javascript", "f(() => {|});\n", BLOCK),
    ("javascript", "if (x) {|\n  y();\n}\n", LINE),
    ("javascript", "const {|} = x;\n", LINE),
    ("javascript", "// {|\n", LINE),
    ("json", '{"a": {|\n', LINE),
    ("css", "a {|\n", LINE),
    ("yaml", "a:|\n", LINE),
]


@pytest.mark.parametrize(("language", "before", "shape"), AUTO)
def test_auto(language: str, before: str, shape: Shape) -> None:
    assert choose(site(before, language), Trigger.AUTOMATIC, "auto").shape is shape


@pytest.mark.parametrize(
    ("before", "trigger", "setting", "shape"),
    [
        ("def f():|", Trigger.INVOKED, "never", LINE),
        ("x = 1\n|\n", Trigger.AUTOMATIC, "auto", LINE),
        ("x = 1\n|\n", Trigger.INVOKED, "auto", STATEMENT),
        ("x = |\n", Trigger.INVOKED, "auto", LINE),
        ("x = |\n", Trigger.AUTOMATIC, "always", STATEMENT),
        ("x = |)\n", Trigger.AUTOMATIC, "always", STATEMENT),
        ("x = | + 1\n", Trigger.INVOKED, "always", LINE),
        ("x = '|'\n", Trigger.INVOKED, "always", LINE),
        ("x = 1  # |\n", Trigger.INVOKED, "always", LINE),
    ],
)
def test_setting_and_trigger(before: str, trigger: Trigger, setting: str, shape: Shape) -> None:
    assert choose(site(before), trigger, setting).shape is shape


def test_the_headers_indentation_comes_along() -> None:
    assert choose(site("class A:\n    def f(self):|\n"), Trigger.AUTOMATIC, "auto").header == 4
    assert choose(site("class A:\n    def f(self,\n          b):|\n"), Trigger.AUTOMATIC, "auto").header == 4
