"""What the user thought of earlier comments: which must never come back, and how each rule fared.

One small private file in the user's data folder. A finding is known by a keyed hash of rule, path, enclosing definition and its
line's words, so that it stays dismissed when lines move; no source text and no name can be read from the file. Every change is
read, altered and replaced at once, so that two editors lose nothing of each other's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assistant.review.diff import lines
from assistant.review.types import Finding
from assistant.workspace.extract import extract

FILE_NAME = "review.json"
TAKEN, REFUSED = ("fixed", "applied"), ("dismissed",)
OUTCOMES = (*TAKEN, *REFUSED, "ignored")

NEW = "new"
"""Marks content that was not read from the file."""

MOST_DISMISSED = 20_000
SILENT_AFTER, SILENT_SHARE = 5, 0.2
"""A rule with so many judgements of which no larger share was taken says nothing any more."""


class Memory:
    """The file in ``folder``; ``None`` keeps everything in memory. ``problem`` says why nothing could be kept."""

    def __init__(self, folder: Path | None) -> None:
        self.problem = ""
        self._path = folder / FILE_NAME if folder is not None else None
        self._lock = threading.Lock()
        self._data = _read(self._path)
        self._key = bytes.fromhex(self._data["key"])

    def key(self, finding: Finding, text: str, path: str = "") -> str:
        """The name of a finding in ``text``, under its path or under another one (that of before a rename)."""
        return self._hash(*_parts(finding, text, path or finding.path))

    def is_dismissed(self, finding: Finding, text: str, old_path: str = "") -> bool:
        """Whether the user has refused this finding, or its rule in this file."""
        if not self._data["dismissed"]:  # to find the definition around a line takes milliseconds
            return False
        paths = {finding.path, old_path or finding.path}
        keys = [self._hash("rule", finding.rule, path) for path in paths]
        return any(key in self._data["dismissed"] for key in [*keys, *(self.key(finding, text, path) for path in paths)])

    def dismiss(self, finding: Finding, text: str) -> None:
        """This one is never to return."""
        self._keep(*_parts(finding, text, finding.path))

    def dismiss_rule(self, rule: str, path: str) -> None:
        """This rule says nothing in this file any more."""
        self._keep("rule", rule, path)

    def count(self, rule: str, outcome: str) -> None:
        """One comment of the rule ended so: one of ``OUTCOMES``."""

        def change(data: dict[str, Any]) -> None:
            counts = data["rules"].setdefault(rule, {})
            counts[outcome] = counts.get(outcome, 0) + 1

        self._change(change)

    def judgements(self, rule: str) -> tuple[int, int]:
        """How often a comment of the rule was taken, and how often refused."""
        counts: Mapping[str, int] = self._data["rules"].get(rule, {})
        return sum(counts.get(one, 0) for one in TAKEN), sum(counts.get(one, 0) for one in REFUSED)

    def is_silent(self, rule: str) -> bool:
        """Whether the rule has been refused too often."""
        taken, refused = self.judgements(rule)
        return taken + refused >= SILENT_AFTER and taken <= SILENT_SHARE * (taken + refused)

    def _keep(self, *parts: str) -> None:
        def change(data: dict[str, Any]) -> None:
            kept, key = data["dismissed"], self._hash(*parts)
            kept.pop(key, None)
            kept[key] = 1
            for old in list(kept)[: max(0, len(kept) - MOST_DISMISSED)]:
                del kept[old]

        self._change(change)

    def _change(self, change: Callable[[dict[str, Any]], None]) -> None:
        with self._lock:
            data = _read(self._path)
            if data[NEW]:  # nothing on disk, or nothing that can be read
                data = self._data
            self._data, self._key = data, bytes.fromhex(data["key"])  # the key of whoever wrote first
            change(data)
            try:
                _write(self._path, data)
                self.problem = ""
            except OSError as error:
                why = error.strerror or error
                self.problem = f"what you dismiss is not kept ({why}): check that {self._path} can be written"

    def _hash(self, *parts: str) -> str:
        return hmac.new(self._key, "\0".join(parts).encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:24]


def _parts(finding: Finding, text: str, path: str) -> tuple[str, ...]:
    found = lines(text)
    line = " ".join(found[finding.line].split()) if finding.line < len(found) else ""
    return "finding", finding.rule, path, _enclosing(finding, text), line


def _enclosing(finding: Finding, text: str) -> str:
    offset = sum(len(line) + 1 for line in text.split("\n")[: finding.line])
    symbols = extract(text, "", finding.path)
    at = symbols.enclosing(offset)
    return symbols.definitions[at].qualified if at >= 0 else ""


def _read(path: Path | None) -> dict[str, Any]:
    """The file's content, or a new one; what is broken in it is as if it were not there."""
    try:
        data = json.loads(path.read_text("utf-8")) if path is not None else None
        if isinstance(data, dict) and len(bytes.fromhex(data["key"])) >= 16:
            kept, rules = data.get("dismissed"), data.get("rules")
            return {
                "key": data["key"],
                "dismissed": kept if isinstance(kept, dict) else {},
                "rules": {name: row for name, row in rules.items() if _is_counts(row)} if isinstance(rules, dict) else {},
                NEW: False,
            }
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"key": secrets.token_hex(16), "dismissed": {}, "rules": {}, NEW: True}


def _is_counts(row: object) -> bool:
    return isinstance(row, dict) and all(isinstance(n, int) for n in row.values())


def _write(path: Path | None, data: Mapping[str, Any]) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".review-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({name: value for name, value in data.items() if name != NEW}, file)
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
