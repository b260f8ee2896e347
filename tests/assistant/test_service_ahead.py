"""What follows a shown suggestion is computed while it is read, and never in the way of a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from assistant.cancel import Cancel
from assistant.completion.ahead import PAUSE_S, Ahead
from assistant.config import Config
from assistant.service import Completer
from assistant.types import Chunk, Completion, Finish, GenerateRequest, Priority, Reason, Snapshot, Source, Trigger
from tests.assistant.asking import ask
from tests.assistant.buffers import snapshot
from tests.assistant.fakes import Canned, FakeModel, numbered
from tests.assistant.virtual_time import now, run

HERE = "def f(items):\n    total = |\n    return total\n"


def completer(model: FakeModel) -> Completer:
    return Completer(model, clock=now, new_id=numbered(), ahead=Ahead())


def accepted(document: Snapshot, answer: Completion) -> Snapshot:
    """The document after its suggestion was taken."""
    suggestion = answer.suggestion
    assert suggestion is not None
    text = document.text[: suggestion.start] + suggestion.text + document.text[suggestion.end :]
    return replace(document, text=text, offset=suggestion.start + len(suggestion.text), trigger=Trigger.AUTOMATIC)


@pytest.mark.parametrize("trigger", list(Trigger))
def test_what_follows_is_there_at_once(trigger: Trigger) -> None:
    async def main() -> None:
        model = FakeModel("sum(", "items)", step_seconds=0.02)
        service, document = completer(model), snapshot(HERE, trigger=trigger)
        answer = await ask(service, document)
        await asyncio.sleep(1.0)
        assert [request.priority for request in model.requests] == [Priority.INLINE, Priority.AHEAD]
        before = now()
        following = await ask(service, accepted(document, answer))
        assert following.suggestion is not None
        assert (following.suggestion.inserted, following.suggestion.source) == ("items)", Source.CACHE)
        assert now() == before
        assert len(model.requests) == 2
        service.close()

    run(main())


def test_who_types_on_pays_nothing() -> None:
    async def main() -> None:
        model = FakeModel("sum(items)", step_seconds=0.001)
        service, text = completer(model), HERE
        for key in "|sum(":
            text = text.replace("|", key.replace("|", "") + "|")
            assert (await ask(service, snapshot(text))).suggestion is not None
            await asyncio.sleep(PAUSE_S * 0.9)
        assert len(model.requests) == 1
        service.close()

    run(main())


def test_a_key_stops_it_and_nothing_half_done_is_kept() -> None:
    async def main() -> None:
        model = FakeModel("sum(", "a b c d e f g h", "items)", step_seconds=0.1)
        service, document = completer(model), snapshot(HERE)
        answer = await ask(service, document)
        await asyncio.sleep(PAUSE_S + 0.25)
        steps = model.steps
        model.queue.clear()
        await ask(service, snapshot("def g(a):\n    other = |\n", trigger=Trigger.INVOKED))
        assert model.finished[1] is Finish.CANCELLED
        assert model.steps == steps
        model.add("items)")
        await ask(service, replace(accepted(document, answer), trigger=Trigger.INVOKED))
        assert len(model.requests) == 4  # the model is asked again: half an answer is none
        service.close()

    run(main())


def test_an_answer_that_the_engine_broke_off_is_not_kept() -> None:
    async def main() -> None:
        model = FakeModel("sum(", Canned("ite", finish=Finish.CANCELLED), "items)")
        service, document = completer(model), snapshot(HERE)
        answer = await ask(service, document)
        await asyncio.sleep(1.0)
        following = await ask(service, accepted(document, answer))
        assert following.suggestion is not None
        assert (following.suggestion.inserted, following.suggestion.source) == ("items)", Source.MODEL)
        service.close()

    run(main())


@pytest.mark.parametrize("how", ["closed document", "closed service", "switched off"])
def test_nothing_is_computed_for_nobody(how: str) -> None:
    async def main() -> None:
        model = FakeModel("sum(")
        service, document = completer(model), snapshot(HERE)
        await ask(service, document, Config(look_ahead=how != "switched off"))
        if how == "closed document":
            service.forget(document.uri)
        elif how == "closed service":
            service.close()
        await asyncio.sleep(1.0)
        assert len(model.requests) == 1

    run(main())


def test_an_engine_that_fails_meanwhile_is_nobodys_trouble(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        model = FakeModel("sum(", Canned("", error="the engine is restarting"), "items)")
        service, document = completer(model), snapshot(HERE)
        answer = await ask(service, document)
        await asyncio.sleep(1.0)
        assert (await ask(service, accepted(document, answer))).reason is Reason.SHOWN
        service.close()

    run(main())
    assert caplog.text == ""


class SlowReader(FakeModel):
    """Takes half a second to read a prompt; what of it was read in one request need not be read in the next."""

    left = 0.5

    async def generate(self, request: GenerateRequest, cancel: Cancel) -> AsyncIterator[Chunk]:
        while self.left > 0:
            if cancel.is_set():
                self.requests.append(request)
                yield Chunk("", finish=Finish.CANCELLED)
                return
            self.left -= 0.01
            await asyncio.sleep(0.01)
        if not request.max_tokens:
            yield Chunk("", finish=Finish.LENGTH)
            return
        async for chunk in super().generate(request, cancel):
            yield chunk


def typed(model: FakeModel, look_ahead: bool) -> float:
    """Seconds from the last of ten keys, 70 ms apart, to the answer."""

    async def main() -> float:
        service, config = completer(model), Config(look_ahead=look_ahead)
        keys = []
        for count in range(10):
            keys.append(asyncio.ensure_future(ask(service, snapshot(HERE.replace("|", "z" * count + "|")), config)))
            await asyncio.sleep(0.07)
        last = now()
        assert (await keys[-1]).suggestion is not None
        service.close()
        return now() - last

    return run(main())


def test_a_slow_model_reads_while_the_user_types() -> None:
    """Of the half second that the prompt takes, nothing is left to wait for after the last key but the pause itself."""
    waited = typed(SlowReader("sum(items)"), look_ahead=True)
    assert waited < 0.15
    assert typed(SlowReader("sum(items)"), look_ahead=False) > waited + 0.3


def test_a_model_that_reads_faster_than_one_types_is_not_asked_to_read_ahead() -> None:
    model = FakeModel(*["sum(items)"] * 10)
    typed(model, look_ahead=True)
    assert [request.max_tokens for request in model.requests if not request.max_tokens] == []
