"""One changed file as the rules see it: both texts parsed, which lines are new, which functions belong together.

Pairs functions by their qualified names: a renamed one has no partner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from assistant.cancel import Cancel
from assistant.review.rules.page import Function, Page, page_of
from assistant.review.types import ChangeSet, Evidence, FileChange, Project
from assistant.workspace import languages

if TYPE_CHECKING:
    from tree_sitter import Node

_SAMPLES = re.compile(
    r"(?:^|/)(?:test[-_]?)?(?:__)?(?:data|cases|fixtures?|samples?|inputs?|functional|roots|snapshots?|resources|examples?\w*)(?:__)?/"
)
_TESTS = re.compile(r"(?:^|/)(?:test_[^/]*|conftest|[^/]*_tests?|[^/]*\.(?:test|spec))\.\w+$")


@dataclass(frozen=True)
class Pair:
    """One function before and after the change, with the pages they are in."""

    old: Function
    new: Function
    before: Page
    after: Page


class View:
    """A changed file in a language that we read. ``old`` is ``None`` for a new file."""

    def __init__(self, change: FileChange, changes: ChangeSet, project: Project, cancel: Cancel) -> None:
        self.change, self.changes, self.project, self.cancel = change, changes, project, cancel
        self.path = change.path

    @cached_property
    def language(self) -> str:
        return languages.resolve(self.change.language, self.change.path)

    @cached_property
    def new(self) -> Page | None:
        return page_of(self.change.new, self.language) if self.change.new is not None else None

    @cached_property
    def old(self) -> Page | None:
        return page_of(self.change.old, self.language) if self.change.old is not None else None

    @cached_property
    def changed(self) -> frozenset[int]:
        """Lines of the new text that the change wrote."""
        return frozenset(row for hunk in self.change.hunks for row in range(hunk.new_start, hunk.new_end))

    @cached_property
    def removed(self) -> frozenset[int]:
        """Lines of the old text that the change took away."""
        return frozenset(row for hunk in self.change.hunks for row in range(hunk.old_start, hunk.old_end))

    def is_changed(self, node: Node) -> bool:
        """Whether any line of a node of the new page is new."""
        return any(row in self.changed for row in range(node.start_point[0], node.end_point[0] + 1))

    def is_removed(self, node: Node) -> bool:
        """Whether any line of a node of the old page is gone."""
        return any(row in self.removed for row in range(node.start_point[0], node.end_point[0] + 1))

    def concerns(self, page: Page, node: Node) -> bool:
        """Whether a node of one of the two pages came or went; of another page it does."""
        return self.is_changed(node) if page is self.new else self.is_removed(node) if page is self.old else True

    def pairs(self) -> Iterator[Pair]:
        """Functions that are in both texts and that the change touches, inside or by its signature."""
        if self.new is None or self.old is None:
            return
        for name, found in self.new.by_name.items():
            before = self.old.by_name.get(name, [])
            if len(found) == len(before) == 1 and (self.is_changed(found[0].outer) or self.is_removed(before[0].outer)):
                yield Pair(before[0], found[0], self.old, self.new)

    def landing(self, row: int) -> int:
        """The line of the new text at which an old line would stand: behind what the change put in its place."""
        moved = 0
        for hunk in self.change.hunks:
            if hunk.old_start > row:
                break
            if row < hunk.old_end:
                return max(hunk.new_start, min(hunk.new_end - 1, hunk.new_start + row - hunk.old_start))
            moved = hunk.new_end - hunk.old_end
        return row + moved

    @cached_property
    def is_sample(self) -> bool:
        """Whether the file is data of a test: code that is there to be wrong."""
        return self.is_test and _SAMPLES.search(self.path) is not None and not _TESTS.search(self.path)

    @cached_property
    def is_test(self) -> bool:
        return is_test(self.path)

    def evidence(self, node: Node, path: str = "", page: Page | None = None) -> Evidence:
        """A line of the new page, or of another one."""
        row = node.start_point[0]
        shown = page or self.new
        return Evidence(path or self.path, row, shown.lines[row].strip()[:200] if shown is not None else "")


def is_test(path: str) -> bool:
    """Whether a path is a test's by the usual names."""
    parts = path.lower().split("/")
    name = parts[-1]
    named = name.startswith(("test_", "conftest", "tests.")) or name.rpartition(".")[0].endswith(
        ("_test", ".test", ".spec", "_tests")
    )
    return named or any(part in ("test", "tests", "testing", "__tests__", "spec", "e2e") for part in parts[:-1])
