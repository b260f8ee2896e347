"""Arguments in each other's place."""

from __future__ import annotations

import pytest

from assistant.review.rules import argument_swap
from tests.assistant.review.rules.cases import find, fixed, one

RULE = argument_swap.RULE
DEF = "def area(width, height):\n    return width * height\n"


def test_swapped_arguments_are_put_right() -> None:
    assert fixed(RULE, DEF, DEF + "\ndef g(width, height):\n    return area(height, width)\n").endswith("area(width, height)\n")


def test_attributes_and_an_imported_function() -> None:
    finding, _ = one(
        RULE,
        "",
        "from pkg.shape import area\n\ndef g(box):\n    return area(box.height, box.width)\n",
        others={"pkg/shape.py": DEF},
    )
    assert finding.evidence[0].path == "pkg/shape.py"


def test_javascript() -> None:
    one(RULE, "", "function area(width, height) { return 1; }\nconst g = (width, height) => area(height, width);\n", "a.js")


@pytest.mark.parametrize(
    "use",
    [
        "def g(width, height):\n    return area(width, height)\n",
        "def g(height, depth):\n    return area(height, depth)\n",
        "def swapped(width, height):\n    return area(height, width)\n",
        "def g(width, height):\n    return area(height=width, width=height)\n",
        "def g(area, width, height):\n    return area(height, width)\n",
    ],
)
def test_silent(use: str) -> None:
    assert not find(RULE, DEF, DEF + "\n" + use)
