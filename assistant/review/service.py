"""A review, from a change to its few comments: rules and linters find, memory and suppressions take out, the panel chooses.

Findings come as a stream, file by file; what is certain is handed out at once. Knows plain values only: where the change, the
project and the model's opinion come from is its caller's business. A rule that fails costs its own findings.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from assistant.cancel import Cancel, Cancelled
from assistant.review.changes import changed_lines
from assistant.review.crew import Crew
from assistant.review.diff import lines
from assistant.review.dismissed import Memory
from assistant.review.fixes import apply, by_path
from assistant.review.grouped import grouped
from assistant.review.linters import merged
from assistant.review.promise import likely_first
from assistant.review.rank import ORDER, Comment, Panel
from assistant.review.rules.base import Across
from assistant.review.rules.view import forget_view
from assistant.review.suppress import is_suppressed
from assistant.review.types import ChangeSet, FileChange, Finding, Project, Rule, Skipped

log = logging.getLogger("sotto.review")

BUDGET_S = 20.0
"""Wall-clock time for the rules of one review; files that are not reached are named as left out."""

WORTH_A_COPY = 200_000
"""Characters of changed files from which on helpers pay: a copy costs 20 ms, and reads the project for itself."""

Features = Mapping[int, Mapping[str, float]]


class Looked(NamedTuple):
    """What the rules find in a file: those that need it alone, and those that look into others, where there was time."""

    near: list[Finding]
    far: list[Finding] | None


@dataclass(frozen=True)
class Review:
    """What there is to say. ``dismissed`` counts findings that the user refused before; ``skipped`` are files left out."""

    changes: ChangeSet
    comments: tuple[Comment, ...] = ()
    hidden: tuple[Comment, ...] = ()
    dismissed: int = 0
    skipped: tuple[Skipped, ...] = ()


@dataclass
class Reviewer:
    """One review of one change. `stream` it to the end, then `finish`."""

    changes: ChangeSet
    project: Project
    rules: Sequence[Rule]
    memory: Memory
    cancel: Cancel
    linted: Sequence[Finding] = ()
    clock: Callable[[], float] = time.monotonic
    budget_s: float = BUDGET_S
    dismissed: int = 0
    skipped: list[Skipped] = field(default_factory=list)

    def __post_init__(self) -> None:
        size = sum(changed_lines(one) for one in self.changes.files)
        self._panel = Panel(size, self.memory.judgements, self.memory.is_silent)
        self._shown: list[Comment] = []
        self._hidden: list[Comment] = []
        self._seen: set[tuple[str, int, str]] = set()
        self._files = {one.path: one for one in self.changes.files}
        self._lines: dict[str, list[str]] = {}
        self._near = [rule for rule in self.rules if not isinstance(rule, Across)]
        self._far = [rule for rule in self.rules if isinstance(rule, Across)]
        self._order = likely_first(self.changes.files)
        self._started = 0.0
        self._crew: Crew[Looked | None] | None = None

    @property
    def is_large(self) -> bool:
        """Whether it pays to `share`."""
        return sum(len(one.new or "") for one in self._order) >= WORTH_A_COPY

    def share(self, count: int) -> None:
        """Let so many copies of this process look at files too. Before `stream`, in a process without other threads."""
        if count > 0:
            self._started = self.clock()
            self._crew = Crew(lambda job: self._looked(self._order[job]), len(self._order), count)

    def stream(self) -> Iterator[Comment]:
        """Comments that are certain, as they are found. Raises `Cancelled`."""
        try:
            for some in self._found():
                for comment in self._panel.offer(some):
                    self._shown.append(comment)
                    yield comment
        finally:
            forget_view()
            if self._crew is not None:
                self._crew.close()

    @property
    def waiting(self) -> list[Finding]:
        """After `stream`: findings still to be compared, those that the model may be asked about."""
        return self._panel.waiting

    @property
    def doubts(self) -> list[bool]:
        """For each of ``waiting``, whether the model's opinion can matter."""
        return self._panel.doubts

    def add(self, findings: Sequence[Finding]) -> None:
        """After `stream`: more findings to choose among, those of the user's own model; `finish` again."""
        self._shown += self._panel.offer(self._usable(findings))

    def finish(self, features: Features | None = None) -> Review:
        """Choose among the rest. ``features``: what the model thinks of each of ``waiting``."""
        more, hidden = self._panel.decide(features)
        self._shown += more
        self._hidden += hidden
        skipped = (*self.changes.skipped, *self.skipped)
        return Review(self.changes, tuple(sorted(self._shown, key=_order)), tuple(self._hidden), self.dismissed, skipped)

    def _found(self) -> Iterator[list[Finding]]:
        """Everything that is new, wanted and in order. Of two alike, ours and a linter's, ours comes.

        A file is looked at completely before the next one: somebody waits for the first comment, and its texts are parsed once.
        When half of the time is gone, rules that look into other files wait until all have been looked at by the quick ones.
        """
        self._started = self.clock()
        later: list[FileChange] = []
        linted = list(self.linted)
        late: dict[str, Skipped] = {}
        for job, change in enumerate(self._order):
            self.cancel.check()
            looked = self._helped(job)
            spent = self.clock() - self._started
            if looked is None and spent > self.budget_s:
                late[change.path] = self._too_late(change)
                continue
            found, linted = _merged(looked.near if looked is not None else self._ruled(change, self._near), linted)
            yield self._usable(found)
            if looked is not None and looked.far is not None:
                found, linted = _merged(looked.far, linted)
                yield self._usable(found)
            elif spent > self.budget_s / 2:
                later.append(change)
            else:
                found, linted = _merged(self._ruled(change, self._far), linted)
                yield self._usable(found)
        for change in later:
            self.cancel.check()
            if self.clock() - self._started > self.budget_s:
                late[change.path] = self._too_late(change)
                continue
            found, linted = _merged(self._ruled(change, self._far), linted)
            yield self._usable(found)
        self.skipped += late.values()
        yield self._usable(linted)

    def _helped(self, job: int) -> Looked | None:
        """What a helper has found in a file, if one has begun with it."""
        if self._crew is None or self._crew.takes(job):
            return None
        return self._crew.made(job, self.cancel)

    def _looked(self, change: FileChange) -> Looked | None:
        """All of a file at once, for a helper: the same in the same time."""
        spent = self.clock() - self._started
        if spent > self.budget_s:
            return None
        near = list(self._ruled(change, self._near))
        return Looked(near, list(self._ruled(change, self._far)) if spent <= self.budget_s / 2 else None)

    def _too_late(self, change: FileChange) -> Skipped:
        return Skipped(change.path, f"not looked at completely within {self.budget_s:g} s")

    def _ruled(self, change: FileChange, rules: Sequence[Rule]) -> Iterator[Finding]:
        for rule in rules:
            self.cancel.check()
            if change.language in rule.languages:
                try:
                    yield from list(rule(change, self.changes, self.project, self.cancel))
                except Cancelled:
                    raise
                except Exception:  # the contract says a rule never raises; one that does must not end the review
                    log.exception("rule %s failed on a file", rule.name)

    def _usable(self, findings: Sequence[Finding]) -> list[Finding]:
        """What may be said, one finding for each matter; a fix that does not apply is left out."""
        usable = [one for finding in findings if (one := self._one(finding)) is not None]
        joined = grouped(usable, lambda path, line: self._lines[path][line])
        return [replace(one, fix=one.fix if self._applies(one) else ()) for one in joined]

    def _one(self, finding: Finding) -> Finding | None:
        """The finding; ``None`` for what was said, refused or suppressed before, or is nowhere."""
        key = (finding.path, finding.line, finding.rule)
        text = self.text(finding.path)
        if text is None or key in self._seen:
            return None
        self._seen.add(key)
        shown = self._lines.setdefault(finding.path, lines(text))
        if not 0 <= finding.line < len(shown) or is_suppressed(finding.rule, finding.line, shown):
            return None
        change = self._files.get(finding.path)
        if self.memory.is_dismissed(finding, text, change.old_path if change is not None else ""):
            self.dismissed += 1
            return None
        end = min(max(finding.line, finding.end_line), max(0, len(shown) - 1))
        return replace(finding, end_line=end)

    def _applies(self, finding: Finding) -> bool:
        return all(
            (text := self.text(path)) is not None and apply(text, edits) is not None
            for path, edits in by_path(finding.fix).items()
        )

    def text(self, path: str) -> str | None:
        """A file after the change."""
        change = self._files.get(path)
        return change.new if change is not None else self.project.read(path)


def _merged(some: Iterable[Finding], linted: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Findings of ours with what the linters say of the same, and what the linters say beside that."""
    found = []
    for finding in some:
        ours, linted = merged(finding, linted)
        found.append(ours)
    return found, linted


def _order(one: Comment) -> tuple[int, float, str, int]:
    return ORDER[one.finding.severity], -one.probability, one.finding.path, one.finding.line
