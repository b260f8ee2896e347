"""A review on a terminal: each comment with its line, its evidence and its fix; then what a person should read.

Without a terminal the same lines, without colours and not cut.
"""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from assistant.review.diff import lines
from assistant.review.fixes import by_path, small_diff
from assistant.review.rank import Comment
from assistant.review.service import Review
from assistant.review.types import Finding, Project

COLOURS = {"high": "bold red", "medium": "bold yellow", "low": "bold blue"}
MOST_EVIDENCE = 6
MOST_SKIPPED = 8
MOST_FIX = 16


class Printer:
    """Prints comments as they come, each once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._console = Console(highlight=False)
        self._printed: set[int] = set()

    def comment(self, one: Comment) -> None:
        """One comment: place, message, the line, evidence, fix."""
        self._printed.add(id(one.finding))
        finding = one.finding
        head = Text.assemble(
            (f"{finding.path}:{finding.line + 1}", "cyan"),
            "  ",
            (finding.severity, COLOURS[finding.severity]),
            (f"  {finding.rule}", "magenta"),
            (f"  {one.probability:.0%}", "dim"),
        )
        self._line(head)
        self._line(Text(f"  {finding.message}"), wrap=True)
        if one.why_hidden:
            self._line(Text(f"  hidden: {one.why_hidden}", "dim"))
        self._excerpt(finding)
        evidence = [one for one in finding.evidence if (one.path, one.line) != (finding.path, finding.line)]
        for seen in evidence[:MOST_EVIDENCE]:
            self._line(Text.assemble((f"    {seen.path}:{seen.line + 1}", "cyan"), (f"  {seen.text.strip()}", "dim")))
        if len(evidence) > MOST_EVIDENCE:
            self._line(Text(f"    and {len(evidence) - MOST_EVIDENCE} more", "dim"))
        self._fix(finding)
        self._console.print()
        sys.stdout.flush()

    def rest(self, review: Review, overview: str, everything: bool) -> None:
        """What has not been printed yet, then the summary."""
        for one in (*review.comments, *(review.hidden if everything else ())):
            if id(one.finding) not in self._printed:
                self.comment(one)
        self._line(Text(overview), wrap=True)
        if not review.changes.files and not review.skipped:
            self._line(Text("`sotto review HEAD^!` reviews the last commit, `sotto review main...` all of a branch.", "dim"))
            return
        count = len(review.comments)
        said = f"{count} comment{'' if count == 1 else 's'}" if count else "No comments"
        if review.hidden and not everything:
            said += f", {len(review.hidden)} more hidden (--all shows them)"
        if review.dismissed:
            said += f", {review.dismissed} dismissed before"
        self._line(Text(f"{said}.", "bold"))
        if everything:
            for left in review.skipped[:MOST_SKIPPED]:
                self._line(Text(f"  not reviewed: {left.path}: {left.why}", "dim"))
            if len(review.skipped) > MOST_SKIPPED:
                self._line(Text(f"  and {len(review.skipped) - MOST_SKIPPED} more", "dim"))

    def _excerpt(self, finding: Finding) -> None:
        text = self._project.read(finding.path)
        shown = lines(text) if text is not None else []
        for number in range(finding.line, min(finding.line + 2, finding.end_line + 1)):
            if number < len(shown):
                self._line(Text.assemble((f"  {number + 1:>5} ", "dim"), ("│ ", "dim"), shown[number].expandtabs(4)))

    def _fix(self, finding: Finding) -> None:
        for path, edits in by_path(finding.fix).items():
            text = self._project.read(path)
            diff = small_diff(text, edits) if text is not None else []
            if diff:
                self._line(Text(f"  fix{'' if path == finding.path else f' in {path}'}:", "dim"))
            for line in diff[:MOST_FIX]:
                self._line(Text(f"    {line}", "red" if line.startswith("-") else "green"))
            if len(diff) > MOST_FIX:
                self._line(Text(f"    and {len(diff) - MOST_FIX} more lines", "dim"))

    def _line(self, text: Text, wrap: bool = False) -> None:
        text.no_wrap = not wrap and self._console.is_terminal
        text.overflow = "ellipsis" if text.no_wrap else "fold"
        self._console.print(text, soft_wrap=not self._console.is_terminal)
