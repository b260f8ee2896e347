"""Comments in the editor: they go with their lines, are gone with them, and lose a fix whose lines changed."""

from __future__ import annotations

from assistant.review.rank import Comment
from assistant.review.types import Evidence, TextEdit
from lsp_server.comments import Comments, Live, pinned
from tests.assistant.review.findings import finding

TEXT = "one\ntwo\nthree\nfour\n"
OTHER = "a\nb\n"


def live(**more: object) -> Live:
    found = finding("m.py", 1, **more)
    made = pinned("id", "key", Comment(found, 0.9), lambda p: f"/r/{p}", lambda p: {"m.py": TEXT, "n.py": OTHER}.get(p))
    assert made is not None
    return made


def comments(one: Live) -> Comments:
    made = Comments()
    made.put(one, {"/r/m.py": TEXT, "/r/n.py": OTHER})
    return made


def line(made: Comments, id: str = "id") -> str:
    found = made.get(id)
    text = made.text("/r/m.py")
    assert found is not None
    assert text is not None
    return text[found.pin.start : found.pin.end]


def test_edits_elsewhere_move_it_and_edits_of_its_line_end_it() -> None:
    made = comments(live())
    assert made.edited("/r/m.py", TEXT, 0, 0, "zero\n") == []
    assert line(made) == "two"
    now = "zero\n" + TEXT
    assert made.edited("/r/m.py", now, len(now), len(now), "five\n") == []
    (gone,) = made.edited("/r/m.py", now + "five\n", 10, 11, "2")
    assert (gone.id, list(made)) == ("id", [])


def test_a_whole_new_text_counts_as_the_edit_that_it_is() -> None:
    made = comments(live())
    assert made.became("/r/m.py", "zero\n" + TEXT) == []
    assert line(made) == "two"
    assert [one.id for one in made.became("/r/m.py", "something else\n")] == ["id"]
    assert made.became("/r/unknown.py", "x") == []


def test_a_fix_goes_when_its_lines_change_and_the_comment_stays() -> None:
    fix = (TextEdit("m.py", 4, 7, "2"), TextEdit("n.py", 0, 1, "z"))
    made = comments(live(fix=fix, evidence=(Evidence("n.py", 1, "b"),)))
    assert [edit.path for edit in made.of("/r/m.py")[0].fix] == ["/r/m.py", "/r/n.py"]
    made.edited("/r/n.py", OTHER, 0, 0, "new\n")
    moved = made.of("/r/m.py")[0]
    assert (moved.fix[1].pin.start, moved.evidence[0].pin.start) == (4, 6)
    made.edited("/r/n.py", "new\n" + OTHER, 4, 5, "x")
    assert made.of("/r/m.py")[0].fix == ()
    assert line(made) == "two"


def test_a_later_text_moves_earlier_comments_of_its_document() -> None:
    made = comments(live())
    later = pinned("other", "k", Comment(finding("m.py", 4), 0.9), lambda p: f"/r/{p}", lambda p: "zero\n" + TEXT)
    assert later is not None
    assert made.put(later, {"/r/m.py": "zero\n" + TEXT}) == []
    assert (line(made), line(made, "other")) == ("two", "four")


def test_the_same_again_is_known() -> None:
    made = comments(live())
    assert made.like(live()) is not None
    assert made.like(live(end_line=2)) is None
