"""A suggested edit in a changing text: after any edit of the user's it leads to what was proposed, or it is gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.next_edit.place import Edit
from assistant.next_edit.rebase import moved, rebase

TEXT = "one = 1\ntwo = f(value)\nthree = 3\n"
PLACE = Edit(TEXT.index("value"), TEXT.index("value") + 5, "total")


def typed(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]


def test_its_own_text_typed_shrinks_it_until_it_is_there() -> None:
    text, edit = typed(TEXT, PLACE.start, PLACE.end, ""), PLACE
    first = rebase(edit, TEXT, text)
    assert first == Edit(PLACE.start, PLACE.start, "total")
    edit = first
    for count, key in enumerate("tota"):
        after = typed(text, PLACE.start + count, PLACE.start + count, key)
        shorter = rebase(edit, text, after)
        assert shorter is not None
        assert shorter.text == "total"[count + 1 :]
        text, edit = after, shorter
    assert rebase(edit, text, typed(text, PLACE.start + 4, PLACE.start + 4, "l")) is None


def test_a_bracket_that_the_editor_closes_belongs_to_what_was_typed() -> None:
    text = "x = \n"
    edit = Edit(4, 4, "f(1)")
    after = typed(text, 4, 4, "f()")
    rest = rebase(edit, text, after)
    assert rest is not None
    assert rest.apply(after) == "x = f(1)\n"


def test_other_text_at_its_place_ends_it() -> None:
    assert rebase(PLACE, TEXT, typed(TEXT, PLACE.start, PLACE.end, "x")) is None
    assert rebase(PLACE, TEXT, typed(TEXT, PLACE.end, PLACE.end, "s")) is None
    line = TEXT.index("two")
    assert rebase(PLACE, TEXT, typed(TEXT, line, line + 3, "tri")) is None  # the same line elsewhere: code changed
    assert rebase(PLACE, TEXT, "") is None


def test_lines_above_move_it_and_lines_below_leave_it() -> None:
    above = typed(TEXT, 0, 0, "zero\n")
    assert rebase(PLACE, TEXT, above) == Edit(PLACE.start + 5, PLACE.end + 5, "total")
    below = typed(TEXT, len(TEXT), len(TEXT), "four\n")
    assert rebase(PLACE, TEXT, below) == PLACE
    joined = typed(TEXT, 7, 8, "")  # the line above loses its end
    assert rebase(PLACE, TEXT, joined) is None


def line_of(text: str, offset: int) -> str:
    return text[text.rfind("\n", 0, offset) + 1 : (text + "\n").index("\n", offset)]


texts = st.text(st.sampled_from(list("ab\n")), max_size=24)


@given(texts, st.data())
def test_whatever_is_edited_the_rest_leads_to_what_was_proposed(text: str, data: st.DataObject) -> None:
    def place(length: int) -> tuple[int, int]:
        start = data.draw(st.integers(0, length))
        return start, data.draw(st.integers(start, min(length, start + 6)))

    proposed = Edit(*place(len(text)), data.draw(texts))
    after = typed(text, *place(len(text)), data.draw(texts))
    rest = rebase(proposed, text, after)
    if rest is None or text == after:
        return
    if rest.apply(after) == proposed.apply(text):
        return  # the user is typing it
    assert after[rest.start : rest.end] == text[proposed.start : proposed.end]
    assert rest.text == proposed.text
    assert line_of(after, rest.start) == line_of(text, proposed.start)
    if not (proposed.end > proposed.start == text.rfind("\n", 0, proposed.start) + 1 and text[proposed.end - 1] == "\n"):
        assert line_of(after, rest.end) == line_of(
            text, proposed.end
        )  # whole lines only are replaced without a look at the next
    assert rest == moved(proposed, text, after)
