"""The rest of the cursor's line as a next edit: asked like a completion, weighed like a rule's edit, once for each text."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar

import pytest

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.gate.weigher import Weigher
from assistant.next_edit.answer import Answer, Prediction, Reach
from assistant.next_edit.complete import AtCursor, cursor, fitted
from assistant.next_edit.types import Candidate, Change, Document, Scene
from assistant.service import Completer
from assistant.types import Finish, Priority, Reason, Snapshot
from tests.assistant.fakes import Canned, FakeModel, numbered
from tests.assistant.next_edit.desk import FUNCTION, Desk, Model, Sure, work
from tests.assistant.virtual_time import now

BEGUN = "def double(value):\n    return 1\n"


def writing(model: FakeModel, text: str = BEGUN, ranker: Sure | None = None) -> Desk:
    """A desk whose editor has nothing but next edits."""
    desk = Desk(text, ranker=ranker)
    desk.editor.completions = AtCursor(Completer(model, clock=now, new_id=numbered()))
    return desk


async def typed(desk: Desk) -> Prediction:
    desk.replace("1", "2 *")
    made = await desk.next()
    assert made is not None
    return made


def test_the_line_goes_on_where_the_user_writes() -> None:
    async def main() -> None:
        model = FakeModel(" value\n\n\ndef other():")
        desk = writing(model)
        made = await typed(desk)
        assert (made.rule, made.edit.start, made.edit.end, made.edit.text) == ("complete", desk.offset, desk.offset, " value")
        assert made.at_cursor
        assert (made.features["complete:typed"], made.features["complete:in_text"]) == (1.0, 0.0)
        assert made.features["complete:mean_logprob"] == pytest.approx(-0.1)
        assert made.features["complete:mends"] == 1.0  # ``return 2 *`` is no statement
        request = model.requests[0]
        assert (request.priority, request.stop) == (Priority.NEXT_EDIT, ("\n",))
        desk.take(made)
        assert desk.text == "def double(value):\n    return 2 * value\n"
        assert desk.editor.history.changes[-1].accepted

    work(main())


def test_asking_again_costs_nothing_shown_or_not() -> None:
    async def main(ranker: Sure, reason: Reason) -> None:
        model = FakeModel(" value")
        desk = writing(model, ranker=ranker)
        desk.replace("1", "2 *")
        answers = [await desk.answer() for _ in range(3)]
        assert [one.reason for one in answers] == [reason] * 3
        assert len({one.prediction.id for one in answers if one.prediction}) <= 1
        await asyncio.sleep(1)
        assert sum(request.parts == model.requests[0].parts for request in model.requests) == 1

    work(main(Sure(), Reason.SHOWN))
    work(main(Sure(0.1), Reason.UNSURE))


def test_it_shrinks_while_it_is_typed_and_goes_when_something_else_is() -> None:
    async def main() -> None:
        model = FakeModel(" value")
        desk = writing(model)
        made = await typed(desk)
        asked = len(model.requests)
        for sign in " va":
            desk.change(desk.offset, desk.offset, sign)
        rest = await desk.next()
        assert rest is not None
        assert (rest.id, rest.edit.text, rest.edit.start) == (made.id, "lue", desk.offset)
        assert len(model.requests) == asked
        desk.change(desk.offset, desk.offset, "x")
        assert desk.editor.shown is None

    work(main())


def test_a_model_that_is_late_is_stopped_and_the_rules_serve() -> None:
    async def main() -> None:
        model = FakeModel(" value.first.second.third", step_seconds=0.03)
        desk = writing(model, FUNCTION)
        desk.replace("width", "breadth")
        made = await desk.next()
        assert made is not None
        assert made.rule == "rename"
        assert model.finished[0] is Finish.CANCELLED

    work(main())


@pytest.mark.parametrize(("seconds", "said"), [(0.25, [" value + other"]), (0.07, [])])
def test_half_a_text_is_none(seconds: float, said: list[str]) -> None:
    async def main() -> None:
        desk = writing(FakeModel(" value + other", step_seconds=0.03))
        desk.replace("1", "2 *")
        assert desk.editor.completions is not None
        cancel = Cancel()
        scene = Scene(desk.document, desk.offset, (), desk.editor.history.changes)
        asked = asyncio.ensure_future(desk.editor.completions(scene, Config(), cancel))
        await asyncio.sleep(seconds)
        cancel.set()
        assert [one.text for one in await asked] == said

    work(main())


@pytest.mark.parametrize(
    "cut",
    [
        Canned(" value + 1", finish=Finish.BUDGET),
        Canned(" value" + " + value" * 20),
        Canned(" value + other", logprob=-3.0),
    ],
)
def test_what_was_cut_short_is_no_edit_and_is_not_asked_again(cut: Canned) -> None:
    async def main() -> None:
        model = FakeModel(cut, "value")
        desk = writing(model)
        desk.replace("1", "2 *")
        for _ in range(2):
            assert (await desk.answer()).reason is Reason.EMPTY
        assert len(model.requests) == 1
        desk.change(desk.offset, desk.offset, " -")
        made = await desk.next()
        assert made is not None
        assert made.edit.text == "value"

    work(main())


def test_a_broken_model_leaves_the_rules_alone() -> None:
    async def main() -> None:
        desk = writing(FakeModel(Canned("", error="no weights")), FUNCTION)
        desk.replace("width", "breadth")
        made = await desk.next()
        assert made is not None
        assert made.rule == "rename"

    work(main())


def test_a_rejected_completion_stays_away_until_its_line_changes() -> None:
    async def main() -> None:
        model = FakeModel(" value", " value")
        desk = writing(model)
        made = await typed(desk)
        desk.editor.rejected(made.id)
        assert (await desk.answer()).reason is Reason.EMPTY
        desk.change(desk.offset - 1, desk.offset, "+")
        again = await desk.next()
        assert again is not None
        assert again.edit.text == " value"

    work(main())


def test_it_is_not_asked_for_what_an_inline_completion_carries_nor_before_anything_was_done() -> None:
    async def main() -> None:
        model = FakeModel(" value")
        desk = writing(model)
        assert (await desk.answer()).reason is Reason.EMPTY
        desk.replace("1", "2 *")
        assert (await desk.answer(reach=Reach.CURSOR)).prediction is None
        assert model.requests == []
        off: Answer = await desk.answer(Config(next_edit=False))
        assert off.reason is Reason.DISABLED
        assert model.requests == []

    work(main())


def test_what_the_model_and_the_line_say_twice_is_one_edit() -> None:
    def same(scene: Scene) -> list[Candidate]:
        return [Candidate(scene.document.uri, scene.offset, scene.offset, " value", "model")]

    async def main() -> None:
        desk = Desk(BEGUN, Model(same))
        desk.editor.completions = AtCursor(Completer(FakeModel(" value"), clock=now, new_id=numbered()))
        made = await typed(desk)
        assert (made.rule, made.features["also:complete"], made.features["edits"]) == ("model", 1.0, 1.0)

    work(main())


def test_it_does_not_outlast_another_edit_that_was_taken() -> None:
    """The cursor has gone where that one was."""

    class Rules(Sure):
        weighed: ClassVar[set[str]] = set()

        def probability(self, scene: Scene, candidate: Candidate, score: object) -> float:
            self.weighed.add(candidate.rule)
            return 0.9 if candidate.rule == "rename" else 0.5

    async def main() -> None:
        desk = writing(FakeModel(": float"), FUNCTION, ranker=Rules())
        desk.replace("width", "breadth")
        answer = await desk.answer()
        assert answer.prediction is not None
        assert answer.prediction.rule == "rename"
        assert Rules.weighed >= {"rename", "complete"}
        assert answer.left
        assert "complete" not in {one.candidate.rule for one in answer.left}

    work(main())


@pytest.mark.parametrize(
    ("text", "inserted", "back", "behind"),
    [
        ("x = val\n", "val", 0, 0),  # the cursor of an insert mode
        ("x = val\n", "val", 1, 1),  # Vim's, once it has left its own
        ("f(x)\n", "(x)", 1, 0),  # before a bracket that the editor has closed
        ("x = val\n", "va", 2, 0),  # somewhere else
        ("x = val\n", "val\n", 1, 0),  # at the end of a line
        ("x = 1\ny = val\n", "y = val\n", 2, 1),  # Vim's, in a line that was opened for it
        ("x = 1\ny = val\n", "y = val\n", 3, 0),
    ],
)
def test_vims_cursor_stands_on_what_was_typed_last(text: str, inserted: str, back: int, behind: int) -> None:
    start = text.index(inserted)
    before = text[:start] + text[start + len(inserted) :]
    change = Change("file:///a.py", before, start, "", inserted, 1.0)
    offset = start + len(inserted) - back
    scene = Scene(Document("file:///a.py", "/a.py", "python", text, 2), offset, (), (change,))
    assert cursor(scene) == offset + behind


@pytest.mark.parametrize(
    ("text", "rest", "kept"),
    [
        ("js,", ", do not edit", "js"),
        (";", ";", ""),
        ("] = None", " = None) -> int:", "]"),
        ("} = require('node:path');", " = require('rollup');", "}"),
        ("a.b", "", "a.b"),
        ("first, second", ")", "first, second"),
        ("(x)", ")", "(x)"),  # which bracket is whose, completion has found out
        ("value +", " 2", "value +"),
        (" x", " y", " x"),
    ],
)
def test_what_stands_behind_the_cursor_is_not_said_again(text: str, rest: str, kept: str) -> None:
    assert fitted(text, f"{rest}\nmore") == kept


def test_the_gate_hears_nothing_of_it_and_hides_nothing() -> None:
    async def main() -> None:
        weigher = Weigher(clock=now)
        model = FakeModel(Canned(" value", logprob=-1.2))
        completer = Completer(model, clock=now, new_id=numbered(), weigher=weigher)
        text = "def double(value):\n    return 2 *"
        snapshot = Snapshot("file:///a.py", "python", text, len(text), 1, "/a.py")
        said = await completer.write(snapshot, Config(min_confidence=0.0, stop_below=0.0), Cancel())
        assert said.suggestion is not None
        assert said.suggestion.text == " value"
        assert said.ruling is None
        assert weigher.history.numbers(now()) == Weigher(clock=now).history.numbers(now())
        doubted = await completer.complete(replace(snapshot, version=2), Config(), Cancel())
        assert (doubted.suggestion, doubted.reason) == (None, Reason.UNSURE)
        assert len(model.requests) == 1

    work(main())
