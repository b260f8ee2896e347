"""Items an editor can take as they are: same-line ranges, in its own encoding, with the accept command."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from assistant.next_edit.answer import Prediction
from assistant.next_edit.place import Edit
from assistant.next_edit.types import Document
from assistant.types import Snapshot, Source, Suggestion
from assistant.workspace.lookup import Symbol
from lsp_server.positions import ENCODINGS, Encoding, Lines
from lsp_server.to_lsp import inline_edit, inline_item, popup_item, workspace_symbol
from lsp_server.workspace import Located

TEXT = 'x = 1\r\ny = ["😋", fo]\r\nz = 2'
AT = TEXT.index("fo]") + 2
SUGGESTION = Suggestion("01J", "o, bar", "o, bar", AT, AT, Source.MODEL, None)
LINES = Lines(TEXT)
SNAPSHOT = Snapshot("file:///a.py", "python", TEXT, AT)


def apply(text: str, edit_range: types.Range, new: str, encoding: Encoding) -> str:
    """What an editor does with an edit, through Python's own codecs."""
    width = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]
    codec = encoding if encoding == "utf-8" else f"{encoding}-le"
    lines = text.split("\n")
    line = lines[edit_range.start.line].encode(codec)
    head, tail = line[: edit_range.start.character * width], line[edit_range.end.character * width :]
    lines[edit_range.start.line] = head.decode(codec) + new + tail.decode(codec)
    return "\n".join(lines)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_inline_item_lands_where_it_should(encoding: Encoding) -> None:
    item = inline_item(SUGGESTION, LINES, encoding)
    assert item.range is not None
    assert item.range.start == item.range.end
    assert isinstance(item.insert_text, str)
    assert apply(TEXT, item.range, item.insert_text, encoding) == TEXT.replace("fo]", "foo, bar]")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_replacement_to_the_end_of_the_line(encoding: Encoding) -> None:
    suggestion = replace(SUGGESTION, text="o]\r\nw = 3", inserted="o]\r\nw = 3", end=AT + 1)
    item = inline_item(suggestion, LINES, encoding)
    assert item.range is not None
    assert item.range.start.line == item.range.end.line == 1
    assert item.range.end.character == item.range.start.character + 1


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_popup_item_replaces_the_word_being_typed(encoding: Encoding) -> None:
    item = popup_item(SUGGESTION, SNAPSHOT, LINES, encoding)
    assert isinstance(item.text_edit, types.TextEdit)
    assert apply(TEXT, item.text_edit.range, item.text_edit.new_text, encoding) == TEXT.replace("fo]", "foo, bar]")
    assert item.filter_text == item.text_edit.new_text == "foo, bar"
    assert item.preselect is False
    assert item.insert_text_format is types.InsertTextFormat.PlainText
    assert (item.label, item.detail) == ("foo, bar", "Sotto")


def test_the_label_is_one_short_line() -> None:
    long = popup_item(replace(SUGGESTION, text="o(" + "a, " * 50), SNAPSHOT, LINES, "utf-16")
    assert len(long.label) < 70
    several = popup_item(replace(SUGGESTION, text="o(\n    bar,\n)"), SNAPSHOT, LINES, "utf-16")
    assert several.label == "foo( ..."
    assert several.documentation == "foo(\n    bar,\n)"


def test_the_accept_command_names_the_suggestion() -> None:
    for item in (inline_item(SUGGESTION, LINES, "utf-16"), popup_item(SUGGESTION, SNAPSHOT, LINES, "utf-16")):
        assert item.command is not None
        assert (item.command.command, item.command.arguments) == ("sotto.didAccept", ["01J"])
        assert item.command.title


@given(st.text(st.sampled_from("a_ é😋("), max_size=12), st.integers(0, 12), st.sampled_from(ENCODINGS))
def test_word_and_range_agree(text: str, at: int, encoding: Encoding) -> None:
    """The edit's text begins with exactly what stands between its start and the cursor."""
    at = min(at, len(text))
    suggestion = Suggestion("01J", "new", "new", at, at, Source.MODEL, None)
    item = popup_item(suggestion, Snapshot("u", "", text, at), Lines(text), encoding)
    assert isinstance(item.text_edit, types.TextEdit)
    assert apply(text, item.text_edit.range, item.text_edit.new_text, encoding) == text[:at] + "new" + text[at:]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_a_next_edit_names_its_document_and_version(encoding: Encoding) -> None:
    text = "a\r\n🙂é = old\nz\r\n"
    at = text.index("old")
    document = Document("file:///p/b.py", "/p/b.py", "python", text, 7)
    item = inline_edit(Prediction("id1", document, Edit(at, at + 3, "new")), Lines(text), encoding)
    ends = [types.Position(**item["range"][side]) for side in ("start", "end")]
    assert apply(text, types.Range(*ends), item["text"], encoding) == text.replace("old", "new")
    assert item["textDocument"] == {"uri": "file:///p/b.py", "version": 7}
    assert item["command"] == {"title": "Sotto: next edit accepted", "command": "sotto.didAccept", "arguments": ["id1"]}


def symbol(name: str, kind: str = "method") -> Symbol:
    qualified = f"Outer.{name}" if kind == "method" else ""
    return Symbol("/a/b.py", name, qualified, kind, 0, len(TEXT), 0, "", "", (), (), "")


@pytest.mark.parametrize(("encoding", "units"), [("utf-8", 13), ("utf-16", 11), ("utf-32", 10)])
def test_a_symbols_range_counts_in_the_clients_units(encoding: Encoding, units: int) -> None:
    found = workspace_symbol(Located(symbol("fo"), "/a/b.py", TEXT.index("fo]"), LINES), encoding)
    assert isinstance(found.location, types.Location)
    assert found.location.uri.endswith("/a/b.py")
    assert (found.location.range.start.line, found.location.range.start.character) == (1, units)
    assert found.location.range.end.character == units + 2
    assert (found.name, found.container_name, found.kind) == ("fo", "Outer", types.SymbolKind.Method)


def test_a_symbol_whose_place_is_asked_for_later() -> None:
    found = workspace_symbol(Located(symbol("fo"), "untitled:1", 0, None), "utf-16")
    assert found.location == types.LocationUriOnly("untitled:1")
    assert found.data == {"path": "/a/b.py", "name": "Outer.fo", "line": 0}


def test_text_outside_of_definitions_is_its_file() -> None:
    found = workspace_symbol(Located(symbol("b.py", "module"), "/a/b.py", 0, LINES), "utf-16")
    assert (found.name, found.kind, found.container_name) == ("b.py", types.SymbolKind.File, None)
    assert isinstance(found.location, types.Location)
    assert found.location.range.start == found.location.range.end
