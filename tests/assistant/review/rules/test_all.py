"""All rules together: the registry, text that is cut anywhere, a set cancel, and code that is right."""

from __future__ import annotations

import logging
import random
from pathlib import Path

import pytest

from assistant.cancel import Cancel
from assistant.review import rules
from assistant.review.changes import of_texts
from assistant.review.project import TextsProject, changed_texts
from assistant.review.rules import ALL
from assistant.review.types import Finding

HERE = Path(rules.__file__).parent
SAMPLE = """\
import os
from a import b
class A(B):
    def __init__(self, x, y=[]):
        self.x = x; y.append(x)
    async def run(self):
        for i in range(len(self.x)):
            out.append(lambda: i)
        if self.x is None or self.x.y == 'a' or 'b': return self.run()
        try:
            z = load(f"{x} %s" % 1)
        except Exception:
            pass
        return z
def test_f(): re.sub(r'(', '\\\\2', x, re.I); x == 1; breakpoint()
"""
SCRIPT = """\
class A extends B { constructor(x) { this.x = x; } get f() { return 1; } }
async function f(a, {b}, ...c) { if (f(a) === NaN || 'x') { return; g(); } try { h(); } catch (e) {} }
for (let i = 0; i <= x.length; i++) { x[i] = `${y}`; debugger; }
export const g = async (a, b) => { expect(a).toBe; new Error('x'); };
"""


def _all(old: str | None, new: str, path: str, cancel: Cancel | None = None) -> list[Finding]:
    change = of_texts({path: (old, new)})
    project = TextsProject(changed_texts(change))
    return [found for rule in ALL for one in change.files for found in rule(one, change, project, cancel or Cancel())]


def test_every_file_with_a_rule_is_in_the_registry() -> None:
    files = [path.stem for path in sorted(HERE.glob("*.py")) if "\nRULE = " in path.read_text("utf-8")]
    assert len(ALL) == len(files)
    assert len({rule.name for rule in ALL}) == len(ALL)


@pytest.mark.parametrize(("path", "text"), [("m.py", SAMPLE), ("tests/test_m.py", SAMPLE), ("m.ts", SCRIPT), ("m.jsx", SCRIPT)])
def test_no_rule_fails_on_text_that_is_cut_anywhere(path: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    draw = random.Random(path)
    caplog.set_level(logging.ERROR)
    for _ in range(60):
        cut = sorted(draw.randrange(len(text) + 1) for _ in range(4))
        old = text[: cut[0]] + text[cut[1] :]
        new = text[: cut[2]] + draw.choice(["", "(", "\u00e9\U0001f600", "\udc80", "\r\n", ":", "'''"]) + text[cut[3] :]
        for finding in _all(old, new, path):
            assert 0 <= finding.line <= finding.end_line
    assert not caplog.records, caplog.records[0].exc_info


def test_a_set_cancel_ends_every_rule() -> None:
    cancel = Cancel()
    cancel.set()
    assert len(_all("", SAMPLE, "m.py")) > 2
    assert not _all("", SAMPLE, "m.py", cancel)


def test_nothing_is_said_of_our_own_rules_as_new_files() -> None:
    for path in sorted(HERE.glob("*.py")):
        text = path.read_text("utf-8")
        found = [f for f in _all(None, text, f"assistant/review/rules/{path.name}") if f.rule != "missing-name"]
        assert not found, (path.name, [(f.rule, f.line, f.message) for f in found])


def test_code_that_moved_to_another_file_is_no_news() -> None:
    body = "def add(item, seen=[]):\n    seen.append(item)\n    return seen\n"
    change = of_texts({"a.py": (body + "x = 1\n", "x = 1\n"), "b.py": ("", "import os\n\n" + body.replace("item", "item"))})
    project = TextsProject(changed_texts(change))
    assert not [
        f for rule in ALL for one in change.files for f in rule(one, change, project, Cancel()) if f.rule == "mutable-default"
    ]


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("tests/data/case.py", 0),
        ("tests/fixtures/a.ts", 0),
        ("tests/data/test_m.py", 1),
        ("tests/helper.py", 1),
        ("data/m.py", 1),
    ],
)
def test_what_is_data_of_a_test_is_not_reviewed(path: str, count: int) -> None:
    text = "def f():\n    return 1\n\n\ndef f():\n    return 2\n" if path.endswith(".py") else "it.only('x', () => {});\n"
    assert len([one for one in _all("", text, path) if one.rule in ("redefinition", "debug-leftover")]) == count
