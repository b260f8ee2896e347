"""Ten thousand random edits: what is on show always belongs to the text as it is, and leads to what was proposed."""

from __future__ import annotations

import asyncio
import random

import pytest

from assistant.next_edit.answer import Prediction
from tests.assistant.next_edit.desk import Desk, Model, swap, work

START = "alpha = 1\nbeta = old(alpha)\n\n\ndef gamma(delta):\n    old = delta\r\n    return old + '😀'\n" * 3
SNIPPETS = ("", "x", "\n", "old", "new", "n", "\r\n", "é", "😀", "# old\n", "(", ")", "alpha = old\n", "\ud83d")


class Watch:
    """What was last answered, and whether what is on show now still is that."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.stale, self.kept, self.typed = desk, 0, 0, 0

    def check(self, before: Prediction | None) -> None:
        shown = self.desk.editor.shown
        if shown is None:
            return
        fits = shown.document == self.desk.document and shown.edit.fits(self.desk.text)
        self.stale += not fits
        if before is not None and before.id == shown.id and fits:
            self.kept += 1
            is_typed = shown.target == before.target
            self.typed += is_typed
            self.stale += not (is_typed or _is_moved(before, shown))


def _is_moved(before: Prediction, shown: Prediction) -> bool:
    """The same words in place of the same words, on lines that read as they did."""

    def told(one: Prediction) -> tuple[str, str, str, str]:
        text, edit = one.document.text, one.edit
        head, tail = text[: edit.start], text[edit.end :]
        return head[head.rfind("\n") + 1 :], text[edit.start : edit.end], edit.text, tail.partition("\n")[0].rstrip("\r")

    return told(before) == told(shown)


def _step(desk: Desk, dice: random.Random) -> None:
    """A key, a paste, a deletion; often where the suggestion is, and often its own next letters."""
    shown = desk.editor.shown
    if shown is not None and dice.random() < 0.4:
        start, end, text = shown.edit.start, shown.edit.end, shown.edit.text
        kind = dice.random()
        if kind < 0.3:
            desk.change(start, end, text)
        elif kind < 0.7:
            desk.change(start, min(end, start + dice.randint(0, 2)), text[: dice.randint(0, 2)])
        else:
            desk.change(start, dice.randint(start, end), dice.choice(SNIPPETS))
        return
    length = len(desk.text)
    start = dice.randint(0, length)
    reach = 40 if length > 300 else 3
    desk.change(start, min(length, start + dice.choice((0, 0, 0, 1, reach))), dice.choice(SNIPPETS))


@pytest.mark.parametrize(("edits", "language", "between"), [(10_000, "lua", 40), (600, "python", 6)])
def test_no_stale_edit_in_ten_thousand(edits: int, language: str, between: int) -> None:
    """Lua has no grammar here: ten thousand edits of it are read in seconds."""

    async def main() -> None:
        dice = random.Random(7)
        desk = Desk(START, Model(swap("old", "new")), language=language)
        watch, answers, left = Watch(desk), 0, edits
        while left:
            for _ in range(min(left, dice.randint(1, between))):
                before = desk.editor.shown
                _step(desk, dice)
                watch.check(before)
                left -= 1
            desk.offset = dice.randint(0, len(desk.text))
            asked = asyncio.ensure_future(desk.answer())
            if left and dice.random() < 0.2:
                await asyncio.sleep(0)
                if not asked.done():  # what was answered before a change is the caller's to drop
                    _step(desk, dice)
                    left -= 1
            made = (await asked).prediction
            answers += made is not None
            assert made is None or (made.document == desk.document and made.target == made.edit.apply(desk.text))
            assert made is None or made.target != desk.text
            await asyncio.sleep(dice.choice((0.0, 0.5, 2.0)))
        assert watch.stale == 0
        assert answers > 100  # or nothing was tried
        assert watch.kept > 100
        assert watch.typed > 20

    work(main())
