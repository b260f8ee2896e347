"""Context in the prompt: when it is asked for, how long it stays, what it may take; and that a model can profit from it."""

from __future__ import annotations

import asyncio
import itertools
import re
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.cancel import Cancel
from assistant.completion.context import Windows, look
from assistant.completion.retrieval import NOTHING, Retrieval, Retrieved, budget, pack
from assistant.config import Config
from assistant.service import Completer
from assistant.types import Chunk, Completion, Finish, GenerateRequest, Score, ScoreRequest, Snapshot, Trigger
from assistant.workspace.aim import AROUND, DEADLINE_MS, NEAR, Snippet, Snippets
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.retrieve import WorkspaceRetriever
from tests.assistant.fakes import INFO

LARGE = replace(INFO, parameters=3_000_000_000, context=4096)


class Shelf:
    """A retriever that gives a snippet of each kind, and keeps what it was asked. While ``closed`` it says nothing in time."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.closed = False
        self.block: threading.Event | None = None

    def snippets(
        self, snapshot: Snapshot, kinds: Sequence[str], shown: str, cancel: Cancel, deadline_ms: float = DEADLINE_MS
    ) -> Snippets:
        self.asked.append(tuple(kinds))
        if self.block is not None:
            self.block.wait(10)
        if self.closed:
            return Snippets(late=tuple(kinds))
        number = len(self.asked)
        return Snippets(tuple(Snippet(kind, f"/root/{kind}.py", kind, f"{kind}_{number}") for kind in kinds))


def snapshot(text: str) -> Snapshot:
    before, _, after = text.partition("|")
    return Snapshot("file:///root/a.py", "python", before + after, len(before), 1, "/root/a.py", "/root", Trigger.INVOKED)


def at(retrieval: Retrieval, text: str, tokens: int = 400) -> Retrieved:
    async def main() -> Retrieved:
        here = snapshot(text)
        return await retrieval.at(here, look(here, Windows(2_000, 800)), tokens, Cancel())

    return asyncio.run(main())


def paths(found: Retrieved) -> list[str]:
    return [path for path, _ in found.files]


def test_typing_in_one_definition_asks_once_and_a_new_call_once_more() -> None:
    shelf = Shelf()
    retrieval = Retrieval(shelf)
    first = at(retrieval, "def f():\n    x|")
    assert shelf.asked == [AROUND]
    assert paths(first) == [f"{kind}.py" for kind in AROUND]
    assert at(retrieval, "def f():\n    x = |") == first
    called = at(retrieval, "def f():\n    x = g(|")
    assert shelf.asked == [AROUND, NEAR]
    assert called.files[: len(AROUND)] == first.files, "what stays comes first: the engine's cache is good up to there"
    assert paths(called)[len(AROUND) :] == [f"{kind}.py" for kind in NEAR]
    for text in ("x = g(1|", "x = g(1)\n    y|", "x = g(1)\n    g(|"):
        assert at(retrieval, f"def f():\n    {text}") == called, "what was found near stays while the definition is written"
    assert len(shelf.asked) == 2
    at(retrieval, "def f():\n    x = g(1)\n\n\ndef h():\n    |")
    assert shelf.asked == [AROUND, NEAR, AROUND], "another definition is another place"


def test_strings_comments_and_no_budget_ask_for_nothing() -> None:
    shelf = Shelf()
    for text, tokens in (("x = 'g(|", 400), ("# g(|", 400), ("x = g(|", 0)):
        assert at(Retrieval(shelf), text, tokens) == NOTHING
    assert shelf.asked == []


def test_what_is_late_is_asked_for_again_and_costs_nothing_but_itself() -> None:
    shelf = Shelf()
    retrieval = Retrieval(shelf)
    shelf.closed = True
    assert at(retrieval, "def f():\n    x|") == NOTHING
    shelf.closed = False
    assert paths(at(retrieval, "def f():\n    xy|")) == [f"{kind}.py" for kind in AROUND]


def test_an_answer_behind_the_deadline_is_used_for_the_next_key() -> None:
    shelf = Shelf()
    retrieval = Retrieval(shelf, deadline_ms=10)

    async def main() -> tuple[Retrieved, Retrieved, Retrieved]:
        shelf.block = threading.Event()
        here = snapshot("def f():\n    x|")
        site = look(here, Windows(2_000, 800))
        first = await retrieval.at(here, site, 400, Cancel())
        second = await retrieval.at(here, site, 400, Cancel())
        shelf.block.set()
        await asyncio.sleep(0.2)
        return first, second, await retrieval.at(here, site, 400, Cancel())

    first, second, third = asyncio.run(main())
    assert first == second == NOTHING
    assert len(shelf.asked) == 1, "one question at a time"
    assert paths(third) == [f"{kind}.py" for kind in AROUND]


def test_a_closed_document_is_forgotten() -> None:
    shelf = Shelf()
    retrieval = Retrieval(shelf)
    at(retrieval, "def f():\n    x|")
    retrieval.forget("file:///root/a.py")
    at(retrieval, "def f():\n    x|")
    assert shelf.asked == [AROUND, AROUND]


@pytest.mark.parametrize(
    ("parameters", "context", "wanted", "tokens"),
    [
        (3_900_000, 1024, -1, 0),
        (3_900_000, 1024, 256, 256),
        (3_000_000_000, 4096, -1, 1024),
        (3_000_000_000, 2048, -1, 512),
        (3_000_000_000, 4096, 0, 0),
        (3_000_000_000, 4096, 8192, 2048),
        (3_000_000_000, 4096, 8, 0),
    ],
)
def test_the_budget_is_the_users_or_the_models(parameters: int, context: int, wanted: int, tokens: int) -> None:
    assert budget(replace(INFO, parameters=parameters, context=context), wanted) == tokens


def test_no_model_no_budget() -> None:
    assert budget(None, 500) == 0


def test_a_budget_is_kept_and_the_call_at_hand_comes_before_the_rest() -> None:
    site = look(snapshot("def f():\n    shown_line = 1\n    |"), Windows(2_000, 800))
    around = [Snippet("imports", f"/root/p/{i}.py", "", f"def around_{i}(a, b):" + " " * 90) for i in range(9)]
    near = [Snippet("callee", "/root/p/n.py", "", f"def near_{i}()") for i in range(40)]
    found = pack(around, near, site, 200, "/root")
    assert sum(len(path) + len(text) for path, text in found.files) <= 200 * 3.3
    assert "near_39" in dict(found.files)["p/n.py"]
    assert "near_0()" not in dict(found.files)["p/n.py"], "the latest are kept"
    assert paths(found)[0] == "p/0.py"
    assert paths(found)[-1] == "p/n.py"


def test_what_the_prompt_shows_is_left_out_and_nothing_is_said_twice() -> None:
    site = look(snapshot("def f():\n    shown_line = 1\n    |"), Windows(2_000, 800))
    around = [
        Snippet("similar", f"/root/{name}.py", "", text) for name, text in (("a", "shown_line = 1"), ("b", "x"), ("c", "x"))
    ]
    assert pack(around, [], site, 400, "/root") == Retrieved((("b.py", "x"),))


class Reader:
    """A model that knows how to use what it reads: in a call it writes the parameters of the function that its prompt shows."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.info = LARGE

    async def generate(self, request: GenerateRequest, cancel: Cancel) -> AsyncIterator[Chunk]:
        prompt = "".join(part.text for part in request.parts)
        self.prompts.append(prompt)
        called = re.search(r"(\w+)\($", prompt)
        shown = re.search(rf"def {called.group(1)}\(([^)]*)\)", prompt) if called else None
        text = f"{shown.group(1)})" if shown else ""
        yield Chunk(text, (-0.01,), Finish.END, prompt_tokens=10, prefill_ms=1.0)

    async def score(self, request: ScoreRequest) -> Score:
        raise NotImplementedError

    async def learn(self, key: str, text: str) -> None:
        raise NotImplementedError

    async def unlearn(self, key: str) -> None:
        raise NotImplementedError


