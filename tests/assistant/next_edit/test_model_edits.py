"""The model's part over an honest fake of the engine: what it is asked, and what becomes of its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from assistant.cancel import Cancel, Cancelled
from assistant.edit_format import HISTORY, REGION_LINES, Hunk
from assistant.next_edit.model_edits import MOST_STRETCHES, ModelEdits
from assistant.next_edit.told import REGION_CHARACTERS, as_lines, history, hunk, lines_of, stretch
from assistant.next_edit.types import Candidate, Change, Document, Scene
from assistant.next_edit.windows import stretches
from assistant.types import (
    Chunk,
    CompareRequest,
    EngineError,
    Finish,
    GenerateRequest,
    Likelihood,
    MarkRequest,
    Marks,
    ModelInfo,
    Part,
)

TEXT = "".join(f"def step_{n}(client):\n    client.flush(timeout={n})\n    return client\n\n" for n in range(30))


class Fake:
    """Marks lines by a rule, answers with queued texts, prefers texts that hold a word; remembers what it was asked."""

    def __init__(self, chance: Callable[[str], float] = lambda line: 0.0, texts: Sequence[str] = (), word: str = "") -> None:
        self.chance, self.texts, self.word = chance, list(texts), word
        self.marked: list[MarkRequest] = []
        self.compared: list[CompareRequest] = []
        self.written: list[GenerateRequest] = []
        self.error: Exception | None = None
        self.finish = Finish.END

    @property
    def info(self) -> ModelInfo | None:
        return None

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error

    async def mark(self, request: MarkRequest, cancel: Cancel) -> Marks:
        self._fail()
        self.marked.append(request)
        return Marks(tuple(map(self.chance, region(request.parts).splitlines())))

    async def compare(self, request: CompareRequest, cancel: Cancel) -> tuple[Likelihood, ...]:
        self._fail()
        self.compared.append(request)
        return tuple(Likelihood(-1.0 if self.word in one.text else -9.0, 4) for one in request.rewrites)

    async def write(self, request: GenerateRequest, cancel: Cancel) -> Chunk:
        self._fail()
        self.written.append(request)
        return Chunk(self.texts.pop(0), (-0.5,), self.finish)


def region(parts: Sequence[Part]) -> str:
    """The text after the last <|line|>."""
    start = max(at for at, part in enumerate(parts) if part.special == "line")
    return "".join(part.text for part in parts[start + 1 :])


def renamed(text: str = TEXT, line: int = 5) -> Scene:
    """`flush` was just renamed in one line, the cursor behind it."""
    start = sum(len(one) + 1 for one in text.split("\n")[:line]) + len("    client.")
    change = Change("u", text, start, "flush", "sync", 1.0)
    return Scene(Document("u", "src/app/steps.py", "python", change.after, 1), start + 4, changes=(change,))


async def test_its_own_edits_are_its_likeliest_lines_written_anew() -> None:
    fake = Fake(lambda line: 0.9 if "timeout=2" in line else 0.01, ["    client.sync(timeout=2)\n"])
    scene = renamed()
    (found,) = await ModelEdits(fake, proposes=True).locate(scene, Cancel())
    after = scene.document.text[: found.start] + found.text + scene.document.text[found.end :]
    assert after == scene.document.text.replace("client.flush(timeout=2)", "client.sync(timeout=2)")
    assert (found.uri, found.rule) == ("u", "model")
    assert found.features["model_chance"] == 0.9
    (request,) = fake.written
    assert request.draft == "    client.flush(timeout=2)\n"
    assert request.ends == ("edit",)


@pytest.mark.parametrize("answer", ["    client.flush(timeout=2)\n", "half a line"])
async def test_an_answer_that_changes_nothing_or_is_cut_off_is_dropped(answer: str) -> None:
    fake = Fake(lambda line: 0.9 if "timeout=2" in line else 0.01, [answer])
    assert await ModelEdits(fake, proposes=True).locate(renamed(), Cancel()) == []
    assert len(fake.written) == 1


async def test_it_proposes_nothing_unless_it_is_told_to() -> None:
    fake = Fake(lambda line: 0.9)
    assert await ModelEdits(fake).locate(renamed(), Cancel()) == []
    assert fake.marked == []


async def test_lines_just_written_are_not_asked_for_again_unless_the_cursor_is_there() -> None:
    scene = renamed(line=6)
    away = Scene(scene.document, 0, changes=scene.changes)
    fake = Fake(lambda line: 0.9 if "sync" in line else 0.0)
    assert await ModelEdits(fake, proposes=True).locate(away, Cancel()) == []
    assert fake.written == []


async def test_candidates_are_judged_by_what_the_model_expects_at_their_lines() -> None:
    scene = renamed()
    at = scene.document.text.index("flush")
    good, bad = (Candidate("u", at, at + 5, text, "rename") for text in ("sync", "blub"))
    fake = Fake(lambda line: 0.7 if "timeout=0" in line else 0.1, word="sync")
    first, second = await ModelEdits(fake).score(scene, [good, bad], Cancel())
    assert first is not None
    assert second is not None
    assert (first.gain, second.gain) == (2.0, 0.0)
    assert first.chance == second.chance == 0.7
    assert len(fake.marked) == len(fake.compared) == 1  # one stretch holds both


async def test_an_insertion_repeats_the_line_before_it() -> None:
    scene = renamed()
    at = scene.document.text.index("    return client")
    fake = Fake(word="log")
    (found,) = await ModelEdits(fake).score(scene, [Candidate("u", at, at, "    log()\n", "sibling")], Cancel())
    assert found is not None
    assert found.gain > 0
    new, old = fake.compared[0].rewrites
    assert (new.text, old.text) == ("    client.flush(timeout=0)\n    log()\n", "    client.flush(timeout=0)\n")


async def test_only_so_many_places_are_read() -> None:
    text = TEXT * 20
    scene = renamed(text)
    places = [at for at in range(len(scene.document.text)) if scene.document.text.startswith("flush", at)][::40]
    candidates = [Candidate("u", at, at + 5, "sync", "rename") for at in places]
    fake = Fake()
    found = await ModelEdits(fake).score(scene, candidates, Cancel())
    assert len(candidates) > MOST_STRETCHES == len(fake.compared)
    assert [one is not None for one in found] == [at < MOST_STRETCHES for at in range(len(candidates))]


@pytest.mark.parametrize("error", [EngineError("no engine"), Cancelled()])
async def test_without_an_engine_nothing_is_said_and_nothing_raised(error: Exception) -> None:
    fake = Fake()
    fake.error = error
    scene = renamed()
    candidate = Candidate("u", 0, 3, "fun", "rename")
    assert await ModelEdits(fake, proposes=True).locate(scene, Cancel()) == []
    assert await ModelEdits(fake).score(scene, [candidate], Cancel()) == [None]


async def test_a_document_that_is_not_open_and_a_scene_without_changes_are_not_judged() -> None:
    scene = renamed()
    assert await ModelEdits(Fake()).score(scene, [Candidate("v", 0, 1, "x", "r")], Cancel()) == [None]
    bare = Scene(scene.document, 0)
    assert await ModelEdits(Fake()).score(bare, [Candidate("u", 0, 1, "x", "r")], Cancel()) == [None]


def test_a_change_is_told_as_whole_lines() -> None:
    before = "a\nb = 1\nc\n"
    assert hunk(Change("u", before, 6, "1", "2", 0.0), "/home/x/p/src/a.py") == Hunk("x/p/src/a.py", "b = 1\n", "b = 2\n")
    assert hunk(Change("u", before, 7, "", "\nd", 0.0), "a.py") == Hunk("a.py", "", "d\n")
    assert hunk(Change("u", before, 2, "b = 1\n", "", 0.0), "a.py") == Hunk("a.py", "b = 1\n", "")
    assert hunk(Change("u", "a\r\nb\r\n", 3, "b", "c", 0.0), "a.py") == Hunk("a.py", "b\n", "c\n")


def test_the_model_is_told_the_last_changes_and_no_blank_ones() -> None:
    changes, text = [], "x = 0\n"
    for number in range(8):
        changes.append(Change("u", text, 4, text[4], str(number + 1), float(number)))
        text = changes[-1].after
    changes.append(Change("u", text, len(text), "", "\n", 9.0))
    told = history(Scene(Document("u", "a.py", "python", text + "\n"), 0, changes=tuple(changes)))
    assert len(told) == HISTORY - 1
    assert told[-1].new == "x = 8\n"


@pytest.mark.parametrize("width", [10, 150, 500])
def test_a_stretch_holds_its_middle_and_no_more_than_the_model_learnt(width: int) -> None:
    document = Document("u", "a.py", "python", ("x" * width + "\n") * 200)
    one = stretch(document, lines_of(document), 100)
    assert one.last - one.first <= REGION_LINES
    assert sum(map(len, one.region().lines)) <= REGION_CHARACTERS
    assert (one.first <= 100 < one.last) == (width < 200)


def test_stretches_stand_at_the_cursor_and_where_the_old_word_is_left() -> None:
    block = TEXT[: TEXT.index("def step_1(")]
    scene = renamed(block + "import a\n" * 100 + block, line=1)
    near, far = stretches(scene, near=1, far=1)
    assert near.first <= 1 < near.last
    assert "flush" in "".join(far.region().lines)
    many = renamed("import a\n" * 100 + TEXT, line=101)
    assert len(stretches(many, near=1, far=1)) == 1  # what stands on dozens of lines points nowhere
    assert stretches(Scene(Document("u", "a.py", "python", ""), 0)) == []


@pytest.mark.parametrize(
    ("start", "end", "text", "lines"),
    [(2, 3, "z", (1, 2, "z\n")), (0, 2, "", (0, 1, "")), (2, 2, "n\n", (1, 1, "n\n")), (1, 1, "\nn", (1, 1, "n\n"))],
)
def test_a_candidate_as_lines(start: int, end: int, text: str, lines: tuple[int, int, str]) -> None:
    found = as_lines(Document("u", "a.py", "python", "a\nb\nc\n"), Candidate("u", start, end, text, "r"))
    assert (found.start, found.end, found.text) == lines
