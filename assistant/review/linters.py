"""What linters found, as findings: SARIF, or the JSON of ruff, mypy, pyright, eslint and semgrep; on changed lines only.

Style is left to the linter itself. A linter's finding that one of our rules made too is dropped and counts as agreement.
Knows the formats; how a linter is run stands in `linter_runs`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from assistant.review.types import ChangeSet, Finding, Severity

OURS: Mapping[str, str] = {
    "B006": "mutable-default",
    "RUF008": "mutable-default",
    "RUF012": "mutable-default",
    "F632": "identity-comparison",
    "B023": "loop-capture",
    "F811": "redefinition",
    "no-redef": "redefinition",
    "no-redeclare": "redefinition",
    "no-dupe-class-members": "redefinition",
    "no-unreachable": "unreachable-code",
    "unreachable": "unreachable-code",
    "reportUnreachable": "unreachable-code",
    "F821": "missing-name",
    "name-defined": "missing-name",
    "attr-defined": "missing-attribute",
    "reportAttributeAccessIssue": "missing-attribute",
    "S105": "hard-coded-secret",
    "S608": "injection",
    "S602": "injection",
    "reportUndefinedVariable": "missing-name",
    "no-undef": "missing-name",
    "unused-coroutine": "missing-await",
    "reportUnusedCoroutine": "missing-await",
    "call-arg": "callers-not-updated",
    "reportCallIssue": "callers-not-updated",
    "SIM115": "unclosed-resource",
    "T100": "debug-leftover",
    "no-debugger": "debug-leftover",
    "E722": "swallowed-exception",
    "S110": "swallowed-exception",
    "no-empty": "swallowed-exception",
}
"""A linter's code -> the rule of ours that sees the same."""

_GRAVE = re.compile(
    r"F(?:821|811|601|632|5\d\d|7\d\d|82\d)|B0(?:06|08|23|17|18)|PLE\d+|ASYNC\d+|RUF006|S(?:1|3|5|6)\d\d|E9\d\d"
)
_STYLE = re.compile(
    r"(?:E|W|N|D|I|UP|Q|COM|ANN|C4|C90|ICN|ISC|RET|SIM|TC|PTH|ERA|PLR|PLC|TRY|EM|FA|FBT|CPY|DOC|FURB|PERF|PT|T20|INP)\d+$"
)
_STYLE_NAMES = frozenset(
    (
        "indent",
        "quotes",
        "semi",
        "comma-dangle",
        "max-len",
        "eol-last",
        "prefer-const",
        "no-var",
        "curly",
        "camelcase",
        "no-console",
    )
)
_LEVELS: Mapping[str, tuple[Severity, float]] = {
    "error": ("medium", 0.75),
    "warning": ("medium", 0.65),
    "high": ("high", 0.75),
    "critical": ("high", 0.8),
}

Row = Mapping[str, Any]


class UnreadableError(Exception):
    """The file is of no format that is known here; the text says which are."""


def read(data: str, name: str = "the file") -> list[Finding]:
    """Every finding of one report; paths as written in it. Raises `UnreadableError`."""
    try:
        report = json.loads(data)
    except ValueError:
        report = _json_lines(data)
    try:
        found = _of(report)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        found = None
    if found is None:
        raise UnreadableError(f"{name} is no SARIF and no JSON of ruff, mypy, pyright, eslint or semgrep")
    return found


def on_changes(findings: Iterable[Finding], changes: ChangeSet) -> list[Finding]:
    """The findings that lie on lines of the change, under the change's own paths."""
    lines = {one.path: {line for h in one.hunks for line in range(h.new_start, h.new_end)} for one in changes.files}
    kept = []
    for finding in findings:
        path = _inside(finding.path, changes.root)
        if finding.line in lines.get(path, ()):
            kept.append(replace(finding, path=path, fix=tuple(replace(edit, path=path) for edit in finding.fix)))
    return list({(one.path, one.line, one.rule): one for one in kept}.values())


def merged(ours: Finding, linted: list[Finding]) -> tuple[Finding, list[Finding]]:
    """Our finding, surer if a linter says the same, and what the linters say beside that."""
    same = [one for one in linted if one.path == ours.path and _topic(one) == ours.rule and _overlap(one, ours)]
    if not same:
        return ours, linted
    features = {**ours.features, "agreed": 1.0}
    return replace(ours, features=features), [one for one in linted if one not in same]


