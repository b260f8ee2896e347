"""Our values -> LSP. Every item carries an explicit range on the cursor's line and the command that reports its acceptance.

Without a range VS Code replaces the word at the cursor and Neovim inserts at it. Knows nothing of how a suggestion came about.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.uris import from_fs_path

from assistant.types import JsonObject, Snapshot, Suggestion
from lsp_server.positions import Encoding, Lines
from lsp_server.protocol import ACCEPT_COMMAND

if TYPE_CHECKING:
    from assistant.next_edit.answer import Prediction
    from lsp_server.workspace import Located

LABEL_CHARACTERS = 60

SYMBOL_KIND = {
    "function": types.SymbolKind.Function,
    "method": types.SymbolKind.Method,
    "class": types.SymbolKind.Class,
    "interface": types.SymbolKind.Interface,
    "struct": types.SymbolKind.Struct,
    "enum": types.SymbolKind.Enum,
    "type": types.SymbolKind.Class,
    "namespace": types.SymbolKind.Namespace,
    "macro": types.SymbolKind.Function,
    "field": types.SymbolKind.Field,
    "impl": types.SymbolKind.Object,
    "module": types.SymbolKind.File,
}


def inline_item(suggestion: Suggestion, lines: Lines, encoding: Encoding) -> types.InlineCompletionItem:
    """For editors with ghost text."""
    return types.InlineCompletionItem(
        insert_text=suggestion.text,
        range=_range(suggestion.start, suggestion.end, lines, encoding),
        command=_accept(suggestion),
    )


def inline_edit(made: Prediction, lines: Lines, encoding: Encoding) -> JsonObject:
    """For editors that show next edits. It holds for this version of its document."""
    start, end = (lines.position(offset, encoding) for offset in (made.edit.start, made.edit.end))
    return {
        "text": made.edit.text,
        "range": {side: {"line": line, "character": unit} for side, (line, unit) in (("start", start), ("end", end))},
        "textDocument": {"uri": made.document.uri, "version": made.document.version},
        "command": {"title": "Sotto: next edit accepted", "command": ACCEPT_COMMAND, "arguments": [made.id]},
    }


def popup_item(suggestion: Suggestion, snapshot: Snapshot, lines: Lines, encoding: Encoding) -> types.CompletionItem:
    """The same as an entry of the ordinary popup.

    The edit begins with the word being typed, not with the cursor: that is what clients match the user's next keys against,
    and what Neovim's omnifunc replaces.
    """
    start = _word_start(snapshot.text, min(suggestion.start, snapshot.offset))
    text = snapshot.text[start : suggestion.start] + suggestion.text
    return types.CompletionItem(
        label=_label(text),
        kind=types.CompletionItemKind.Text,
        detail="Sotto",
        documentation=text if "\n" in text else None,
        preselect=False,
        sort_text=" sotto",  # a blank sorts before letters and digits: near the top, yet never chosen by itself
        filter_text=text,
        insert_text_format=types.InsertTextFormat.PlainText,
        insert_text_mode=types.InsertTextMode.AsIs,
        text_edit=types.TextEdit(_range(start, suggestion.end, lines, encoding), text),
        command=_accept(suggestion),
    )


def workspace_symbol(found: Located, encoding: Encoding) -> types.WorkspaceSymbol:
    """A definition for the editor's list. Without lines its range is left to ``workspaceSymbol/resolve``: see ``data``."""
    symbol = found.symbol
    name = symbol.name or os.path.basename(symbol.path)
    return types.WorkspaceSymbol(
        name=name,
        kind=SYMBOL_KIND.get(symbol.kind, types.SymbolKind.Variable),
        container_name=symbol.qualified.rpartition(".")[0] or None,
        location=location(found, encoding) or types.LocationUriOnly(uri_of(found.document)),
        data={"path": symbol.path, "name": symbol.qualified, "line": symbol.line},
    )


def location(found: Located, encoding: Encoding) -> types.Location | None:
    """Where a definition's name stands, if that has been looked up."""
    if found.lines is None:
        return None
    length = 0 if found.symbol.kind == "module" else len(found.symbol.name)
    return types.Location(uri_of(found.document), _range(found.offset, found.offset + length, found.lines, encoding))


def uri_of(document: str) -> str:
    """The URI of a path; a URI as it is."""
    return (from_fs_path(document) or document) if os.path.isabs(document) else document


def _range(start: int, end: int, lines: Lines, encoding: Encoding) -> types.Range:
    first = types.Position(*lines.position(start, encoding))
    return types.Range(first, types.Position(*lines.position(end, encoding)))


def _accept(suggestion: Suggestion) -> types.Command:
    return types.Command(title="Sotto: suggestion accepted", command=ACCEPT_COMMAND, arguments=[suggestion.id])


def _word_start(text: str, offset: int) -> int:
    while offset > 0 and (text[offset - 1].isalnum() or text[offset - 1] == "_"):
        offset -= 1
    return offset


def _label(text: str) -> str:
    lines = text.strip().splitlines()
    label = lines[0].rstrip() if lines else text
    cut = len(label) > LABEL_CHARACTERS
    return label[:LABEL_CHARACTERS] + " ..." if cut or len(lines) > 1 else label
