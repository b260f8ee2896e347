"""Reviews: the commands that ask for one, diagnostics for clients that pull, what can be done about a comment, drafts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from assistant.types import JsonObject
from lsp_server import drafts, from_lsp, protocol
from lsp_server.positions import Lines
from lsp_server.reviews import real
from lsp_server.to_lsp import uri_of

if TYPE_CHECKING:
    from lsp_server.server import AssistantServer


async def review(server: AssistantServer, *arguments: Any) -> JsonObject:
    """``sotto.review``."""
    asked = _first(arguments)
    given: Mapping[str, Any] = asked if isinstance(asked, Mapping) else {}
    revision = given.get("revision")
    what = revision if isinstance(revision, str) else ""
    made = server.app.reviews.review(what=what, staged=given.get("staged") is True)
    return await server.app.busy("Sotto: reviewing", made)


async def review_file(server: AssistantServer, *arguments: Any) -> JsonObject:
    """``sotto.reviewFile``."""
    asked = _first(arguments)
    uri = asked if isinstance(asked, str) else uri_of(server.app.workspace.focus or "")
    return await server.app.busy("Sotto: reviewing", server.app.reviews.review(uri or "untitled:"))


async def dismiss(server: AssistantServer, *arguments: Any) -> None:
    id = protocol.first_text(arguments)
    if id is not None:
        server.app.reviews.dismiss(id)


async def dismiss_rule(server: AssistantServer, *arguments: Any) -> None:
    id = protocol.first_text(arguments)
    if id is not None:
        server.app.reviews.dismiss(id, whole_rule=True)


async def applied(server: AssistantServer, *arguments: Any) -> None:
    """The client has applied a quick fix."""
    id = protocol.first_text(arguments)
    if id is not None:
        server.app.reviews.applied(id)


def diagnostics(server: AssistantServer, params: JsonObject) -> types.RelatedFullDocumentDiagnosticReport:
    """``textDocument/diagnostic``."""
    found = server.view.pulled(server.app, from_lsp.uri_of(params) or "")
    return types.RelatedFullDocumentDiagnosticReport(items=found)


def actions(server: AssistantServer, params: JsonObject) -> list[types.CodeAction]:
    """``textDocument/codeAction``: fixes and dismissals on commented lines, drafts on the first line of a definition."""
    uri = from_lsp.uri_of(params) or ""
    path, buffer = real(uri), server.buffers.get(uri)
    first, last = _rows(params)
    if buffer is None:
        return []
    found: list[types.CodeAction] = []
    if path is not None and _wants(params, types.CodeActionKind.QuickFix.value):
        frame = server.view.frame(server.app)
        start, end = _span(buffer.lines, first, last)
        for live in server.app.reviews.comments.of(path):
            if live.pin.start <= end and start <= live.pin.end:
                found += frame.actions(live)
    if server.client.applies and _wants(params, drafts.KIND) and not _is_idle(params):
        found += drafts.actions(buffer, first)
    return found


async def draft(server: AssistantServer, *arguments: Any) -> None:
    """``sotto.draftComment``: write it, unless the document has changed so that there is no such definition any more."""
    if len(arguments) < 3:
        return
    uri, line, intent = arguments[:3]
    buffer = server.buffers.get(uri) if isinstance(uri, str) else None
    if buffer is not None and isinstance(line, int) and isinstance(intent, str):
        model = await server.app.reviews.own.ready()
        edit = await drafts.edit(server.app.workspace, buffer, line, intent, server.client, model)
        if edit is None:
            server.app.warn("Sotto: the code says nothing that such a comment could hold.")
        else:
            await server.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, "Sotto: draft a comment"))


def _first(arguments: tuple[Any, ...]) -> object:
    return arguments[0] if arguments else None


def _is_idle(params: JsonObject) -> bool:
    """Whether the client asks by itself wherever the cursor stands: a draft on each ``def`` would light a lamp on all."""
    context = params.get("context")
    return isinstance(context, Mapping) and context.get("triggerKind") == types.CodeActionTriggerKind.Automatic.value


def _wants(params: JsonObject, kind: str) -> bool:
    """Whether a client that asks for some kinds only asks for this one."""
    context = params.get("context")
    only = context.get("only") if isinstance(context, Mapping) else None
    if not isinstance(only, list) or not only:
        return True
    return any(isinstance(one, str) and (kind == one or not one or kind.startswith(one + ".")) for one in only)


def _rows(params: JsonObject) -> tuple[int, int]:
    """The first and last line of the asked range."""
    span = params.get("range")
    ends = [span.get(side) if isinstance(span, Mapping) else None for side in ("start", "end")]
    rows = [end.get("line") if isinstance(end, Mapping) else 0 for end in ends]
    first, last = (row if isinstance(row, int) else 0 for row in rows)
    return max(0, first), max(0, last)


def _span(lines: Lines, first: int, last: int) -> tuple[int, int]:
    top = len(lines) - 1
    return lines.span(min(first, top))[0], lines.span(min(max(first, last), top))[1]
