"""What stands before a wrong name and is shown without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.workspace.existence.cutting import before
from assistant.workspace.existence.verdict import Edit, Kind
from tests.assistant.workspace.existence.judging import judge


@pytest.mark.parametrize(
    ("marked", "left"),
    [
        ("def f(application):\n    g(appl⟦ication, made_up_value)⟧\ndef g(a, b): ...\n", "ication"),
        ("def f(request):\n    re⟦quest = made_up_value⟧\n", "quest"),
        ("import os\n⟦total = 1\nos.made_up_name()⟧\n", "total = 1"),
        ("import os\ntotal = 0\nto⟦tal = (\n    1,\n    os.made_up_name()\n)⟧\n", "tal"),
    ],
)
def test_the_word_or_the_lines_before_stay(tmp_path: Path, marked: str, left: str) -> None:
    verdict = judge(marked, tmp_path)
    given = marked.partition("⟦")[2].partition("⟧")[0]
    assert (verdict.kind, verdict.text, verdict.edits) == (Kind.CUT, left, (Edit(len(left), len(given), ""),))


@pytest.mark.parametrize(
    "marked",
    [
        "x = ⟦made_up_value + 1⟧\n",
        "x = 1\ny = ⟦x + made_up_value⟧\n",
        "import os\nx = os.⟦made_up_name()⟧\n",
        "wrong = ⟦made_up_value(made_up_other)⟧\n",
        "def f(request):\n    ⟦request = made_up_value⟧\n",
        "def f(request):\n    reque⟦st = made_up_value⟧\n",
    ],
)
def test_what_is_no_use_alone_is_dropped(tmp_path: Path, marked: str) -> None:
    assert judge(marked, tmp_path).kind is Kind.DROPPED


def test_lines_that_leave_a_bracket_open_are_left_out() -> None:
    text = "first()\nsecond(\n    a,\n    b)"
    assert before(text, text.index("b)"), "python", False) == "first()"
