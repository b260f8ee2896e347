"""A next editor with one document in it, a user who edits it, and honest stand-ins for the model and the ranker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.next_edit.answer import Answer, Prediction, Reach
from assistant.next_edit.locate import Judgement
from assistant.next_edit.rank import Weigher
from assistant.next_edit.service import NextEditor
from assistant.next_edit.types import Candidate, Document, Files, Scene
from tests.assistant.fakes import numbered
from tests.assistant.virtual_time import now, run

URI = "file:///desk/a.py"
T = TypeVar("T")
Say = Callable[[Scene], Sequence[Candidate]]
FUNCTION = """def area(width, height):
    total = width * height
    if width > 3:
        return width
    return total
"""


class Sure:
    """Takes a candidate's own word for how probable it is: its feature ``p``, else ``otherwise``."""

    def __init__(self, otherwise: float = 0.9) -> None:
        self.otherwise = otherwise

    def probability(self, scene: Scene, candidate: Candidate, score: Judgement | None) -> float:
        return candidate.features.get("p", self.otherwise)

    def threshold(self, exact: float, judged: bool = True) -> float:
        return exact - 0.2


class Model:
    """Says what ``say`` makes of a scene, after ``seconds``; keeps what it was asked."""

    def __init__(self, say: Say = lambda scene: (), seconds: float = 0.0) -> None:
        self.say, self.seconds = say, seconds
        self.asked: list[Scene] = []
        self.judged: list[Sequence[Candidate]] = []
        self.cancelled = 0

    async def locate(self, scene: Scene, cancel: Cancel) -> list[Candidate]:
        self.asked.append(scene)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return list(self.say(scene))

    async def score(self, scene: Scene, candidates: Sequence[Candidate], cancel: Cancel) -> list[Judgement | None]:
        self.judged.append(candidates)
        return [None] * len(candidates)


async def at_once(job: Callable[[], Any], /) -> Any:
    """Instead of a thread."""
    await asyncio.sleep(0)
    return job()


class Desk:
    """Make it inside of `work`."""

    made: ClassVar[list[Desk]] = []

    def __init__(self, text: str, model: Model | None = None, ranker: Weigher | None = None, language: str = "python") -> None:
        self.model = model or Model()
        self.editor = NextEditor(new_id=numbered(), model=self.model, ranker=ranker or Sure(), run=at_once, clock=now)
        self.document = Document(URI, "/desk/a.py" if language == "python" else "/desk/a", language, text, 1)
        self.others: list[Document] = []
        self.files: Files | None = None
        self.offset = 0
        self.editor.opened(self.document)
        Desk.made.append(self)

    @property
    def text(self) -> str:
        return self.document.text

    def change(self, start: int, end: int, new: str) -> None:
        before = self.document
        text = before.text[:start] + new + before.text[end:]
        self.document = replace(before, text=text, version=(before.version or 0) + 1)
        self.offset = start + len(new)
        self.editor.changed(before, self.document, now())

    def replace(self, old: str, new: str) -> None:
        at = self.text.index(old)
        self.change(at, at + len(old), new)

    def take(self, made: Prediction) -> None:
        """Apply a prediction as an editor does, and say so."""
        assert made.document == self.document
        self.change(made.edit.start, made.edit.end, made.edit.text)
        self.editor.accepted(made.id)

    async def answer(self, config: Config | None = None, reach: Reach = Reach.OPEN) -> Answer:
        scene = Scene(self.document, self.offset, tuple(self.others), (), self.files)
        return await self.editor.answer(scene, config or Config(), Cancel(), reach)

    async def next(self) -> Prediction | None:
        return (await self.answer()).prediction


def work(main: Coroutine[Any, Any, T]) -> T:
    """Run a test in virtual time, and close the desks it has made."""

    async def whole() -> T:
        try:
            return await main
        finally:
            while Desk.made:
                Desk.made.pop().editor.close()
            for _ in range(5):
                await asyncio.sleep(0)

    return run(whole())


def swap(old: str, new: str, p: float = 0.9, uri: str = URI) -> Say:
    """A model that wants ``new`` for every ``old``."""

    def say(scene: Scene) -> list[Candidate]:
        document = scene.find(uri)
        found, at = [], -1
        while document is not None and (at := document.text.find(old, at + 1)) != -1:
            found.append(Candidate(uri, at, at + len(old), new, "model", features={"p": p}))
        return found

    return say
