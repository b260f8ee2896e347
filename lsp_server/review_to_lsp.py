"""Comments of a review -> LSP: diagnostics with their evidence, quick fixes as versioned edits, and the ways to dismiss.

Knows comments and texts; nothing of how they came about or of when they are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lsprotocol import types

from assistant.review.anchors import Pin
from lsp_server.comments import Comments, Edit, Live
from lsp_server.positions import Encoding, Lines
from lsp_server.protocol import APPLIED_COMMAND, DISMISS_COMMAND, DISMISS_RULE_COMMAND

SEVERITY = {
    "high": types.DiagnosticSeverity.Warning,
    "medium": types.DiagnosticSeverity.Information,
    "low": types.DiagnosticSeverity.Hint,
}
"""An error is what does not compile; a review does not claim that."""

WHOLE_LINES = 3
"""A longer span is marked on its first line only."""

Place = Callable[[str], tuple[str, int | None]]
"""A real path -> the uri that the editor knows it by, and the version of an open document."""


@dataclass(frozen=True)
class Frame:
    """How positions and documents are written for one client, at one moment: ``lines`` are of the texts then."""

    comments: Comments
    encoding: Encoding
    place: Place
    related: bool = True
    versioned: bool = True
    lines: dict[str, Lines] = field(default_factory=dict)

    def diagnostic(self, live: Live) -> types.Diagnostic:
        """One comment. Where the client shows no related places, the message names them."""
        finding = live.comment.finding
        related = [self._related(one.path, one.pin, one.text) for one in live.evidence]
        message = finding.message
        if not self.related:
            message += "".join(
                f"\n{one.location.uri.rpartition('/')[2]}:{one.location.range.start.line + 1}: {one.message}" for one in related
            )
        return types.Diagnostic(
            range=self._range(live.path, *self._marked(live)),
            severity=SEVERITY[finding.severity],
            code=finding.rule,
            source="sotto",
            message=message,
            related_information=related if self.related and related else None,
            data={"id": live.id},
        )

    def diagnostics(self, path: str) -> list[types.Diagnostic]:
        """All of one document."""
        return [self.diagnostic(live) for live in self.comments.of(path)]

    def actions(self, live: Live) -> Iterator[types.CodeAction]:
        """What the user can do about a comment."""
        rule, shown = live.comment.finding.rule, [self.diagnostic(live)]
        kind = types.CodeActionKind.QuickFix
        if live.fix:
            command = types.Command("Sotto: fix applied", APPLIED_COMMAND, arguments=[live.id])
            yield types.CodeAction(
                f"Fix: {rule} (Sotto)", kind, shown, is_preferred=True, edit=self._edit(live.fix), command=command
            )
        for title, name in (
            ("Dismiss this comment (Sotto)", DISMISS_COMMAND),
            (f"Dismiss {rule} in this file (Sotto)", DISMISS_RULE_COMMAND),
        ):
            yield types.CodeAction(title, kind, shown, command=types.Command(title, name, arguments=[live.id]))

    def _edit(self, edits: tuple[Edit, ...]) -> types.WorkspaceEdit:
        by_path: dict[str, list[types.TextEdit | types.AnnotatedTextEdit | types.SnippetTextEdit]] = {}
        for one in edits:
            span = self._range(one.path, one.pin.start + one.start, one.pin.start + one.end)
            by_path.setdefault(one.path, []).append(types.TextEdit(span, one.text))
        if not self.versioned:
            return types.WorkspaceEdit(changes={self.place(path)[0]: some for path, some in by_path.items()})  # type: ignore[misc]
        documents = [
            types.TextDocumentEdit(types.OptionalVersionedTextDocumentIdentifier(*self.place(path)), some)
            for path, some in by_path.items()
        ]
        return types.WorkspaceEdit(document_changes=documents)

    def _related(self, path: str, pin: Pin, message: str) -> types.DiagnosticRelatedInformation:
        location = types.Location(self.place(path)[0], self._range(path, pin.start, pin.end))
        return types.DiagnosticRelatedInformation(location, message)

    def _marked(self, live: Live) -> tuple[int, int]:
        """The comment's lines without the indentation of the first."""
        text = self.comments.text(live.path) or ""
        start, end = live.pin.start, live.pin.end
        if text.count("\n", start, end) >= WHOLE_LINES:
            end = text.find("\n", start)
        lead = len(text[start:end]) - len(text[start:end].lstrip(" \t"))
        return (start + lead if start + lead < end else start), end

    def _range(self, path: str, start: int, end: int) -> types.Range:
        if path not in self.lines:
            self.lines[path] = Lines(self.comments.text(path) or "")
        lines = self.lines[path]
        first = types.Position(*lines.position(start, self.encoding))
        return types.Range(first, types.Position(*lines.position(end, self.encoding)))
