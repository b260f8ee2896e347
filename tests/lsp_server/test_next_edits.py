"""Next edits in the server: which documents are trusted, which request carries what, and when an answer still stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.next_edit.answer import Answer, Prediction, Reach, Step
from assistant.next_edit.place import Edit
from assistant.next_edit.ranker import Ranker, dumps
from assistant.next_edit.types import Document
from assistant.service import Completer
from assistant.types import Reason, Snapshot, Source, Suggestion
from lsp_server.buffers import Buffer
from lsp_server.client import Client
from lsp_server.next_edits import NextEdits, as_completion, place_of, ranker_of
from tests.assistant.fakes import FakeModel, numbered

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

    def completes(self, *outputs: str, step_seconds: float = 0.0) -> FakeModel:
        """Who writes at the cursor, with these answers."""
        model = FakeModel(*outputs, step_seconds=step_seconds)
        self.edits.write_with(Completer(model, new_id=numbered("c")))
        return model

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


async def line(bench: Bench, new: str) -> str | None:
    """The user writes on in the function's last line; what next edits say of it."""
    bench.change("return width", f"return width{new}")
    snapshot = bench.snapshot(f"return width{new}")
    made = (await bench.edits.answer(snapshot, Cancel())).prediction
    return made.edit.text if made is not None and made.rule == "complete" else None


async def test_a_client_that_asks_for_next_edits_alone_gets_the_rest_of_the_line(bench: Bench) -> None:
    model = bench.completes(" height")
    assert await line(bench, " *") == " height"
    request = model.requests[0]
    assert request.file is not None
    assert request.file.key == "/p/a.py"  # as completion names it: the engine's caches know the file by it
    assert request.file.above.endswith("return width *")


async def test_a_client_that_asks_for_completions_never_gets_them_as_next_edits(bench: Bench) -> None:
    model = bench.completes(" height", " height", " height")
    bench.change("return width", "return width %")
    assert bench.edits.completes(bench.snapshot("%"))
    for number in range(6):
        bench.change("%", f"+ {number} %")
        assert (await bench.edits.answer(bench.snapshot(f"{number} %"), Cancel())).prediction is None
    assert model.requests == []


async def test_what_a_next_edit_has_said_no_completion_says_again(bench: Bench) -> None:
    bench.completes(" height", " height")
    assert await line(bench, " *") == " height"
    assert not bench.edits.completes(bench.snapshot(" *"))
    bench.change("return width *", "return width * 2 *")
    assert bench.edits.completes(bench.snapshot(" 2 *"))
    assert (await bench.edits.answer(bench.snapshot(" 2 *"), Cancel())).prediction is None


async def test_a_client_that_knows_inline_completion_is_believed_to_ask_for_it_until_it_has_not(bench: Bench) -> None:
    model = bench.completes(*[" height"] * 3)
    bench.edits.client = Client(inline=True)
    bench.change("return width", "return width %")
    said = []
    for number in range(5):
        bench.change("%", f"+ {number} %")
        for _ in range(2):  # the same text again proves nothing
            made = (await bench.edits.answer(bench.snapshot(f"{number} %"), Cancel())).prediction
        said.append(made.edit.text if made is not None else None)
    assert said == [None, None, None, " height", " height"]
    assert len(model.requests) == 2


async def test_sottos_own_extension_has_completions_whether_it_asks_for_them_or_not(bench: Bench) -> None:
    model = bench.completes(" height")
    bench.edits.client = Client(inline=True, opens_files=True)
    bench.change("return width", "return width %")
    for number in range(6):
        bench.change("%", f"+ {number} %")
        assert (await bench.edits.answer(bench.snapshot(f"{number} %"), Cancel(), Reach.ALL)).prediction is None
    assert model.requests == []


async def test_a_completion_that_is_asked_for_meanwhile_wins(bench: Bench) -> None:
    bench.completes(" height", step_seconds=0.01)
    bench.change("return width", "return width *")
    asked = asyncio.ensure_future(bench.edits.answer(bench.snapshot("return width *"), Cancel()))
    await asyncio.sleep(0.005)
    assert bench.edits.completes(bench.snapshot("return width *"))
    assert (await asked).prediction is None


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


def test_the_ranker_that_training_has_left_is_the_one_that_serves(tmp_path: Path) -> None:
    complaints: list[str] = []
    assert ranker_of(tmp_path, complaints.append) == Ranker.load()
    place = tmp_path / "next_edit" / "ranker.json"  # of `sotto train --edits`
    place.parent.mkdir()
    place.write_text(dumps(replace(Ranker.load(), record={"by": "a test"})))
    own = ranker_of(tmp_path, complaints.append)
    assert isinstance(own, Ranker)
    assert (own.record, complaints) == ({"by": "a test"}, [])
    place.write_text("{}")
    assert ranker_of(tmp_path, complaints.append) == Ranker.load()
    assert len(complaints) == 1


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
