"""A rename that is proven is followed whatever the ranker thinks of it, and what proves nothing is left to the ranker."""

from __future__ import annotations

import asyncio

from assistant.types import Reason
from tests.assistant.next_edit.desk import FUNCTION, Desk, Model, Sure, swap, work


def test_a_proven_rename_is_followed_by_a_timid_ranker_until_it_is_refused_three_times() -> None:
    async def main() -> None:
        desk = Desk(FUNCTION.replace("width > 3", "width > 3:\n        print(width)\n    if width > 4"), ranker=Sure(0.01))
        desk.replace("width", "breadth")
        for _ in range(3):
            made = await desk.next()
            assert made is not None
            assert made.rule == "rename"
            assert made.probability == 0.01
            desk.editor.rejected(made.id)
        assert (await desk.answer()).reason is Reason.UNSURE

    work(main())


def test_guesses_that_were_refused_do_not_silence_a_proven_rename() -> None:
    async def main() -> None:
        desk = Desk("a = 1\n" + "x = old\n" * 4 + FUNCTION, Model(swap("old", "new")), Sure(0.01))
        desk.replace("1", "2")
        for _ in range(4):
            made = await desk.next()
            assert made is not None
            desk.editor.rejected(made.id)
        desk.replace("width", "breadth")
        proven = await desk.next()
        assert proven is not None
        assert proven.rule == "rename"

    work(main())


def test_a_rename_is_followed_while_its_line_grows_or_something_else_is_done_but_not_both() -> None:
    async def main() -> None:
        desk = Desk("a = 1\n" + FUNCTION, ranker=Sure(0.01))
        desk.replace("width", "breadth")
        desk.replace("height)", "one twoheight)")  # cannot be read, but lost nothing
        assert await desk.next() is not None
        desk.replace("one twoheight)", "height)")
        await asyncio.sleep(5)
        desk.replace("1", "2")
        assert await desk.next() is not None
        await asyncio.sleep(5)
        desk.replace("height)", "height, depth)")
        await asyncio.sleep(5)
        desk.replace("2", "3")
        assert await desk.next() is None

    work(main())


def test_the_model_is_asked_about_guesses_and_not_about_what_is_proven() -> None:
    async def main() -> None:
        model = Model(swap("old", "new"))
        desk = Desk("a = 1\n" + "x = old\n" * 2 + FUNCTION, model, Sure(0.9))
        desk.replace("1", "2")
        assert await desk.next() is not None
        assert len(model.judged) == 1
        desk.replace("width", "breadth")
        proven = await desk.next()
        assert proven is not None
        assert proven.rule == "rename"
        assert len(model.judged) == 1

    work(main())


def test_half_a_statement_proves_nothing() -> None:
    async def main() -> None:
        desk = Desk(FUNCTION, ranker=Sure(0.01))
        desk.replace("area(width, height):", "area(breadth, height")
        assert await desk.next() is None
        desk.replace("height", "height):")
        assert await desk.next() is not None

    work(main())


def test_a_line_that_was_worked_in_and_kept_the_old_name_is_left_alone() -> None:
    async def main() -> None:
        desk = Desk(FUNCTION, ranker=Sure(0.01))
        desk.replace("width", "breadth")
        await asyncio.sleep(5)
        desk.replace("total = width", "whole = width")
        while (made := await desk.next()) is not None:
            desk.take(made)
        followed = FUNCTION.replace("width", "breadth").replace("total", "whole")
        assert desk.text == followed.replace("whole = breadth", "whole = width")

    work(main())
