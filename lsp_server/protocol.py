"""The few messages beyond LSP: their names, and readers that take what clients really send.

All but ``sotto/status`` have the names and shapes of the Copilot language server, which several editors' plugins speak
already. Readers answer ``None`` to a payload they cannot use. Knows JSON only, nothing of pygls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from assistant.types import JsonObject

DID_SHOW_COMPLETION = "textDocument/didShowCompletion"
"""Client notification: ``{item}``, the whole item, now visible."""

DID_PARTIALLY_ACCEPT_COMPLETION = "textDocument/didPartiallyAcceptCompletion"
"""Client notification: ``{item, acceptedLength}``; utf-16 units from the start of the item's text, cumulative."""

INLINE_EDIT = "textDocument/copilotInlineEdit"
"""Client request: ``{textDocument: {uri, version}, position}``. Answer: ``{edits: [{text, range, textDocument: {uri, version},
command}]}``, at most one, for a document that may be another one; it holds for that version only."""

DID_SHOW_INLINE_EDIT = "textDocument/didShowInlineEdit"
"""Client notification: ``{item}``, at least its command: the edit is visible."""

DID_FOCUS = "textDocument/didFocus"
"""Client notification: ``{textDocument: {uri}}``, or ``{}`` when no document has the focus."""

DID_CHANGE_STATUS = "didChangeStatus"
"""Server notification: a `Status`."""

STATUS = "sotto/status"
"""Client request without parameters: what the server and its engine are doing. Answer: see `App.status`."""

ACCEPT_COMMAND = "sotto.didAccept"
"""Command of every item; the client runs it after inserting. Arguments: ``[suggestion id]``."""

REJECT_COMMAND = "sotto.rejectEdit"
"""The client runs it when the user waves a next edit away. Arguments: ``[suggestion id]``."""

REVIEW_COMMAND = "sotto.review"
"""Reviews the repository around the workspace's folder. Arguments: none, or ``[{revision?, staged?}]``. Answer: the JSON of
`sotto review --format json`; what cannot be reviewed is a sentence in ``problem``."""

REVIEW_FILE_COMMAND = "sotto.reviewFile"
"""Reviews what changed in one file. Arguments: ``[uri]``, or none for the document that was last looked at. Answer likewise."""

DISMISS_COMMAND = "sotto.dismissComment"
"""This comment is never to return. Arguments: ``[comment id]``, which stands in a diagnostic's ``data.id``."""

DISMISS_RULE_COMMAND = "sotto.dismissRule"
"""This rule says nothing in this file any more. Arguments: ``[comment id]``."""

APPLIED_COMMAND = "sotto.appliedFix"
"""Command of every quick fix; the client runs it after the edit. Arguments: ``[comment id]``."""

DRAFT_COMMAND = "sotto.draftComment"
"""Writes a docstring or comment by what the code says, as ``workspace/applyEdit``. Arguments: ``[uri, line, intent]``."""

REVIEW_COMMANDS = (
    REVIEW_COMMAND,
    REVIEW_FILE_COMMAND,
    DISMISS_COMMAND,
    DISMISS_RULE_COMMAND,
    APPLIED_COMMAND,
    DRAFT_COMMAND,
)

Kind = Literal["Normal", "Warning", "Error", "Inactive"]


@dataclass(frozen=True)
class Status:
    """For the editor's status bar. ``Inactive``: this file gets no suggestions, and ``message`` says why."""

    kind: Kind = "Normal"
    message: str = ""
    busy: bool = False

    def to_json(self) -> JsonObject:
        return asdict(self)


@dataclass(frozen=True)
class PartialAccept:
    """The first ``units`` utf-16 units of ``text``, the item's whole text, are in the document now."""

    id: str
    text: str
    units: int


def suggestion_id(item: object) -> str | None:
    """The id in an item's accept command."""
    command = item.get("command") if isinstance(item, Mapping) else None
    if not isinstance(command, Mapping) or command.get("command") != ACCEPT_COMMAND:
        return None
    return first_text(command.get("arguments"))


def first_text(arguments: object) -> str | None:
    """The first of a command's arguments, when it is a text."""
    if isinstance(arguments, (list, tuple)) and arguments and isinstance(arguments[0], str):
        return arguments[0]
    return None


def shown_id(params: JsonObject) -> str | None:
    """The suggestion that `DID_SHOW_COMPLETION` speaks of."""
    return suggestion_id(params.get("item"))


def partial_accept(params: JsonObject) -> PartialAccept | None:
    """What `DID_PARTIALLY_ACCEPT_COMPLETION` says. A snippet's text counts as it is written."""
    item, units = params.get("item"), params.get("acceptedLength")
    name = suggestion_id(item)
    if name is None or not isinstance(item, Mapping) or isinstance(units, bool) or not isinstance(units, int):
        return None
    text: Any = item.get("insertText")
    if isinstance(text, Mapping):
        text = text.get("value")
    return PartialAccept(name, text, max(0, units)) if isinstance(text, str) else None


def focused_uri(params: JsonObject) -> str | None:
    """The document that `DID_FOCUS` names."""
    document = params.get("textDocument")
    uri = document.get("uri") if isinstance(document, Mapping) else None
    return uri if isinstance(uri, str) else None
