"""Lines of use on their way into a request: when they are asked for, where they stand, what a slow answer costs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from assistant.cancel import Cancel
from assistant.completion.uses import Uses, with_uses
from assistant.config import Config
from assistant.service import Completer
from assistant.types import OpenFile, Reason, Snapshot, Trigger
from assistant.wire import ABOVE, BELOW, nearby
from assistant.workspace.aim import DEADLINE_MS, Snippet, Snippets
from tests.assistant.fakes import FakeModel, numbered

FOUND = Snippets((Snippet("members", "/w/money.py", "price", "price.amount\nprice.in_cents(rate)"),))


class Canned:
    """Answers what it is given, and remembers on which thread it was asked what. ``hold``: answers wait for it."""

    def __init__(self, found: Snippets = FOUND, hold: threading.Event | None = None) -> None:
        self.found, self.hold = found, hold
        self.asked: list[tuple[str, str]] = []

    def snippets(self, snapshot: Snapshot, cancel: Cancel, deadline_ms: float = DEADLINE_MS) -> Snippets:
        self.asked.append((threading.current_thread().name, snapshot.text[: snapshot.offset]))
        if self.hold is not None:
            self.hold.wait(10)
        return self.found


def at(text: str, after: str = "\n") -> Snapshot:
    return Snapshot("file:///w/a.py", "python", text + after, len(text), path="/w/a.py", root="/w", trigger=Trigger.INVOKED)


def requests(*typed: str, retriever: Canned, model: FakeModel | None = None) -> FakeModel:
    """The model after one invoked completion for each text before the cursor."""
    model = model or FakeModel(*["nothing"] * len(typed))

    async def main() -> None:
        service = Completer(model, new_id=numbered(), retriever=retriever)
        for text in typed:
            await service.complete(at(text), Config(debounce_ms=0), Cancel())

    asyncio.run(main())
    return model


def test_lines_of_use_go_to_the_caches_and_leave_the_prompt_as_it_was() -> None:
    model = requests("total = price.", retriever=Canned())
    bare = requests("total = price.", retriever=Canned(Snippets()))
    assert model.prompts == bare.prompts
    (request,), (plain,) = model.requests, bare.requests
    assert request.file is not None
    assert plain.file is not None
    assert request.file.above == plain.file.above == "total = price."
    assert request.file.below == plain.file.below + "price.amount\nprice.in_cents(rate)\n"


def test_typing_on_asks_again_only_for_another_receiver_or_line() -> None:
    retriever = Canned()
    typed = ["x = price.", "x = price.a", "x = price.am", "x = price.amo + rate.", "x = price.amo + rate.t", "x = 1\nprice.b"]
    model = requests(*typed, retriever=retriever)
    assert [text for _, text in retriever.asked] == [typed[0], typed[3], typed[5]]
    assert all(request.file is not None and "price.amount" in request.file.below for request in model.requests)


def test_what_is_answered_from_the_cache_asks_nothing() -> None:
    retriever = Canned()
    requests("x = price.", "x = price.a", retriever=retriever, model=FakeModel("amount"))
    assert len(retriever.asked) == 1


def test_the_index_is_asked_off_the_event_loop() -> None:
    retriever = Canned()
    requests("x = price.", retriever=retriever)
    assert retriever.asked[0][0] != threading.main_thread().name


def test_a_closed_document_is_forgotten() -> None:
    retriever = Canned()

    async def main() -> None:
        uses = Uses(retriever, deadline_ms=10_000)
        for _ in range(2):
            await uses.at(at("x = price."), Cancel())
        uses.forget("file:///w/a.py")
        await uses.at(at("x = price."), Cancel())

    asyncio.run(main())
    assert len(retriever.asked) == 2


def test_what_came_late_is_asked_for_again() -> None:
    retriever = Canned(Snippets(FOUND.items, late=("own",)))

    async def main() -> list[str]:
        uses = Uses(retriever, deadline_ms=10_000)
        return [await uses.at(at("x = price."), Cancel()) for _ in range(2)]

    assert asyncio.run(main()) == [FOUND.text, FOUND.text]
    assert len(retriever.asked) == 2


def test_a_slow_index_costs_the_deadline_once_and_its_answer_serves_the_next_key() -> None:
    retriever = Canned(hold=threading.Event())

    async def main() -> None:
        uses = Uses(retriever, deadline_ms=1)
        assert await uses.at(at("x = price."), Cancel()) == ""
        assert await uses.at(at("y = other."), Cancel()) == ""
        assert len(retriever.asked) == 1, "nobody waits behind a question that still runs"
        assert retriever.hold is not None
        retriever.hold.set()
        said = ""
        for _ in range(2_000):
            said = said or await uses.at(at("x = price.a"), Cancel())
            await asyncio.sleep(0 if said else 0.001)
        assert said == FOUND.text

    asyncio.run(main())
    assert len(retriever.asked) == 1


def test_no_completion_waits_for_an_index_that_hangs() -> None:
    retriever = Canned(hold=threading.Event())
    model = FakeModel("amount")

    async def main() -> Reason:
        service = Completer(model, new_id=numbered(), retriever=retriever)
        reason = (await service.complete(at("x = price."), Config(debounce_ms=0), Cancel())).reason
        assert retriever.hold is not None
        retriever.hold.set()
        return reason

    assert asyncio.run(main()) is Reason.SHOWN
    assert model.requests[0].file == OpenFile("/w/a.py", "x = price.", "\n")


@pytest.mark.parametrize("below", ["", "\n", ")\nrest", "a line\n" * 10, "a line\n" * BELOW, "x" * 2 * BELOW])
def test_lines_of_use_reach_the_caches_behind_any_text(below: str) -> None:
    uses = "price.amount\nprice.currency\n"
    above = "line\n" * ABOVE
    read = nearby(with_uses(OpenFile("k", above, below), uses))
    assert read.below.endswith("\n" + uses)
    assert len(read.below) <= BELOW
    kept = read.below[: -len(uses)].rstrip("\n")
    assert below.startswith(kept)
    assert len(kept) >= min(len(below.rstrip("\n")), BELOW - len(uses) - 10)
    assert read.above == nearby(OpenFile("k", above, below)).above


def test_without_lines_the_file_is_as_it_was() -> None:
    file = OpenFile("k", "above", "below")
    assert with_uses(file, "") is file