@pytest.fixture
def index(tmp_path: Path) -> Iterator[WorkspaceIndex]:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "money.py").write_text("def to_cents(amount, places):\n    return amount\n", "utf-8")
    made = WorkspaceIndex([tmp_path / "root"], tmp_path / "cache", in_process=True)
    made.scan()
    yield made
    made.close()


def completed(index: WorkspaceIndex, model: Reader, config: Config) -> Completion:
    text = "from money import to_cents\n\n\ndef total(amount, places):\n    return to_cents("
    path = str(Path(index.roots[0]) / "shop.py")
    index.open_buffer(path, text, "python")
    assert index.settle()
    here = Snapshot(Path(path).as_uri(), "python", text, len(text), 1, path, index.roots[0], Trigger.INVOKED)
    numbers = itertools.count()
    retriever = WorkspaceRetriever(index, clock=lambda: 0.0)
    service = Completer(model, new_id=lambda: str(next(numbers)), retriever=retriever)
    return asyncio.run(service.complete(here, config, Cancel()))


def test_a_model_that_can_use_context_gets_the_signature_of_what_is_called(index: WorkspaceIndex) -> None:
    model = Reader()
    answer = completed(index, model, Config())
    assert answer.suggestion is not None
    assert answer.suggestion.text == "amount, places)"
    assert model.prompts[0].index("def to_cents(amount, places)") < model.prompts[0].index("from money import")


@pytest.mark.parametrize("small", [True, False])
def test_a_small_model_and_a_user_who_does_not_want_it_get_none(index: WorkspaceIndex, small: bool) -> None:
    model = Reader()
    model.info = INFO if small else LARGE
    answer = completed(index, model, Config(context_tokens=-1 if small else 0))
    assert answer.suggestion is None
    assert "def to_cents" not in model.prompts[0]
