"""One edit of one text: equal by what it leads to, and never between a CR and its LF."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.next_edit.place import Edit, canonical, difference, fitted, line_end, smallest

texts = st.text(st.sampled_from(list("ab\r\n é😀\ud83d")), max_size=20)


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, Edit]:
    text = draw(texts)
    start = draw(st.integers(0, len(text)))
    return text, Edit(start, draw(st.integers(start, len(text))), draw(texts))


@given(edited())
def test_every_form_of_an_edit_leads_to_the_same_text(pair: tuple[str, Edit]) -> None:
    text, edit = pair
    after = edit.apply(text)
    for form in (smallest(edit, text), canonical(edit, text), difference(text, after)):
        assert form.apply(text) == after


@given(edited())
def test_the_canonical_form_is_the_same_whichever_way_it_was_said(pair: tuple[str, Edit]) -> None:
    text, edit = pair
    whole = Edit(0, len(text), edit.apply(text))
    assert canonical(edit, text) == canonical(whole, text) == canonical(difference(text, edit.apply(text)), text)


@given(edited())
def test_a_fitted_edit_has_ends_that_an_editor_can_name(pair: tuple[str, Edit]) -> None:
    text, edit = pair
    form = fitted(edit, text)
    for offset in (form.start, form.end):
        assert text[max(0, offset - 1) : offset + 1] != "\r\n"
    plain = edit.apply(text).replace("\r\n", "\n")
    assert form.apply(text).replace("\r\n", "\n") == plain or "\r" in text + edit.text


def test_line_ends_of_the_place() -> None:
    mixed = "a\r\nb\nc\r\nd"
    assert [line_end(mixed, offset) for offset in (0, 3, 5, 8)] == ["\r\n", "\n", "\r\n", "\r\n"]
    assert fitted(Edit(3, 3, "x\n"), "a\r\nb\r\n").apply("a\r\nb\r\n") == "a\r\nx\r\nb\r\n"
    assert fitted(Edit(2, 2, "x\r\n"), "a\nb\n").apply("a\nb\n") == "a\nx\nb\n"
