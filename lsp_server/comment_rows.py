"""A review's comment as rows of the store: an opportunity, shown or hidden, and the impression.

Numbers and our rule's name, nothing of the user's text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.events import Event, Impression, Opportunity

if TYPE_CHECKING:
    from assistant.review.rank import Comment

KIND = "review"
STAGE = 2
SEVERITY = {"high": 2.0, "medium": 1.0, "low": 0.0}


def comment_rows(
    comment: Comment, opportunity: str, session: str, file_key: str, id: str, automatic: bool, ts_ms: int, mono_ms: float
) -> list[Event]:
    """``id`` names the impression; empty for a comment that was hidden."""
    from assistant.review.rank import THRESHOLD
    from assistant.workspace.languages import language_of

    finding = comment.finding
    features = {
        "confidence": finding.confidence,
        "severity": SEVERITY[finding.severity],
        "evidence": float(len(finding.evidence)),
        "has_fix": float(bool(finding.fix)),
        **finding.features,
    }
    rows: list[Event] = [
        Opportunity(
            id=opportunity,
            session=session,
            ts_ms=ts_ms,
            mono_ms=mono_ms,
            kind=KIND,
            language=language_of(finding.path),
            file_key=file_key,
            trigger="automatic" if automatic else "invoked",
            features=features,
            p2=comment.probability,
            threshold=THRESHOLD[finding.severity],
            stage=STAGE,
            decision="show" if id else "hide",
            reason="shown" if id else "gated_hide",
            rule=finding.rule,
        )
    ]
    if id:
        lines = finding.end_line - finding.line + 1
        rows.append(Impression(id, opportunity, ts_ms, mono_ms, n_chars=len(finding.message), n_lines=lines, source="rule"))
    return rows
