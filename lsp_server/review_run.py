"""One review in the server: read what changed, run the rules in a thread, tell of comments as they are found.

Takes open documents as they are when it begins. Knows git, index and rules; nothing of the editor, nor of what becomes of a
comment.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from assistant.cancel import Cancel
from assistant.review import changes as change_sets
from assistant.review import report
from assistant.review.dismissed import Memory
from assistant.review.git import Git
from assistant.review.instructed.advise import advise
from assistant.review.linter_runs import run as run_linters
from assistant.review.overview import overview
from assistant.review.project import IndexProject, TreeProject
from assistant.review.rank import Comment
from assistant.review.rules import ALL
from assistant.review.service import Review, Reviewer
from assistant.review.types import ChangeSet, Project
from assistant.types import JsonObject, TextModel
from assistant.workspace.index import WorkspaceIndex

BUDGET_S = 15.0


@dataclass(frozen=True)
class Order:
    """What is to be reviewed: the repository around ``folder``, or one file of it; ``what`` and ``staged`` as on a command
    line. ``buffers`` are open documents by their real paths.
    """

    folder: str
    path: str | None = None
    what: str = ""
    staged: bool = False
    linters: tuple[str, ...] = ()
    buffers: Mapping[str, str] = field(default_factory=dict)


class ReviewRun:
    """`begin` in a thread, then `finish` and `report`. ``tell`` hears of comments in that thread."""

    def __init__(
        self, order: Order, memory: Memory, excluded: Callable[[str], str | None], index: WorkspaceIndex | None
    ) -> None:
        self.cancel = Cancel()
        self.order = order
        self.reviewer: Reviewer
        self.root = ""
        self._memory, self._excluded, self._index = memory, excluded, index
        self._project: Project

    def begin(self, tell: Callable[[Comment], None]) -> None:
        """Find. Raises `GitError`, and `Cancelled` once another review has taken this one's place."""
        order = self.order
        git = Git.around(order.folder)
        self.root = git.root
        where = change_sets.scope(git, order.what, order.staged)
        buffers = {inside: text for path, text in order.buffers.items() if (inside := self.inside(path)) is not None}
        only = None if order.path is None else [self.inside(order.path) or ""]
        self.cancel.check()
        changes = change_sets.read(git, where, buffers, self._why_excluded, only)
        self.cancel.check()
        self._project = self._around(git, where, changes)
        linted, _ = run_linters(order.linters, changes)
        self.reviewer = Reviewer(changes, self._project, ALL, self._memory, self.cancel, linted, budget_s=BUDGET_S)
        for comment in self.reviewer.stream():
            tell(comment)

    async def advised(self, model: TextModel) -> None:
        """What the user's own model adds, to be chosen from by the next `finish`."""
        self.reviewer.add([one async for one in advise(self.reviewer.changes, self._project, model, self.cancel)])

    def finish(self, features: Mapping[int, Mapping[str, float]]) -> Review:
        """Choose among what is left."""
        return self.reviewer.finish(features)

    def report(self, review: Review) -> JsonObject:
        """The same JSON as `sotto review --format json`."""
        said = overview(review.changes, self._project, review.skipped)
        return report.to_json(review, said, report.texts(review, self._project))

    def inside(self, path: str) -> str | None:
        """A real path as the review names it."""
        folder = os.path.realpath(self.root).rstrip(os.sep) + os.sep
        return path[len(folder) :].replace(os.sep, "/") if path.startswith(folder) else None

    def place(self, path: str) -> str:
        """The real path of one that the review names."""
        return os.path.join(os.path.realpath(self.root), *path.split("/"))

    def named(self, path: str) -> str:
        """A path that a checkout which moves keeps: from the repository's own name on."""
        return f"{os.path.basename(self.root)}/{path}"

    def _why_excluded(self, path: str) -> str | None:
        return self._excluded(self.place(path))

    def _around(self, git: Git, where: change_sets.Scope, changes: ChangeSet) -> Project:
        index, root = self._index, os.path.realpath(git.root)
        covered = index is not None and any(root == one or root.startswith(one.rstrip(os.sep) + os.sep) for one in index.roots)
        if index is not None and covered and where.side == "disk":
            return IndexProject(index, root, changes)
        project = TreeProject(git, where, changes, self._why_excluded)
        if any(one.hunks for one in changes.files):
            threading.Thread(target=project.load, daemon=True).start()  # git and the disk answer while the first file is read
        return project
