"""Next edits in the server: which documents are trusted, which request carries what, and when an answer still stands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.next_edit.answer import Answer, Prediction, Reach, Step
from assistant.next_edit.place import Edit
from assistant.next_edit.types import Document
from assistant.types import Reason, Snapshot, Source, Suggestion
from lsp_server.buffers import Buffer
from lsp_server.next_edits import NextEdits, as_completion, place_of
from tests.assistant.fakes import numbered

TEXT = "def area(width, height):\n    total = width * height\n    return width\n"
URI = "file:///p/a.py"


class NoIndex:
    index = None

    def given(self, path: str) -> str:
        return path


class Bench:
    """`NextEdits` with one document, and a client that edits it."""

    def __init__(self) -> None:
        self.config = Config(eagerness="eager")
        self.excluded: set[str] = set()
        nothing: Any = NoIndex()
        self.edits = NextEdits(nothing, lambda: self.config, self.why, numbered(), ranker=Certain())
        self.buffer = Buffer(URI, "python", TEXT, 1)
        self.edits.opened(self.buffer)

    def why(self, path: str) -> str | None:
        return path if path in self.excluded else None

    def change(self, old: str, new: str, trust: bool | None = None) -> None:
        at = self.buffer.text.index(old)
        text = self.buffer.text[:at] + new + self.buffer.text[at + len(old) :]
        step = Step(self.buffer.text, text, at, at + len(old))
        self.buffer = replace(self.buffer, text=text, version=(self.buffer.version or 0) + 1)
        self.edits.changed(self.buffer, [step], trust)

    def snapshot(self, at: str = "breadth") -> Snapshot:
        offset = self.buffer.text.index(at) + len(at)
        return Snapshot(self.buffer.uri, "python", self.buffer.text, offset, self.buffer.version, "/p/a.py")

    async def ask(self, reach: Reach = Reach.OPEN) -> Answer:
        return await self.edits.answer(self.snapshot(), Cancel(), reach)


class Certain:
    """Everything that a rule says is certain."""

    def probability(self, scene: Any, candidate: Any, score: Any) -> float:
        return 0.99

    def threshold(self, exact: float, judged: bool = True) -> float:
        return exact


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    made.edits.close()


async def test_a_rename_is_followed(bench: Bench) -> None:
    bench.change("width", "breadth")
    answer = await bench.ask()
    assert answer.prediction is not None
    assert answer.prediction.document.version == 2
    assert bench.edits.stands(answer.prediction)
    bench.change("total", "sum")
    assert not bench.edits.stands(answer.prediction)
    bench.edits.closed(bench.buffer.uri)
    assert not bench.edits.stands(answer.prediction)


async def test_the_same_text_with_another_version_is_another_answer(bench: Bench) -> None:
    bench.change("width", "breadth")
    first = (await bench.ask()).prediction
    bench.change("area", "area")
    again = (await bench.ask()).prediction
    assert first is not None
    assert again is not None
    assert (again.id, again.document.version) == (first.id, 3)
    assert not bench.edits.stands(first)


async def test_excluded_documents_get_nothing_and_are_no_context(bench: Bench) -> None:
    bench.excluded.add("/p/secret.py")
    secret = Buffer("file:///p/secret.py", "python", "width = 1\n", 1)
    bench.edits.opened(secret)
    bench.edits.changed(replace(secret, text="x", version=2), [Step("width = 1\n", "x", 0, 10)])
    asked = Snapshot(secret.uri, "python", "x", 0, 2, "/p/secret.py")
    assert (await bench.edits.answer(asked, Cancel())).reason is Reason.EXCLUDED
    bench.change("width", "breadth")
    assert (await bench.ask()).prediction is not None
    bench.excluded.add("/p/a.py")  # the settings change
    assert bench.edits.changes
    assert (await bench.ask()).reason is Reason.EXCLUDED
    assert (await bench.ask()).prediction is None
    assert bench.edits.changes == ()
    bench.excluded.clear()
    bench.change("total", "sum")  # welcome again
    bench.change("height", "depth")
    assert (await bench.ask()).prediction is not None
    bench.excluded.add("/p/a.py")
    bench.edits.refit()
    assert bench.edits.changes == ()


async def test_a_doubted_document_is_silent_until_it_is_sent_whole(bench: Bench) -> None:
    bench.change("width", "breadth")
    bench.change("total", "sum", trust=False)
    assert (await bench.ask()).prediction is None
    bench.change("height", "h")
    assert (await bench.ask()).prediction is None
    bench.change("sum", "all", trust=True)
    made = (await bench.ask()).prediction
    assert made is not None  # of what was done before the doubt, in the text as it is
    assert (made.document.text, made.document.version) == (bench.buffer.text, bench.buffer.version)
    assert made.edit.text == "breadth"


async def test_an_insertion_at_the_cursor_goes_by_one_kind_of_request(bench: Bench) -> None:
    for inline_first in (True, False):
        bench.edits.opened(replace(bench.buffer, text=TEXT))
        bench.buffer = replace(bench.buffer, text=TEXT)
        bench.change("width", "widths" if inline_first else "widthwise")
        snapshot = bench.snapshot("total = width")

        async def inline(at: Snapshot = snapshot) -> bool:
            return (await bench.edits.at_cursor(at, Cancel())).prediction is not None

        async def edit(at: Snapshot = snapshot) -> bool:
            made = (await bench.edits.answer(at, Cancel())).prediction
            return made is not None and made.insertion(at) is not None

        first, second = (inline, edit) if inline_first else (edit, inline)
        assert (await first(), await second()) == (True, False)
        assert (await first(), await second()) == (True, False)


async def test_a_completion_that_was_taken_is_no_typing(bench: Bench) -> None:
    snapshot = bench.snapshot("total = ")
    taken = Suggestion("id1", "2 * ", "2 * ", snapshot.offset, snapshot.offset, Source.MODEL, None)
    bench.edits.offered(snapshot, taken)
    bench.change("total = ", "total = 2 * ")
    bench.change("height):", "height=1):")
    assert [change.accepted for change in bench.edits.changes] == [True, False]


async def test_files_that_are_not_open_stand_while_the_disk_says_the_same(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "c.py"
    path.write_bytes(b"x = 1\r\n")
    made = Prediction("id1", Document(path.as_uri(), str(path), "python", "x = 1\r\n"), Edit(4, 5, "2"))
    assert bench.edits.stands(made)
    path.write_bytes(b"x = 1\n")
    assert not bench.edits.stands(made)
    path.unlink()
    assert not bench.edits.stands(made)


def test_an_answer_as_the_journal_knows_it() -> None:
    document = Document("file:///p/b.py", "/p/b.py", "python", "x = old\n", 4)
    made = Prediction("id1", document, Edit(4, 7, "new"), "rename", "because", 0.7, 0.6)
    answer = Answer(Reason.SHOWN, made, 0.7, 0.6, {"own": 1.0}, 12.0)
    done = as_completion(answer)
    assert done.suggestion is not None
    assert (done.suggestion.id, done.suggestion.start, done.suggestion.end, done.suggestion.text) == ("id1", 4, 7, "new")
    assert done.ruling is not None
    assert (done.ruling.p2, done.ruling.threshold, done.ruling.stage) == (0.7, 0.6, 2)
    assert done.features == {"own": 1.0, "rule:rename": 1.0, "at_cursor": 0.0}
    place = place_of(Snapshot("file:///p/a.py", "python", "y", 0, 1, "/p/a.py", "/p"), made)
    assert (place.uri, place.path, place.text, place.offset) == ("file:///p/b.py", "/p/b.py", "x = old\n", 4)
    silent = as_completion(Answer(Reason.EMPTY))
    assert (silent.suggestion, silent.ruling and silent.ruling.stage) == (None, 0)
