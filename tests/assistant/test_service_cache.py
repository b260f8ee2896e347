"""Typing along a suggestion, deleting and typing again: answers without model work."""

from __future__ import annotations

import asyncio

from assistant.types import Finish, Indent, Reason, Source
from tests.assistant.asking import ask, completer
from tests.assistant.buffers import snapshot
from tests.assistant.fakes import Canned, FakeModel
from tests.assistant.virtual_time import now, run


def test_typing_what_is_shown_costs_no_model_work_and_never_flickers() -> None:
    async def main() -> None:
        said = "compute(alpha, [1, 2])"
        model = FakeModel(said)
        service = completer(model)
        first = await ask(service, snapshot("x = |\n"))
        steps = model.steps
        for typed in range(1, len(said)):
            answer = await ask(service, snapshot(f"x = {said[:typed]}|\n"))
            assert answer.suggestion is not None, said[:typed]
            assert answer.suggestion.text == said[typed:]
            assert answer.suggestion.source is Source.CACHE
            assert (answer.timings.wait, answer.prompt_tokens, answer.new_tokens) == (0.0, 0, 0)
            assert answer.features["cached"] == 1.0
            assert answer.suggestion.id != (first.suggestion.id if first.suggestion else "")
        assert model.steps == steps
        assert len(model.requests) == 1
        assert now() == 0.0, "answers from the cache never wait"

    run(main())


def test_typing_along_with_an_editor_that_closes_brackets() -> None:
    async def main() -> None:
        model = FakeModel("compute('alpha', [1])")
        service = completer(model)
        await ask(service, snapshot("x = |\n"))
        for buffer, left in (
            ("x = compute(|)\n", "'alpha', [1]"),
            ("x = compute('|')\n", "alpha', [1])"),
            ("x = compute('al|')\n", "pha', [1])"),
            ("x = compute('alpha', [|])\n", "1"),
        ):
            answer = await ask(service, snapshot(buffer))
            assert answer.suggestion is not None, buffer
            assert answer.suggestion.text == left
        assert len(model.requests) == 1

    run(main())


def test_typing_along_a_block() -> None:
    async def main() -> None:
        said = "\n    if x:\n        return 1\n    return 2"
        model = FakeModel(said + "\n\n")
        service = completer(model)
        await ask(service, snapshot("def f(x):|\n"))
        for typed in range(1, len(said)):
            answer = await ask(service, snapshot(f"def f(x):{said[:typed]}|\n"))
            assert answer.suggestion is not None, said[:typed]
            assert answer.suggestion.text == said[typed:]
        assert len(model.requests) == 1

    run(main())


def test_typing_along_a_block_with_the_buffers_own_line_ends() -> None:
    async def main() -> None:
        said = "\r\n\tx = 1\r\n\treturn x"
        model = FakeModel("\n    x = 1\n    return x\n\n")
        service = completer(model)
        document = snapshot("a\r\ndef f(x):|\r\n", indent=Indent(4, tabs=True))
        answer = await ask(service, document)
        assert answer.suggestion is not None
        assert answer.suggestion.text == said
        for typed in (2, 3, 4, 9, 11):
            answer = await ask(service, snapshot(f"a\r\ndef f(x):{said[:typed]}|\r\n"))
            assert answer.suggestion is not None, said[:typed]
            assert answer.suggestion.text == said[typed:]
        assert len(model.requests) == 1

    run(main())


def test_who_asks_twice_for_each_key_types_no_faster() -> None:
    async def main() -> None:
        model = FakeModel(*["foo(bar)"] * 60, step_seconds=0.02)
        service = completer(model)
        keys = []
        for count in range(30):
            document = snapshot(f"z{'q' * count}|\n")
            keys += [asyncio.ensure_future(ask(service, document)) for _ in range(2)]
            await asyncio.sleep(0.1)
        await asyncio.gather(*keys)
        assert len(model.requests) <= 2

    run(main())


def test_backspace_and_typing_again_are_answered_from_the_cache() -> None:
    async def main() -> None:
        model = FakeModel("compute(1)", "other")
        service = completer(model)
        await ask(service, snapshot("x = |\n"))
        await ask(service, snapshot("x = z|\n"))
        for buffer in ("x = |\n", "x = c|\n", "x = z|\n"):
            answer = await ask(service, snapshot(buffer))
            assert answer.suggestion is not None
            assert answer.suggestion.source is Source.CACHE
        assert len(model.requests) == 2

    run(main())


def test_nothing_is_remembered_too_but_not_what_the_clock_cut_off() -> None:
    async def main() -> None:
        model = FakeModel("", Canned("", finish=Finish.BUDGET), "1")
        service = completer(model)
        for _ in range(2):
            assert (await ask(service, snapshot("x = |\n"))).reason is Reason.EMPTY
        assert len(model.requests) == 1
        assert (await ask(service, snapshot("y = |\n"))).reason is Reason.EMPTY
        assert (await ask(service, snapshot("y = |\n"))).reason is Reason.SHOWN

    run(main())


def test_after_a_whole_suggestion_was_typed_the_model_is_asked_again() -> None:
    async def main() -> None:
        model = FakeModel("foo", "(bar)")
        service = completer(model)
        await ask(service, snapshot("x = |\n"))
        answer = await ask(service, snapshot("x = foo|\n"))
        assert answer.suggestion is not None
        assert answer.suggestion.text == "(bar)"

    run(main())


def test_a_closed_document_is_forgotten() -> None:
    async def main() -> None:
        model = FakeModel("foo", "bar")
        service = completer(model)
        document = snapshot("x = |\n")
        await ask(service, document)
        service.forget(document.uri)
        answer = await ask(service, document)
        assert answer.suggestion is not None
        assert answer.suggestion.text == "bar"

    run(main())
