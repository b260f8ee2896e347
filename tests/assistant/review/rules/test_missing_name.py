"""Names that nothing binds any more."""

from __future__ import annotations

import pytest

from assistant.review.rules import missing_name
from tests.assistant.review.rules.cases import find, fixed, one

RULE = missing_name.RULE


def test_an_import_that_is_gone_comes_back() -> None:
    old = "import os\nimport sys\n\ndef f():\n    return os.sep + sys.prefix\n"
    finding, line = one(RULE, old, old.replace("import sys\n", ""))
    assert line == "return os.sep + sys.prefix"
    assert "took away what bound it" in finding.message
    assert "import sys\n" in fixed(RULE, old, old.replace("import sys\n", ""))


def test_a_misspelt_local() -> None:
    finding, _ = one(RULE, "", "def f(value):\n    return vaule + 1\n")
    assert "`vaule`" in finding.message


def test_a_function_that_another_file_still_imports() -> None:
    others = {"pkg/use.py": "from pkg.module import load\n"}
    finding, _ = one(RULE, "def load():\n    pass\n\ndef save():\n    pass\n", "def save():\n    pass\n", others=others)
    assert finding.path == "pkg/use.py"


def test_an_import_of_what_is_not_there() -> None:
    one(RULE, "", "from pkg.other import lod\n", others={"pkg/other.py": "def load():\n    pass\n"})


@pytest.mark.parametrize(
    "new",
    [
        "from os import *\nprint(sep2)\n",
        "globals()['x'] = 1\nprint(x)\n",
        "try:\n    unicode2\nexcept NameError:\n    pass\n",
        "def f() -> Later:\n    pass\n",
        "def f():\n    return [x for x in range(3)]\n",
        "class A:\n    x = 1\n    def f(self):\n        return __class__\n",
        "from pkg.pack import sub\n",
        "from pkg.lazy import anything\n",
        "from types import SimpleNamespace\n",
        "from tools import Thing\n",
        "print(a)  # noqa: F821\n",
    ],
)
def test_silent(new: str) -> None:
    others = {
        "pkg/pack/__init__.py": "",
        "pkg/pack/sub.py": "",
        "pkg/__init__.py": "",
        "pkg/types.py": "",
        "pkg/tools.py": "",
        "pkg/lazy.py": "def __getattr__(name):\n    return name\n",
    }
    assert not find(RULE, "", new, others=others)


def test_an_old_gap_is_no_news() -> None:
    assert not find(RULE, "def f():\n    return gap\n", "def f():\n    return gap + 1\n")
