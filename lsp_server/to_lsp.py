"""Our values -> LSP. Every item carries an explicit range on the cursor's line and the command that reports its acceptance.

Without a range VS Code replaces the word at the cursor and Neovim inserts at it. Knows nothing of how a suggestion came about.
"""

from __future__ import annotations

from lsprotocol import types

from assistant.types import Snapshot, Suggestion
from lsp_server.positions import Encoding, Lines
from lsp_server.protocol import ACCEPT_COMMAND

LABEL_CHARACTERS = 60


def inline_item(suggestion: Suggestion, lines: Lines, encoding: Encoding) -> types.InlineCompletionItem:
    """For editors with ghost text."""
    return types.InlineCompletionItem(
        insert_text=suggestion.text,
        range=_range(suggestion.start, suggestion.end, lines, encoding),
        command=_accept(suggestion),
    )


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
