"""Comments on the wire: positions in the client's units, versioned edits, evidence for clients of either kind."""

from __future__ import annotations

from lsprotocol import types

from assistant.review.rank import Comment
from assistant.review.types import Evidence, TextEdit
from lsp_server.comments import Comments, pinned
from lsp_server.review_to_lsp import Frame
from tests.assistant.review.findings import finding

TEXT = "x = 1\r\n\tname = '😀', []\r\n\r\nuse(name)\r\n"
AT = TEXT.index("[]")


def frame(related: bool = True, versioned: bool = True, end_line: int = 1) -> Frame:
    seen, fix = (Evidence("m.py", 3, "use(name)"),), (TextEdit("m.py", AT, AT + 2, "()"),)
    found = finding("m.py", 1, "odd", end_line=end_line, evidence=seen, fix=fix, severity="medium")
    live = pinned("7", "key", Comment(found, 0.9), lambda p: f"/r/{p}", lambda p: TEXT)
    comments = Comments()
    assert live is not None
    comments.put(live, {"/r/m.py": TEXT})
    return Frame(comments, "utf-16", lambda path: (f"file://{path}", 4), related, versioned)


def test_a_diagnostic_marks_the_line_without_its_indentation() -> None:
    (shown,) = frame().diagnostics("/r/m.py")
    assert shown.range == types.Range(types.Position(1, 1), types.Position(1, 16))
    assert (shown.source, shown.code, shown.severity) == ("sotto", "odd", types.DiagnosticSeverity.Information)
    assert shown.data == {"id": "7"}
    (seen,) = shown.related_information or []
    assert (seen.location.uri, seen.location.range.start.line, seen.message) == ("file:///r/m.py", 3, "use(name)")


def test_a_client_without_related_places_reads_them_in_the_message() -> None:
    (shown,) = frame(related=False).diagnostics("/r/m.py")
    assert shown.message == "What it is.\nm.py:4: use(name)"
    assert shown.related_information is None


def test_a_long_span_is_marked_on_its_first_line() -> None:
    (short,), (long,) = (frame(end_line=end).diagnostics("/r/m.py") for end in (2, 4))
    assert short.range.end == types.Position(2, 0)
    assert long.range.end == types.Position(1, 16)
    assert frame().diagnostics("/r/other.py") == []


def test_a_fix_is_an_edit_of_this_version_in_the_clients_units() -> None:
    made = frame()
    fix, dismiss, rule = made.actions(made.comments.of("/r/m.py")[0])
    assert fix.edit is not None
    (change,) = fix.edit.document_changes or []
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document == types.OptionalVersionedTextDocumentIdentifier("file:///r/m.py", 4)
    assert change.edits == [types.TextEdit(types.Range(types.Position(1, 14), types.Position(1, 16)), "()")]
    commands = [one.command.command for one in (fix, dismiss, rule) if one.command is not None]
    assert commands == ["sotto.appliedFix", "sotto.dismissComment", "sotto.dismissRule"]


def test_an_old_client_gets_plain_changes() -> None:
    made = frame(versioned=False)
    fix = next(made.actions(made.comments.of("/r/m.py")[0]))
    assert fix.edit is not None
    assert fix.edit.document_changes is None
    assert list(fix.edit.changes or {}) == ["file:///r/m.py"]
