"""Findings and rules for tests: rules that find what the test tells them to, wherever a word stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from assistant.cancel import Cancel
from assistant.review.types import ChangeSet, FileChange, Finding, Project


def finding(path: str = "m.py", line: int = 0, rule: str = "r", **more: Any) -> Finding:
    given = {"severity": "high", "kind": "bug", "message": "What it is.", "confidence": 0.9, **more}
    return Finding(path, line, given.pop("end_line", line), rule, **given)


@dataclass
class WordRule:
    """Finds a word on changed lines. ``fails`` raises instead."""

    name: str = "r"
    word: str = "BUG"
    languages: frozenset[str] = frozenset(("python",))
    more: dict[str, Any] = field(default_factory=dict)
    fails: bool = False
    asked: list[str] = field(default_factory=list)

    def __call__(self, change: FileChange, changes: ChangeSet, project: Project, cancel: Cancel) -> Iterable[Finding]:
        self.asked.append(change.path)
        if self.fails:
            raise RuntimeError("a mistake of ours")
        text = (change.new or "").split("\n")
        rows = [row for h in change.hunks for row in range(h.new_start, h.new_end)]
        return [finding(change.path, row, self.name, **self.more) for row in rows if self.word in text[row]]
