"""What every rule is made of: a check, and the proof that what it found is new.

`local` and `Looking` run a check over the whole new text and over the old one, and let pass what is on changed lines and was
not there before, neither in the file nor in one that the code was moved from. `Across` runs a check that compares the two
itself.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.cancel import Cancel, Cancelled
from assistant.review.rules.page import SCRIPT, Page, page_of, squeezed
from assistant.review.rules.view import View, view_of
from assistant.review.types import ChangeSet, Evidence, FileChange, Finding, Project, Severity, TextEdit
from assistant.workspace import languages

if TYPE_CHECKING:
    from tree_sitter import Node

_log = logging.getLogger(__name__)
PYTHON = frozenset(("python",))
BOTH = PYTHON | SCRIPT
MAX_LINES_SHOWN = 12
MAX_MOVED_FROM = 8  # other old texts that are looked through for one finding

Edit = tuple[int, int, str]
"""Bytes ``[start, end)`` of the page become the text."""


@dataclass(frozen=True)
class Problem:
    """What a check saw at a node of the new page. ``key`` tells it apart from others of its rule; the node's text by default.

    ``touched``: nodes that make it a matter of this change where one of them is on a changed line; the node itself by default.
    ``path`` and ``page``: where the node is, when it is in another file than the changed one.
    """

    node: Node
    message: str
    key: str = ""
    touched: tuple[Node, ...] = ()
    evidence: tuple[Node | Evidence, ...] = ()
    edits: tuple[Edit, ...] = ()
    severity: Severity = "medium"
    confidence: float = 0.7
    path: str = ""
    page: Page | None = None
    row: int = -1


@dataclass
class _Base:
    name: str
    kind: str
    languages: frozenset[str]

    def __call__(self, change: FileChange, changes: ChangeSet, project: Project, cancel: Cancel) -> Iterable[Finding]:
        """The findings of one changed file. Never raises; a mistake of ours costs this rule's findings in this file."""
        view = view_of(change, changes, project, cancel)
        if view.language not in self.languages or view.new is None or view.is_sample:
            return []
        try:
            return [self._finding(view, problem) for problem in self._problems(view)]
        except Cancelled:
            return []
        except Exception:
            _log.exception("rule %s could not read %s", self.name, change.path)
            return []

    def _problems(self, view: View) -> Iterator[Problem]:
        raise NotImplementedError

    def _finding(self, view: View, problem: Problem) -> Finding:
        page = problem.page or view.new
        assert page is not None
        path = problem.path or view.path
        first = problem.row if problem.row >= 0 else problem.node.start_point[0]
        last = first if problem.row >= 0 else min(problem.node.end_point[0], first + MAX_LINES_SHOWN)
        evidence = tuple(item if isinstance(item, Evidence) else view.evidence(item, path, page) for item in problem.evidence)
        return Finding(
            path,
            first,
            last,
            self.name,
            problem.severity,
            self.kind,
            problem.message,
            evidence,
            _fix(page, path, problem.edits),
            problem.confidence,
        )


@dataclass
class Looking(_Base):
    """A rule whose check needs one text and may look around in the project."""

    check: Callable[[Page, View], Iterable[Problem]]
    here: Callable[[View], bool] = lambda view: True

    def _problems(self, view: View) -> Iterator[Problem]:
        page = view.new
        if page is None or not self.here(view):
            return
        found = list(self.check(page, view))
        view.cancel.check()
        touched = [problem for problem in found if any(view.is_changed(node) for node in problem.touched or (problem.node,))]
        if not touched:
            return
        before = list(self.check(view.old, view)) if view.old is not None else []
        old_keys, new_keys = Counter(_keys(view.old, before)), Counter(_keys(page, found))
        for problem in touched:
            view.cancel.check()
            if all(new_keys[key] > old_keys[key] for key in _keys(page, [problem])) and not self._is_moved(view, problem):
                yield problem

    def _is_moved(self, view: View, problem: Problem) -> bool:
        """Whether another changed file had the same problem before."""
        page = view.new
        assert page is not None
        line = page.lines[problem.node.start_point[0]].strip()
        key = _text_key(page, problem)
        asked = 0
        for other in view.changes.files:
            if other.old is None or other.path == view.path or line not in other.old or asked >= MAX_MOVED_FROM:
                continue
            asked += 1
            old = page_of(other.old, languages.resolve(other.language, other.path))
            if old is not None and any(_text_key(old, one) == key for one in self.check(old, view)):
                return True
        return False


def local(
    name: str,
    kind: str,
    languages: frozenset[str],
    check: Callable[[Page], Iterable[Problem]],
    here: Callable[[View], bool] = lambda view: True,
) -> Looking:
    """A rule whose check needs one text alone."""
    return Looking(name, kind, languages, lambda page, view: check(page), here)


@dataclass
class Across(_Base):
    """A rule whose check compares old and new, or looks at other files."""

    check: Callable[[View], Iterable[Problem]]

    def _problems(self, view: View) -> Iterator[Problem]:
        for problem in self.check(view):
            view.cancel.check()
            yield problem


def _text_key(page: Page, problem: Problem) -> str:
    return problem.key or squeezed(page.src(problem.node))[:400]


def _keys(page: Page | None, problems: Iterable[Problem]) -> Iterator[str]:
    """By its text, and by the function it is in: either one being old makes a problem old."""
    for problem in problems if page is not None else ():
        yield f"text:{_text_key(page, problem)}"  # type: ignore[arg-type]
        function = page.function_at(problem.node)  # type: ignore[union-attr]
        if function is not None:
            yield f"in:{function.qualified}"


def _fix(page: Page, path: str, edits: tuple[Edit, ...]) -> tuple[TextEdit, ...]:
    """The edits in code points, with the file's line ends; none where they overlap or the text does not parse afterwards."""
    data, source = page.source.data, page.source
    ending = "\r\n" if "\r\n" in page.text else "\n"
    ordered = sorted((start, end, text.replace("\n", ending)) for start, end, text in edits)
    if not ordered or any(ordered[i][1] > ordered[i + 1][0] for i in range(len(ordered) - 1)):
        return ()
    for start, end, text in reversed(ordered):
        data = data[:start] + text.encode("utf-8", "replace") + data[end:]
    fixed = page_of(data.decode("utf-8", "replace"), page.language)
    if fixed is None or (fixed.root.has_error and not page.root.has_error):
        return ()
    return tuple(TextEdit(path, source.char(start), source.char(end), text) for start, end, text in ordered)
