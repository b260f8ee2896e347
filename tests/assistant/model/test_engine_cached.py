"""Whatever was asked before, in whatever order and however it ended, an answer is the one of an engine that knows nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.model import fused
from assistant.model.checkpoint import Checkpoint
from assistant.model.engine import Engine
from assistant.types import Finish, GenerateRequest, OpenFile, Part
from tests.assistant.model import tiny

DOCUMENTS = 6
"""More than there are slots."""
NEW = st.sampled_from(["x", "\n", "    ", "self.path", "é😀", "\ud83d", "\x00", "def f(a):\n    return a\n", tiny.STRANGE[:70]])
PLACE = st.floats(0, 1)
STEP = st.one_of(
    st.tuples(st.just("insert"), PLACE, NEW),
    st.tuples(st.just("delete"), PLACE, st.integers(1, 40)),
    st.tuples(st.just("go"), PLACE, st.none()),
    st.tuples(st.just("close"), PLACE, st.none()),
    st.tuples(st.just("release"), PLACE, st.none()),
)
SCRIPT = st.lists(st.tuples(st.integers(0, DOCUMENTS - 1), STEP, st.integers(0, 12)), min_size=1, max_size=12)
"""Steps in documents; after how many questions the one before is no longer wanted."""


class Editor:
    """Documents with cursors, and the requests an editor makes of them."""

    def __init__(self) -> None:
        self.texts = [tiny.TEXT[number * 31 :] for number in range(DOCUMENTS)]
        self.cursors = [len(text) // 2 for text in self.texts]

    def do(self, document: int, what: str, place: float, detail: object) -> None:
        text = self.texts[document]
        at = round(place * len(text))
        if what == "insert":
            self.texts[document], at = text[:at] + str(detail) + text[at:], at + len(str(detail))
        elif what == "delete":
            self.texts[document] = text[:at] + text[at + int(str(detail)) :]
        elif what == "close":
            self.texts[document], at = tiny.TEXT, 0
        self.cursors[document] = at

    def request(self, document: int) -> GenerateRequest:
        above, below = self.texts[document][: self.cursors[document]], self.texts[document][self.cursors[document] :]
        parts = (
            *(Part(special="file"), Part(text=f"{document}.py\n"), Part(special="fim_suffix"), Part(text=below, keep="start")),
            *(Part(special="fim_middle"), Part(text=above, keep="end")),
        )
        file = OpenFile(f"/{document}.py", above, below) if document % 2 else None
        return GenerateRequest(parts, 4, budget_ms=60_000, file=file)


def said(engine: Engine, request: GenerateRequest, cancelled: Callable[[], bool] = lambda: False) -> tuple[str, Finish | None]:
    chunks = list(engine.generate(request, cancelled))
    return "".join(chunk.text for chunk in chunks), chunks[-1].finish


def after(count: int) -> Callable[[], bool]:
    """True from the ``count``-th question on."""
    questions = iter(range(count))
    return lambda: next(questions, None) is None


@pytest.mark.parametrize("runner", ["torch", "fused"])
def test_cached_equals_fresh_over_any_edits(loaded: Checkpoint, runner: str) -> None:
    made = fused.load(loaded, wait=True) if runner == "fused" else None
    if runner == "fused" and made is None:
        pytest.skip("the fused step cannot run on this machine")
    fresh = Engine(loaded, runner=made)

    @settings(max_examples=25)
    @given(SCRIPT)
    def check(script: list[tuple[int, tuple[str, float, object], int]]) -> None:
        engine, editor = Engine(loaded, runner=made), Editor()
        for document, (what, place, detail), questions in script:
            if questions:  # a key that the next one makes unwanted
                said(engine, editor.request(document), after(questions))
            if what == "release":
                engine.release()
            editor.do(document, what, place, detail)
            request = editor.request(document)
            fresh.forget()
            assert said(engine, request) == said(fresh, request)

    check()