def _topic(finding: Finding) -> str:
    return OURS.get(finding.rule.rpartition(":")[2], "")


def _overlap(a: Finding, b: Finding) -> bool:
    return a.line <= b.end_line and b.line <= a.end_line


def _json_lines(data: str) -> object:
    rows = []
    for line in data.splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows or None


def _of(report: Any) -> list[Finding] | None:
    """By the shape of the report; ``None`` for a shape nobody knows."""
    if isinstance(report, dict):
        readers: Mapping[str, Callable[[Any], Iterator[Finding]]] = {
            "runs": _sarif,
            "generalDiagnostics": _pyright,
            "results": _semgrep,
        }
        return next((list(reader(report[key])) for key, reader in readers.items() if isinstance(report.get(key), list)), None)
    if not isinstance(report, list):
        return None
    first: Mapping[str, Any] = next(iter(report), {})
    if not report or ("code" in first and "filename" in first):
        return list(_ruff(report))
    if "messages" in first:
        return list(_eslint(report))
    return list(_mypy(report)) if "file" in first and "line" in first else None


def _finding(tool: str, code: str, path: str, line: int, end: int, level: str, message: str) -> Iterator[Finding]:
    """One finding with lines from 0, unless it is a matter of style."""
    code = code or "error"
    if tool != "semgrep" and ((_STYLE.match(code) and not _GRAVE.fullmatch(code)) or code in _STYLE_NAMES):
        return
    severity, confidence = _LEVELS["high"] if _GRAVE.fullmatch(code) else _LEVELS.get(level.lower(), ("low", 0.5))
    text = " ".join(message.split())[:400]
    yield Finding(path, line, max(line, end), f"{tool}:{code}", severity, "linter", text, confidence=confidence, source=tool)


def _ruff(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        line, end = row["location"]["row"] - 1, (row.get("end_location") or row["location"])["row"] - 1
        yield from _finding("ruff", row.get("code") or "E999", row["filename"], line, end, "warning", row["message"])


def _mypy(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        if row.get("severity") == "error":
            line = row["line"] - 1
            yield from _finding("mypy", row.get("code") or "", row["file"], line, line, "error", row["message"])


def _pyright(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        if row.get("severity") in ("error", "warning"):
            line, end = row["range"]["start"]["line"], row["range"]["end"]["line"]
            yield from _finding("pyright", row.get("rule", ""), row["file"], line, end, row["severity"], row["message"])


def _eslint(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        for one in row["messages"]:
            line, level = one["line"] - 1, "error" if one.get("severity") == 2 else "warning"
            end = (one.get("endLine") or one["line"]) - 1
            yield from _finding("eslint", one.get("ruleId") or "", row["filePath"], line, end, level, one["message"])


def _semgrep(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        extra = row["extra"]
        level = "high" if extra.get("severity") == "ERROR" else "warning"
        line, end = row["start"]["line"] - 1, row["end"]["line"] - 1
        yield from _finding("semgrep", row["check_id"].rpartition(".")[2], row["path"], line, end, level, extra["message"])


def _sarif(runs: Sequence[Row]) -> Iterator[Finding]:
    for run in runs:
        tool = run["tool"]["driver"]["name"].lower().partition(" ")[0]
        for row in run.get("results", ()):
            for location in row.get("locations", ())[:1]:
                place = location["physicalLocation"]
                region = place.get("region") or {"startLine": 1}
                line, end = region["startLine"] - 1, region.get("endLine", region["startLine"]) - 1
                code = row.get("ruleId") or (row.get("rule") or {}).get("id", "")
                path = _path(place["artifactLocation"]["uri"])
                yield from _finding(tool, code, path, line, end, row.get("level", "warning"), row["message"]["text"])


def _path(uri: str) -> str:
    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme == "file" else unquote(uri)


def _inside(path: str, root: str) -> str:
    """A path as the change has it: relative to the root, with /."""
    if os.path.isabs(path):
        for top in dict.fromkeys((root, os.path.realpath(root))):
            inside = os.path.relpath(path, top)
            if not inside.startswith(".."):
                return inside.replace(os.sep, "/")
    return path.replace(os.sep, "/").removeprefix("./")
