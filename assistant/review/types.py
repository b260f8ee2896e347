"""The values of a review: what changed, what is known around it, and what there is to say.

Lines are counted from 0 inside; `Comment.to_json` counts from 1, as people and SARIF do. Knows no git, no editor, no store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from assistant.cancel import Cancel

Severity = Literal["high", "medium", "low"]


@dataclass(frozen=True)
class Hunk:
    """Lines ``[old_start, old_end)`` of the old text became ``[new_start, new_end)`` of the new one."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


@dataclass(frozen=True)
class FileChange:
    """One file before and after. ``old`` is ``None`` for a new one, ``new`` for a deleted one. ``path`` is relative.

    ``old_path`` differs from ``path`` for a renamed file. ``hunks`` leave out what only moved or was formatted.
    """

    path: str
    language: str
    old: str | None
    new: str | None
    hunks: tuple[Hunk, ...] = ()
    old_path: str = ""


@dataclass(frozen=True)
class Skipped:
    """A file that was not reviewed, and why, in a few words."""

    path: str
    why: str


@dataclass(frozen=True)
class ChangeSet:
    """A whole change. ``root`` is the repository's folder; ``title`` says what was compared with what."""

    root: str
    title: str
    files: tuple[FileChange, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """A line somewhere in the project that a comment rests on."""

    path: str
    line: int
    text: str


@dataclass(frozen=True)
class TextEdit:
    """Replace ``[start, end)`` (code points of the file's new text) of ``path`` with ``text``."""

    path: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Finding:
    """What a rule saw: lines ``[line, end_line]`` of the new text of ``path``.

    ``confidence`` is the rule's own probability that a reader would agree. ``fix`` is empty where there is none.
    """

    path: str
    line: int
    end_line: int
    rule: str
    severity: Severity
    kind: str
    message: str
    evidence: tuple[Evidence, ...] = ()
    fix: tuple[TextEdit, ...] = ()
    confidence: float = 0.5
    features: Mapping[str, float] = field(default_factory=dict)
    source: str = "sotto"


class Project(Protocol):
    """The code around the change, as it is after it. Every call is quick, and none raises.

    Paths are relative to the root, with /. An answer is made from the workspace index where there is one, from the files of
    the change otherwise (`complete` is then false: absence of a name proves nothing).
    """

    @property
    def complete(self) -> bool:
        """Whether every source file of the project is known."""

    def read(self, path: str) -> str | None:
        """A file's text after the change."""

    def naming(self, identifier: str, limit: int = 64) -> Iterable[str]:
        """Paths of files in which this identifier stands."""


class Rule(Protocol):
    """One module of `rules`, found by its registry."""

    name: str
    languages: frozenset[str]

    def __call__(self, change: FileChange, changes: ChangeSet, project: Project, cancel: Cancel) -> Iterable[Finding]:
        """What is wrong in the changed lines of one file, or elsewhere because of them. Never raises."""
