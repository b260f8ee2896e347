"""Drafts say what the code says: every word of theirs stands in it, or in their template."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from assistant.review.comment import Draft, draft
from assistant.workspace.index import WorkspaceIndex

CODE = '''class Store:
    def load_rows(self, path: str, limit: int = 3) -> list[str]:
        if limit < 0:
            raise ValueError("limit")
        self.count = len(path)
        return clean(read(path))

    async def stop(self):
        self.done = True

    def one(self): return 1

    def told(self):
        """It is documented."""
'''


def said(text: str, made: Draft | None) -> str:
    assert made is not None
    return text[: made.offset] + made.text + text[made.offset :]


def doc(intent: str, line: int, index: WorkspaceIndex | None = None, name: str = "load_rows") -> str | None:
    made = draft(CODE, "python", line, intent, "store.py", index)
    if made is None:
        return None
    tree = ast.parse(said(CODE, made))
    found = next(
        node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name
    )
    return ast.get_docstring(found)


def test_what_it_does() -> None:
    assert (
        doc("what", 1)
        == "Load rows.\n\nArgs:\n    path (str)\n    limit (int)\n\nReturns:\n    list[str]\n\nRaises:\n    ValueError"
    )


def test_how_it_is_done_and_what_holds_of_it() -> None:
    assert doc("how", 1) == "Calls len, then read, then clean."
    assert doc("property", 1) == "Raises ValueError.\nSets self.count."
    assert doc("property", 7, name="stop") == "Is a coroutine; await it.\nSets self.done.\nReturns nothing."


@pytest.mark.parametrize(
    ("line", "intent"), [(0, "what"), (2, "what"), (10, "what"), (12, "what"), (1, "why"), (1, "use"), (7, "how"), (1, "poem")]
)
def test_where_there_is_nothing_to_say_nothing_is_said(line: int, intent: str) -> None:
    """No function, one on a single line, a documented one, no callers known, no calls, no such intent."""
    assert doc(intent, line) is None


def test_what_it_is_for_and_how_it_is_used_come_from_the_callers(tmp_path: Path) -> None:
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws" / "store.py").write_text(CODE)
    (tmp_path / "ws" / "app.py").write_text(
        "import store\n\n\ndef main(store):\n    return store.load_rows('a',\n        limit=2)\n"
    )
    index = WorkspaceIndex([tmp_path / "ws"], tmp_path / "cache", in_process=True)
    index.scan()
    try:
        assert doc("why", 1, index) == "Called by main (app.py:5)."
        assert doc("use", 1, index) == "As in app.py:5: store.load_rows('a', limit=2)"
        (tmp_path / "ws" / "other.py").write_text("def load_rows(): pass\n")
        index.scan()
        assert doc("why", 1, index) is None  # whose callers these are nobody can say
    finally:
        index.close()


def test_javascript_gets_jsdoc() -> None:
    code = "  export async function loadRows(path, limit = 3) {\n    throw new RangeError('x');\n  }\n"
    made = draft(code, "javascript", 0, "what", "a.js")
    assert made == Draft(0, "  /**\n   * Load rows.\n   * @param path\n   * @param limit\n   * @throws {RangeError}\n   */\n")
    assert draft(said(code, made), "javascript", 6, "what", "a.js") is None


def test_line_ends_and_quotes_are_kept_safe() -> None:
    code = 'def f(a: \'x"""y\' = 1):\r\n    g()\r\n    raise E\r\n'
    for intent in ("what", "how"):
        made = draft(code, "python", 0, intent, "f.py")
        text = said(code, made)
        ast.parse(text)
        assert "\n" not in text.replace("\r\n", "")


def test_broken_code_gets_no_exception() -> None:
    for text in ("def f(:\n  x", "def f():\n", "", "def "):
        draft(text, "python", 0, "what", "f.py")
