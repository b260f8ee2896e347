"""What a chat model is told of one changed function: the change with its lines, its callers, what it calls, what holds of it.

These are the call graph and the summary of the paper's prompts (arXiv 2411.10129, section 3), read from the code rather than
guessed by another model. Every line that is told is kept, so that what the model claims can be looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from assistant.review.comment import properties
from assistant.review.rules.page import Function, Page, page_of
from assistant.review.types import FileChange, Hunk, Project

AROUND = 3
MOST_LINES = 80
MOST_CALLERS, MOST_CALLEES, MOST_FILES = 5, 5, 8
WIDTH = 160
_CALL = re.compile(r"(\w+)\s*\(")
_DEFINES = r"^\s*(?:async\s+)?(?:def|class|function)\s+{}\b|^\s*(?:export\s+)?(?:const|let)\s+{}\s*="


@dataclass
class Told:
    """``shown``: text of each (path, line from 0) in the prompt; ``changed``: lines of the file that may be commented on."""

    path: str
    text: str = ""
    change: str = ""
    shown: dict[tuple[str, int], str] = field(default_factory=dict)
    changed: frozenset[int] = frozenset()

    def knows(self, word: str) -> bool:
        """Whether a word of code stands anywhere in what was told."""
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", self.text) is not None


def told(change: FileChange, project: Project) -> Iterator[Told]:
    """One for each changed function, or stretch outside of functions; deletions alone are not asked about."""
    page = page_of(change.new, change.language) if change.new is not None else None
    if change.new is None or page is None:
        return
    for hunks in _together(change.hunks, page):
        yield _told(change, page, hunks, project)


def _together(hunks: tuple[Hunk, ...], page: Page) -> Iterator[list[Hunk]]:
    """Hunks of the same function."""
    group: list[Hunk] = []
    at: Function | None = None
    for hunk in hunks:
        if hunk.new_end <= hunk.new_start:
            continue
        function = _around(page, hunk.new_start)
        if group and function is not at:
            yield group
            group = []
        at = function
        group.append(hunk)
    if group:
        yield group


def _around(page: Page, line: int) -> Function | None:
    holding = [f for f in page.functions if f.outer.start_point[0] <= line <= f.outer.end_point[0]]
    return max(holding, key=lambda f: f.outer.start_byte, default=None)


def _told(change: FileChange, page: Page, hunks: list[Hunk], project: Project) -> Told:
    made = Told(change.path)
    old = (change.old or "").split("\n")
    rows: list[str] = []
    at = -1
    for hunk in hunks:
        for line in range(max(at, hunk.new_start - AROUND), hunk.new_start):
            if line >= 0:
                rows.append(_row(made, " ", line, page.lines[line]))
        rows += [f"-      {text[:WIDTH]}" for text in old[hunk.old_start : hunk.old_end]]
        rows += [_row(made, "+", line, page.lines[line]) for line in range(hunk.new_start, hunk.new_end)]
        at = hunk.new_end
    rows += [_row(made, " ", line, page.lines[line]) for line in range(at, min(at + AROUND, len(page.lines)))]
    made.change = f"{change.path}\n" + "\n".join(rows[:MOST_LINES])
    made.changed = frozenset(line for hunk in hunks for line in range(hunk.new_start, hunk.new_end))
    made.text = "\n".join([*_context(made, page, _around(page, hunks[0].new_start), project), "Change:", made.change])
    return made


def _row(made: Told, sign: str, line: int, text: str) -> str:
    made.shown[made.path, line] = text
    return f"{sign}{line + 1:5} {text[:WIDTH]}"


def _context(made: Told, page: Page, function: Function | None, project: Project) -> Iterator[str]:
    if function is not None:
        holds = "; ".join(properties(page, function))
        yield f"Function: {function.qualified}({', '.join(function.names)}){f'. {holds}' if holds else ''}"
        callers = _lines(function.name, rf"(?<!def )(?<!function )\b{re.escape(function.name)}\s*\(", project, MOST_CALLERS)
        yield from _listed(made, "Called at:", (one for one in callers if one[:2] not in made.shown))
    names = dict.fromkeys(_CALL.findall("\n".join(made.shown.values())))
    defined = (hit for name in names for hit in _lines(name, _DEFINES.format(re.escape(name), re.escape(name)), project, 1))
    yield from _listed(made, "Calls:", [hit for _, hit in zip(range(MOST_CALLEES), defined, strict=False)])


def _lines(name: str, pattern: str, project: Project, most: int) -> Iterator[tuple[str, int, str]]:
    wanted = re.compile(pattern)
    for path in project.naming(name, MOST_FILES):
        for number, line in enumerate((project.read(path) or "").split("\n")):
            if name in line and wanted.search(line):
                yield path, number, line
                most -= 1
                if not most:
                    return


def _listed(made: Told, title: str, hits: Iterator[tuple[str, int, str]] | list[tuple[str, int, str]]) -> Iterator[str]:
    for number, (path, line, text) in enumerate(hits):
        if not number:
            yield title
        made.shown[path, line] = text
        yield f"  {path}:{line + 1}: {text.strip()[:WIDTH]}"
