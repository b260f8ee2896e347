"""Next edits from a user's point of view: changes in, at most one prediction out, and never a stale or an unwanted one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.next_edit.answer import Reach
from assistant.next_edit.types import Candidate, Document, Scene
from assistant.types import Reason
from tests.assistant.next_edit.desk import FUNCTION, URI, Desk, Model, Sure, swap, work


def test_a_renamed_parameter_is_followed_use_by_use_until_nothing_is_left() -> None:
    async def main() -> None:
        desk = Desk(FUNCTION)
        desk.replace("width", "breadth")
        taken: list[int] = []
        while (made := await desk.next()) is not None:
            assert made.rule == "rename"
            assert made.why
            taken.append(made.edit.start)
            desk.take(made)
        assert len(taken) == 3
        assert taken == sorted(taken)  # the nearest first
        assert desk.text == FUNCTION.replace("width", "breadth")
        assert (await desk.answer()).reason is Reason.EMPTY

    work(main())


def test_nothing_follows_from_nothing() -> None:
    async def main() -> None:
        desk = Desk(FUNCTION, Model(swap("total", "sum")))
        answer = await desk.answer()
        assert (answer.reason, answer.prediction) == (Reason.EMPTY, None)
        assert desk.model.asked == []

    work(main())


def test_what_follows_an_acceptance_is_made_ready_while_the_first_is_shown() -> None:
    async def main() -> None:
        desk = Desk("a = 1\nx = old\ny = old\n", Model(swap("old", "new"), seconds=0.1))
        desk.replace("1", "2")
        first = await desk.next()
        assert first is not None
        await asyncio.sleep(1.0)
        asked = len(desk.model.asked)
        assert desk.model.asked[-1].document.text == first.target
        assert desk.model.asked[-1].changes[-1].accepted
        desk.take(first)
        before = asyncio.get_running_loop().time()
        second = await desk.next()
        assert asyncio.get_running_loop().time() == before  # not a moment of waiting
        assert second is not None
        assert second.document == desk.document
        assert second.target == "a = 2\nx = new\ny = new\n"
        await asyncio.sleep(1.0)
        assert len(desk.model.asked) == asked + 1  # only what follows the second

    work(main())


def test_what_was_made_ready_is_worthless_after_any_other_change() -> None:
    async def main() -> None:
        desk = Desk("a = 1\nx = old\ny = old\n", Model(swap("old", "new"), seconds=0.1))
        desk.replace("1", "2")
        first = await desk.next()
        assert first is not None
        await asyncio.sleep(0.15)
        desk.change(0, 1, "b")
        assert desk.model.cancelled == 0
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert desk.model.cancelled == 1
        again = await desk.next()
        assert again is not None
        assert again.id == first.id  # the same edit, moved, is the same suggestion
        assert again.document == desk.document

    work(main())


def test_its_own_text_typed_keeps_it_without_another_look() -> None:
    async def main() -> None:
        desk = Desk("a = 1\nx = old\n", Model(swap("old", "new")))
        desk.replace("1", "2")
        first = await desk.next()
        assert first is not None
        await asyncio.sleep(1)
        asked = len(desk.model.asked)
        at = desk.text.index("old")
        desk.change(at, at + 3, "n")
        rest = await desk.next()
        assert rest is not None
        assert (rest.id, rest.edit.text, rest.target) == (first.id, "ew", first.target)
        assert len(desk.model.asked) == asked
        desk.change(at + 1, at + 1, "ew")
        assert await desk.next() is None  # typed through: nothing is old any more

    work(main())


def test_a_newer_question_answers_the_older_one_with_nothing() -> None:
    async def main() -> None:
        desk = Desk("a = 1\nx = old\n", Model(swap("old", "new"), seconds=0.05))
        desk.replace("1", "2")
        first = asyncio.ensure_future(desk.answer())
        await asyncio.sleep(0.01)
        desk.offset = 0
        second = await desk.answer()
        assert (await first).reason is Reason.SUPERSEDED
        assert second.prediction is not None

    work(main())


def test_two_questions_for_one_place_share_the_work() -> None:
    async def main() -> None:
        desk = Desk("a = 1\nx = old\n", Model(swap("old", "new"), seconds=0.05))
        desk.replace("1", "2")
        one, other = await asyncio.gather(desk.answer(), desk.answer())
        assert one.prediction == other.prediction is not None
        assert len(desk.model.asked) == 1

    work(main())


def test_a_change_while_it_thinks_answers_with_nothing() -> None:
    async def main() -> None:
        desk = Desk("a = 1\nx = old\n", Model(swap("old", "new"), seconds=0.05))
        desk.replace("1", "2")
        asked = asyncio.ensure_future(desk.answer())
        await asyncio.sleep(0.01)
        desk.change(0, 0, "# note\n")
        assert (await asked).prediction is None
        asked = asyncio.ensure_future(desk.answer())
        await asyncio.sleep(0.01)
        desk.editor.closed(URI)
        assert (await asked).prediction is None

    work(main())


def test_a_cancelled_question_stops_the_model() -> None:
    async def main() -> None:
        desk = Desk("a = 1\nx = old\n", Model(swap("old", "new"), seconds=9.0))
        desk.replace("1", "2")
        cancel = Cancel()
        asked = asyncio.ensure_future(desk.editor.answer(Scene(desk.document, 0), Config(), cancel))
        await asyncio.sleep(0.01)
        cancel.set()
        assert (await asked).reason is Reason.CANCELLED
        await asyncio.sleep(0)
        assert desk.model.cancelled == 1

    work(main())


def test_a_model_that_is_late_or_broken_leaves_the_rules_alone() -> None:
    def breaks(scene: Scene) -> list[Candidate]:
        raise ValueError(scene.document.uri)

    async def main(model: Model) -> None:
        desk = Desk(FUNCTION, model)
        desk.replace("width", "breadth")
        made = await desk.next()
        assert made is not None
        assert made.rule == "rename"
        desk.editor.close()

    work(main(Model(seconds=9.0)))
    work(main(Model(breaks)))


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (Config(enabled=False), Reason.DISABLED),
        (Config(next_edit=False), Reason.DISABLED),
        (Config(languages={"*": True, "python": False}), Reason.LANGUAGE),
    ],
)
def test_settings_switch_it_off(config: Config, reason: Reason) -> None:
    async def main() -> None:
        desk = Desk(FUNCTION)
        desk.replace("width", "breadth")
        assert (await desk.answer(config)).reason is reason
        assert desk.model.asked == []

    work(main())


def test_a_jump_must_be_more_probable_than_an_edit_at_the_cursor_and_eagerness_moves_both() -> None:
    async def main(p: float, eagerness: str, lines: int) -> bool:
        desk = Desk("a = 1\n" + "\n" * lines + "x = old\n", Model(swap("old", "new", p)))
        desk.replace("1", "2")
        return (await desk.answer(Config(eagerness=eagerness))).prediction is not None

    def shown(p: float, eagerness: str, lines: int) -> bool:
        return work(main(p, eagerness, lines))

    for p, eagerness, near, far in (
        (0.5, "balanced", True, False),
        (0.5, "eager", True, True),
        (0.5, "quiet", False, False),
    ):
        assert (shown(p, eagerness, 0), shown(p, eagerness, 20)) == (near, far), eagerness


def test_a_rejected_edit_stays_away_until_its_code_changes() -> None:
    async def main() -> None:
        desk = Desk("a = 1\nx = old\ny = [old]\n", Model(swap("old", "new")))
        desk.replace("1", "2")
        first = await desk.next()
        assert first is not None
        desk.editor.rejected(first.id)
        other = await desk.next()
        assert other is not None
        assert other.edit.start > first.edit.start
        desk.editor.rejected(other.id)
        assert await desk.next() is None
        desk.change(0, 0, "import os\n")
        assert await desk.next() is None
        desk.replace("x = old", "x = 3 * old")
        again = await desk.next()
        assert again is not None
        assert "x = 3 * new" in again.target

    work(main())


def test_an_edit_that_was_taken_and_undone_is_not_offered_again() -> None:
    async def main() -> None:
        desk = Desk("a = 1\nx = old\n", Model(swap("old", "new")))
        desk.replace("1", "2")
        made = await desk.next()
        assert made is not None
        desk.take(made)
        desk.replace("new", "old")
        assert await desk.next() is None

    work(main())


def test_an_edit_that_is_passed_over_again_and_again_is_refused() -> None:
    async def main() -> None:
        desk = Desk("a = 1\n" * 12 + "x = old\n", Model(swap("old", "new")), Sure(0.0))
        for number in range(6):
            await asyncio.sleep(5)
            desk.replace("a = 1\n", f"a{number} = 2\n")
            if await desk.next() is None:
                break
        assert number == 3

    work(main())


def test_an_edit_of_another_document_names_it_and_here_keeps_it_out() -> None:
    other = Document("file:///desk/b.py", "/desk/b.py", "python", "y = old\n", 7)

    async def main() -> None:
        desk = Desk("a = 1\n", Model(swap("old", "new", uri=other.uri)))
        desk.others.append(other)
        desk.editor.opened(other)
        desk.replace("1", "2")
        assert (await desk.answer(reach=Reach.HERE)).prediction is None
        made = (await desk.answer()).prediction
        assert made is not None
        assert (made.document, made.target) == (other, "y = new\n")
        assert (await desk.answer(reach=Reach.HERE)).prediction is None

    work(main())


def test_a_file_that_is_not_open_only_where_the_editor_can_open_it() -> None:
    stored = Document("file:///desk/c.py", "/desk/c.py", "python", "z = old\n")

    class Stored:
        def naming(self, identifier: str, limit: int = 32) -> Iterable[str]:
            return [stored.path]

        def read(self, path: str) -> Document | None:
            return stored if path == stored.path else None

    def say(scene: Scene) -> list[Candidate]:
        return [Candidate(stored.uri, 4, 7, "new", "model")]

    async def main() -> None:
        desk = Desk("a = 1\n", Model(say))
        desk.files = Stored()
        desk.replace("1", "2")
        assert await desk.next() is None
        made = (await desk.answer(reach=Reach.ALL)).prediction
        assert made is not None
        assert (made.document, made.edit.text) == (stored, "new")
        again = (await desk.answer(reach=Reach.ALL)).prediction
        assert again is not None
        assert again.id == made.id

    work(main())


def test_more_than_five_sites_go_one_at_a_time() -> None:
    lines = "".join(f"v{number} = old\n" for number in range(8))

    def bulk(scene: Scene) -> list[Candidate]:
        at = scene.document.text.index("v0")
        text = scene.document.text[at:]
        whole = Candidate(URI, at, len(scene.document.text), text.replace("old", "new"), "model", features={"p": 0.99})
        return [whole, *swap("old", "new")(scene)] if "old" in text else []

    async def main() -> None:
        desk = Desk("a = 1\n" + lines, Model(bulk))
        desk.replace("1", "2")
        made = await desk.next()
        assert made is not None
        assert made.target.count("new") == 1

    work(main())


def test_the_likelier_candidate_that_breaks_the_syntax_gives_way() -> None:
    def say(scene: Scene) -> list[Candidate]:
        at = scene.document.text.index("(old)")
        broken = Candidate(URI, at, at + 5, "(new", "model", features={"p": 0.95})
        return [broken, Candidate(URI, at + 1, at + 4, "new", "model", features={"p": 0.6})]

    async def main(language: str) -> None:
        desk = Desk("a = 1\nx = f(old)\n", Model(say), language=language)
        desk.replace("1", "2")
        made = await desk.next()
        assert made is not None
        assert made.target == "a = 2\nx = f(new)\n"

    work(main("python"))
    work(main("some language without a grammar"))


def test_edits_that_undo_each_other_leave_silence() -> None:
    async def main() -> None:
        desk = Desk(FUNCTION)
        desk.replace("width", "breadth")
        assert await desk.next() is not None
        desk.replace("breadth", "width")
        assert (await desk.answer()).reason is Reason.EMPTY
        await asyncio.sleep(0)

    work(main())


def test_a_completion_that_was_taken_is_marked_in_the_history() -> None:
    async def main() -> None:
        desk = Desk("x = \n")
        before = desk.document
        after = replace(before, text="x = foo(1)\n", version=2)
        desk.editor.changed(before, after, 0.0, accepted=True)
        assert [change.accepted for change in desk.editor.history.changes] == [True]

    work(main())
