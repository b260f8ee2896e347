"""A review for programs: its own JSON, SARIF 2.1.0, and the annotations of GitHub's workflow log.

Lines and columns count from 1 there, columns in characters. Knows what a review says; nothing of where it goes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from assistant.review.fixes import place
from assistant.review.rank import Comment
from assistant.review.service import Review
from assistant.review.types import Finding, Project, Severity, TextEdit

Texts = Mapping[str, str]

_LEVEL: Mapping[Severity, str] = {"high": "error", "medium": "warning", "low": "note"}
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def texts(review: Review, project: Project) -> dict[str, str]:
    """The new texts that comments and fixes speak of."""
    wanted = {edit.path for one in (*review.comments, *review.hidden) for edit in one.finding.fix}
    wanted |= {one.finding.path for one in (*review.comments, *review.hidden)}
    found = {one.path: one.new for one in review.changes.files if one.new is not None}
    return {path: text for path in wanted if (text := found.get(path) or project.read(path)) is not None}


def to_json(review: Review, overview: str, texts: Texts, everything: bool = False) -> dict[str, Any]:
    """The comments; with ``everything`` the hidden ones too, each with ``hidden`` saying why."""
    shown = [*review.comments, *(review.hidden if everything else ())]
    return {
        "comments": [_comment(one, texts) for one in shown],
        "hidden": 0 if everything else len(review.hidden),
        "overview": overview,
        "skipped": [{"path": one.path, "why": one.why} for one in review.skipped],
    }


def _comment(one: Comment, texts: Texts) -> dict[str, Any]:
    finding = one.finding
    made: dict[str, Any] = {
        "path": finding.path,
        "line": finding.line + 1,
        "end_line": finding.end_line + 1,
        "rule": finding.rule,
        "severity": finding.severity,
        "kind": finding.kind,
        "message": finding.message,
        "evidence": [{"path": e.path, "line": e.line + 1, "text": e.text} for e in finding.evidence],
        "fix": {"edits": [_edit(edit, texts[edit.path]) for edit in finding.fix]} if finding.fix else None,
        "probability": round(one.probability, 3),
        "source": finding.source,
    }
    return {**made, "hidden": one.why_hidden} if one.why_hidden else made


def _edit(edit: TextEdit, text: str) -> dict[str, Any]:
    return {"path": edit.path, "range": {"start": _at(text, edit.start), "end": _at(text, edit.end)}, "new_text": edit.text}


def _at(text: str, offset: int) -> dict[str, int]:
    line, column = place(text, offset)
    return {"line": line + 1, "column": column + 1}


def to_sarif(review: Review, version: str, texts: Texts, everything: bool = False) -> dict[str, Any]:
    """One run; what is hidden is left out, or marked as suppressed when ``everything`` is asked for."""
    shown = [*review.comments, *(review.hidden if everything else ())]
    rules = sorted({one.finding.rule for one in shown})
    driver = {
        "name": "sotto",
        "version": version,
        "rules": [{"id": rule, "shortDescription": {"text": rule.replace("-", " ")}} for rule in rules],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"description": {"text": "The repository's top folder."}}},
        "results": [_result(one, rules.index(one.finding.rule), texts) for one in shown],
    }
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(one: Comment, index: int, texts: Texts) -> dict[str, Any]:
    finding = one.finding
    made: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVEL[finding.severity],
        "rank": round(100 * one.probability, 1),
        "message": {"text": finding.message},
        "locations": [_location(finding.path, finding.line, finding.end_line)],
    }
    if finding.evidence:
        made["relatedLocations"] = [
            {"id": i, **_location(e.path, e.line, e.line), "message": {"text": e.text}}
            for i, e in enumerate(finding.evidence, 1)
        ]
    if finding.fix:
        made["fixes"] = [{"description": {"text": "What Sotto proposes."}, "artifactChanges": list(_artifacts(finding, texts))}]
    if one.why_hidden:
        made["suppressions"] = [{"kind": "external", "justification": one.why_hidden}]
    return made


def _artifacts(finding: Finding, texts: Texts) -> Iterator[dict[str, Any]]:
    for path in dict.fromkeys(edit.path for edit in finding.fix):
        edits = [edit for edit in finding.fix if edit.path == path]
        yield {"artifactLocation": _artifact(path), "replacements": [_replacement(edit, texts[path]) for edit in edits]}


def _replacement(edit: TextEdit, text: str) -> dict[str, Any]:
    start, end = _at(text, edit.start), _at(text, edit.end)
    region = {"startLine": start["line"], "startColumn": start["column"], "endLine": end["line"], "endColumn": end["column"]}
    return {"deletedRegion": region, "insertedContent": {"text": edit.text}}


def _location(path: str, line: int, end: int) -> dict[str, Any]:
    region = {"startLine": line + 1, "endLine": max(line, end) + 1}
    return {"physicalLocation": {"artifactLocation": _artifact(path), "region": region}}


def _artifact(path: str) -> dict[str, Any]:
    return {"uri": quote(path.encode("utf-8", "surrogateescape")), "uriBaseId": "ROOT"}


def to_github(review: Review, everything: bool = False) -> Iterator[str]:
    """Workflow commands, one line each; GitHub shows them on the lines of a pull request."""
    names = {"high": "error", "medium": "warning", "low": "notice"}
    for one in [*review.comments, *(review.hidden if everything else ())]:
        finding = one.finding
        place = f"file={_property(finding.path)},line={finding.line + 1},endLine={finding.end_line + 1}"
        title = _property(f"sotto {finding.rule}")
        seen = "".join(f"\n{e.path}:{e.line + 1}: {e.text.strip()}" for e in finding.evidence)
        yield f"::{names[finding.severity]} {place},title={title}::{_data(finding.message + seen)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def dumps(value: Mapping[str, Any]) -> str:
    """JSON in ASCII, which any stream can carry."""
    return json.dumps(value)
