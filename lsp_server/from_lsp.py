"""What clients send -> our values. Reads plain JSON and takes every shape that editors are known to send.

Old clients count trigger kinds from 0 and write a range as an array; some leave out the context, some add a document version
and formatting options. What cannot be read is ``None``; nothing here raises. Knows nothing of pygls or of the model.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pygls.uris import to_fs_path

from assistant.types import Indent, JsonObject, Selected, Snapshot, Trigger
from lsp_server.buffers import Buffer, Edit, difference
from lsp_server.positions import Encoding


@dataclass
class TriggerDialect:
    """Which numbers a client uses: LSP says 1 invoked, 2 automatic; vscode-languageclient 9.0 says 0 and 1.

    A client's dialect shows with its first 0 or its first 2; till then 1 is read as LSP has it.
    """

    legacy: bool = False

    def read(self, kind: object) -> Trigger:
        if kind == 0 and not isinstance(kind, bool):
            self.legacy = True
            return Trigger.INVOKED
        if kind == 2:
            self.legacy = False
        return Trigger.INVOKED if kind == 1 and not self.legacy else Trigger.AUTOMATIC


def uri_of(params: JsonObject, key: str = "textDocument") -> str | None:
    """The URI of the document that a message is about."""
    uri = _object(params.get(key)).get("uri")
    return uri if isinstance(uri, str) else None


def snapshot(
    params: JsonObject, buffer: Buffer, encoding: Encoding, dialect: TriggerDialect, roots: Iterable[str] = ()
) -> Snapshot | None:
    """The document and the cursor of a completion request; ``None`` without a readable position.

    The file of a notebook's cell is the notebook: what excludes the one excludes the other.
    """
    offset = _offset(params.get("position"), buffer, encoding)
    if offset is None:
        return None
    context = _object(params.get("context"))
    path = path_of(buffer.uri) or path_of(buffer.notebook or "")
    return Snapshot(
        uri=buffer.uri,
        language=buffer.language,
        text=buffer.text,
        offset=offset,
        version=buffer.version,
        path=path,
        root=root_of(path, roots),
        trigger=dialect.read(context.get("triggerKind")),
        selected=_selected(context.get("selectedCompletionInfo"), buffer, encoding),
        indent=_indent(params.get("formattingOptions")),
    )


def path_of(uri: str) -> str | None:
    """The path of a file on disk; ``None`` for untitled documents, notebook cells and whatever else has no file."""
    try:
        return to_fs_path(uri) or None
    except ValueError:  # urllib refuses some brackets in a host
        return None


def root_of(path: str | None, roots: Iterable[str]) -> str | None:
    """The innermost workspace folder that holds ``path``."""
    if path is None:
        return None
    holding = [root for root in roots if path == root or path.startswith(root.rstrip("/\\") + os.sep)]
    return max(holding, key=len, default=None)


def edit(change: object, buffer: Buffer, encoding: Encoding) -> Edit | None:
    """One content change against the text before it; a change without a range replaces the whole text."""
    fields = _object(change)
    text = fields.get("text")
    if not isinstance(text, str):
        return None
    if fields.get("range") is None:
        return difference(buffer.text, text)
    span = _span(fields["range"], buffer, encoding)
    return None if span is None else Edit(*span, text)


def is_outside(change: object, buffer: Buffer) -> bool:
    """Whether a content change speaks of lines that the text does not have, or is none at all: client and server then differ.

    The line after the last one is how some editors name the text's end. What replaces everything is never outside.
    """
    fields = _object(change)
    if not isinstance(fields.get("text"), str):
        return True
    if is_whole(change):
        return False
    span = _span(fields.get("range"), buffer, "utf-32")
    if span is None:
        return True
    return max(_named_lines(fields.get("range"))) > len(buffer.lines) and span != (0, len(buffer.text))


def is_whole(change: object) -> bool:
    """Whether a content change is the whole text."""
    return isinstance(_object(change).get("text"), str) and _object(change).get("range") is None


def is_version(params: JsonObject, version: int | None) -> bool:
    """Whether a request speaks of that version of its document; a request or a document without a version does."""
    asked = whole(_object(params.get("textDocument")).get("version"))
    return asked is None or version is None or asked == version


def opened(document: object, notebook: str | None = None) -> Buffer | None:
    """A ``TextDocumentItem``."""
    item = _object(document)
    uri, text = item.get("uri"), item.get("text")
    if not isinstance(uri, str) or not isinstance(text, str):
        return None
    language = item.get("languageId")
    return Buffer(uri, language if isinstance(language, str) else "", text, whole(item.get("version")), notebook)


def whole(value: object) -> int | None:
    """A JSON number that counts something."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _offset(position: object, buffer: Buffer, encoding: Encoding) -> int | None:
    place = _object(position)
    line, character = whole(place.get("line")), whole(place.get("character"))
    if line is None or character is None:
        return None
    return buffer.lines.offset(line, character, encoding)


def _span(value: object, buffer: Buffer, encoding: Encoding) -> tuple[int, int] | None:
    """A range, as an object or as the two-element array of old clients, in offsets and in order."""
    if isinstance(value, (list, tuple)) and len(value) == 2:
        first, last = value
    else:
        first, last = _object(value).get("start"), _object(value).get("end")
    start, end = _offset(first, buffer, encoding), _offset(last, buffer, encoding)
    if start is None or end is None:
        return None
    return min(start, end), max(start, end)


def _named_lines(value: object) -> list[int]:
    ends = list(value) if isinstance(value, (list, tuple)) else [_object(value).get("start"), _object(value).get("end")]
    return [whole(_object(place).get("line")) or 0 for place in ends] or [0]


def _selected(value: object, buffer: Buffer, encoding: Encoding) -> Selected | None:
    info = _object(value)
    span, text = _span(info.get("range"), buffer, encoding), info.get("text")
    return Selected(*span, text) if span is not None and isinstance(text, str) else None


def _indent(options: object) -> Indent | None:
    fields = _object(options)
    width, spaces = whole(fields.get("tabSize")), fields.get("insertSpaces")
    if width is None or not 1 <= width <= 32 or not isinstance(spaces, bool):
        return None
    return Indent(width, tabs=not spaces)
