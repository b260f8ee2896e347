"""One changed file as the rules see it: both texts parsed, which lines are new, which functions belong together.

Pairs functions by their qualified names: a renamed one has no partner.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from assistant.cancel import Cancel
from assistant.review.places import is_test as is_test
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

    @cached_property
    def _changed(self) -> list[int]:
        return sorted(self.changed)

    @cached_property
    def _removed(self) -> list[int]:
        return sorted(self.removed)

    def is_changed(self, node: Node) -> bool:
        """Whether any line of a node of the new page is new."""
        return _any_within(self._changed, node)

    def is_removed(self, node: Node) -> bool:
        """Whether any line of a node of the old page is gone."""
        return _any_within(self._removed, node)

    def concerns(self, page: Page, node: Node) -> bool:
        """Whether a node of one of the two pages came or went; of another page it does."""
        return self.is_changed(node) if page is self.new else self.is_removed(node) if page is self.old else True

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Functions that are in both texts and that the change touches, inside or by its signature."""
        return tuple(self._paired())

    def _paired(self) -> Iterator[Pair]:
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


def _any_within(rows: list[int], node: Node) -> bool:
    """Whether one of the sorted ``rows`` is a line of the node."""
    at = bisect_left(rows, node.start_point[0])
    return at < len(rows) and rows[at] <= node.end_point[0]


_latest = threading.local()


def view_of(change: FileChange, changes: ChangeSet, project: Project, cancel: Cancel) -> View:
    """The view of a file; all rules that look at one file after another share it, and what it has found out."""
    view: View | None = getattr(_latest, "view", None)
    if view is None or (view.change, view.changes, view.project, view.cancel) != (change, changes, project, cancel):
        view = _latest.view = View(change, changes, project, cancel)
    return view


def forget_view() -> None:
    """No file of this thread will be looked at again; what its view holds of the project can go."""
    _latest.view = None
