"""Reviews in an editor: one at a time; what they say stays on the right lines, goes when it is dealt with, and is recorded.

Knows documents by real paths; nothing of LSP messages. How a review is made stands in `review_run`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.cancel import Cancelled
from assistant.config import Config
from assistant.next_edit.answer import Step
from assistant.review.anchors import Pin
from assistant.types import JsonObject, TextModel
from lsp_server.background import Background
from lsp_server.buffers import Buffer
from lsp_server.comments import Comments, Live, pinned
from lsp_server.from_lsp import path_of
from lsp_server.review_model import ReviewModel

if TYPE_CHECKING:
    from assistant.review.dismissed import Memory
    from assistant.review.rank import Comment
    from assistant.review.service import Review
    from assistant.workspace.index import WorkspaceIndex
    from lsp_server.journal import Journal
    from lsp_server.review_run import ReviewRun

log = logging.getLogger("sotto.review")

SETTLE_S = 1.5
"""A fix shows as an edit first and as a command a moment later: so long an end is held back to learn which it was."""
OFF = "Reviews are switched off (setting `review`)."
COUNTED = {"accepted": "applied", "resolved": "fixed", "rejected": "dismissed", "ignored": "ignored"}


class Reviews:
    """One client's reviews. Make it and call it inside the event loop.

    ``show`` hears of documents whose comments are other ones or elsewhere. ``folder`` names the one to review when nobody says;
    ``index`` is the workspace's, once it has seen every file.
    """

    def __init__(
        self,
        data_dir: Path | None,
        config: Config,
        *,
        show: Callable[[str], None],
        warn: Callable[[str], None],
        folder: Callable[[], str | None],
        index: Callable[[], WorkspaceIndex | None],
        model: Callable[[], TextModel | None],
        journal: Callable[[], Journal],
        excluded: Callable[[str], str | None],
        new_id: Callable[[], str],
    ) -> None:
        self.comments = Comments()
        self._data_dir, self._show, self._warn = data_dir, show, warn
        self._folder, self._index, self._model = folder, index, model
        self.own = ReviewModel(config, warn)
        self._journal, self._excluded, self._new_id = journal, excluded, new_id
        self._config = config
        self._open: dict[str, Buffer] = {}
        self._ending: dict[str, tuple[float, Live]] = {}
        self._run: ReviewRun | None = None
        self._edits: list[tuple[str, str, int, int, str]] = []
        self._found: set[str] = set()
        self._kept: Memory | None = None
        self._made: Background | None = None

    # Documents

    def buffer(self, path: str) -> Buffer | None:
        """The open document at a path."""
        return self._open.get(path)

    def opened(self, buffer: Buffer) -> None:
        """A document was opened, or is now as ``buffer`` says."""
        path = real(buffer.uri)
        if path is None:
            return
        is_new = path not in self._open
        self._open[path] = buffer
        if self.comments.of(path):
            self._gone(self.comments.became(path, buffer.text))
            if is_new:
                self._show(path)

    def changed(self, buffer: Buffer, steps: Iterable[Step]) -> None:
        """An open document became ``buffer`` in these steps."""
        path = real(buffer.uri)
        if path is None:
            return
        self._open[path] = buffer
        had = bool(self.comments.of(path))
        for step in steps:
            new = step.after[step.start : step.end + len(step.after) - len(step.before)]
            if self._run is not None:
                self._edits.append((path, step.before, step.start, step.end, new))
            self._gone(self.comments.edited(path, step.before, step.start, step.end, new))
        if had:
            self._show(path)

    def closed(self, uri: str) -> None:
        """The document is what its file says from now on."""
        path = real(uri)
        if path is None or self._open.pop(path, None) is None or not self.comments.of(path):
            return
        try:
            text = Path(path).read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            text = ""
        self._gone(self.comments.became(path, text))
        self._show(path)

    # Reviews

    def configure(self, config: Config) -> None:
        """Settings in force; switched off, nothing stays on the screen."""
        self._config = config
        self.own.configure(config)
        if config.review == "off":
            for live in self.comments:
                self.comments.drop(live.id)
                self._show(live.path)

    async def saved(self, uri: str) -> None:
        """A document was written; it is reviewed where the setting says so."""
        if self._config.review == "save":
            await self.review(uri, automatic=True)

    async def review(self, uri: str = "", what: str = "", staged: bool = False, automatic: bool = False) -> JsonObject:
        """Review one document, or with an empty ``uri`` the repository; the report as JSON.

        What cannot be reviewed, and a review that another one overtook, is a sentence in ``problem``.
        """
        from assistant.review.git import GitError
        from lsp_server.review_run import Order, ReviewRun

        path = real(uri) if uri else None
        folder = os.path.dirname(path) if path else None if uri else self._folder()
        if self._config.review == "off" or folder is None:
            return nothing(OFF if self._config.review == "off" else "There is no file and no folder on disk to review.")
        if self._run is not None:
            self._run.cancel.set()
        buffers = {one: buffer.text for one, buffer in self._open.items()}
        order = Order(folder, path, what, staged, self._config.review_linters, buffers)
        run = self._run = ReviewRun(order, self.memory, self._excluded, self._index())
        self._edits, self._found = [], set()
        try:
            return await self._reviewed(run, automatic)
        except Cancelled:
            return nothing("A newer review has overtaken this one.")
        except GitError as error:
            if not automatic:
                self._warn(f"Sotto: {error}.")
            return nothing(f"{error}.")
        except Exception:  # a mistake of ours about one change must not cost the editor more than this answer
            log.exception("a review failed")
            return nothing("The review failed; the server's log says why.")
        finally:
            run.cancel.set()
            self._run = None if self._run is run else self._run

    async def _reviewed(self, run: ReviewRun, automatic: bool) -> JsonObject:
        from assistant.review.natural import opinions

        def tell(comment: Comment) -> None:
            self._work.tell(self._add, run, comment, automatic)

        await self._work.run(lambda: run.begin(tell))
        run.cancel.check()
        features = await opinions(
            run.reviewer.waiting, run.reviewer.text, self._model(), run.cancel, doubts=run.reviewer.doubts
        )
        run.cancel.check()
        review = self._finished(run, features, automatic)
        own = await self.own.ready()
        if own is not None:
            await run.advised(own)
            run.cancel.check()
            review = self._finished(run, {}, automatic)
        self._replace(run, review)
        for comment in review.hidden:
            self._journal().commented("", comment, run.named(comment.finding.path), automatic)
        return await self._work.run(lambda: run.report(review))

    def _finished(self, run: ReviewRun, features: Mapping[int, Mapping[str, float]], automatic: bool) -> Review:
        review = run.finish(features)
        for comment in review.comments:
            self._add(run, comment, automatic)
        return review

    def _add(self, run: ReviewRun, comment: Comment, automatic: bool) -> None:
        """Show a comment of the review under way, where its lines are by now; once."""
        text = run.reviewer.text(comment.finding.path)
        if run is not self._run or run.cancel.is_set() or text is None:
            return
        live = pinned("", self.memory.key(comment.finding, text), comment, run.place, run.reviewer.text)
        for path, before, start, end, new in self._edits:
            live = live.after(path, before, start, end, new) if live is not None else None
        if live is None:
            return
        known = self.comments.like(live)
        live = replace(live, id=known.id if known is not None else self._new_id())
        if live.id in self._found:
            return
        self._found.add(live.id)
        self._gone(self.comments.put(live, self._texts(live, run)))
        if known is None:
            self._journal().commented(live.id, comment, run.named(comment.finding.path), automatic)
        self._show(live.path)

    def _texts(self, live: Live, run: ReviewRun) -> dict[str, str]:
        """The texts that a comment's pins are in: open documents as they are now, the others as they were reviewed."""
        found = {}
        finding = live.comment.finding
        for path in {finding.path, *(e.path for e in finding.evidence), *(e.path for e in finding.fix)}:
            buffer = self._open.get(run.place(path))
            text = buffer.text if buffer is not None else run.reviewer.text(path)
            if text is not None:
                found[run.place(path)] = text
        return found

    def _replace(self, run: ReviewRun, review: Review) -> None:
        """Comments of earlier reviews that this one does not make any more go; those that it only hides are not resolved."""
        hidden = {(run.place(one.finding.path), one.finding.rule) for one in review.hidden}
        for live in self.comments:
            concerned = live.path == run.order.path if run.order.path is not None else run.inside(live.path) is not None
            if concerned and live.id not in self._found:
                self.comments.drop(live.id)
                if (live.path, live.comment.finding.rule) not in hidden:
                    self._end(live, "resolved", "inferred")
                self._show(live.path)

    # What becomes of comments

    def applied(self, id: str) -> None:
        """The fix of a comment was taken."""
        held = self._ending.pop(id, None)
        live = held[1] if held is not None else self.comments.drop(id)
        if live is not None:
            self._end(live, "accepted", "command")
            self._show(live.path)

    def dismiss(self, id: str, whole_rule: bool = False) -> None:
        """The user does not want this comment, or none of its rule in this file, ever again."""
        live = self.comments.drop(id)
        if live is None:
            return
        finding = live.comment.finding
        self._forget(live, live.path, live.pin, finding.path)
        for seen in live.evidence:  # it may be another place of the same matter
            self._forget(live, seen.path, seen.pin, seen.name)
        self._end(live, "rejected", "command")
        if whole_rule:
            self.memory.dismiss_rule(finding.rule, finding.path)
            for other in self.comments.of(live.path):
                if other.comment.finding.rule == finding.rule:
                    self.comments.drop(other.id)
        if self.memory.problem:
            self._warn(f"Sotto: {self.memory.problem}.")
        self._show(live.path)

    def tick(self) -> None:
        """Call about once a second: ends that were held back long enough."""
        now = asyncio.get_running_loop().time()
        for id, (until, live) in list(self._ending.items()):
            if now >= until:
                del self._ending[id]
                self._end(live, "resolved", "inferred")

    def close(self) -> None:
        """The session ends: what stands there was not heeded."""
        if self._run is not None:
            self._run.cancel.set()
        for _, live in self._ending.values():
            self._end(live, "resolved", "inferred")
        for live in self.comments:
            self._end(live, "ignored", "inferred")
        if self._made is not None:
            self._made.end()

    @property
    def memory(self) -> Memory:
        """What the user refused before; read at its first use."""
        if self._kept is None:
            from assistant.review.dismissed import Memory

            self._kept = Memory(self._data_dir)
        return self._kept

    @property
    def _work(self) -> Background:
        if self._made is None:
            self._made = Background("sotto-review")
        return self._made

    def _forget(self, live: Live, place: str, pin: Pin, path: str) -> None:
        text = self.comments.text(place)
        if text is not None:
            self.memory.dismiss(replace(live.comment.finding, path=path, line=text.count("\n", 0, pin.start)), text)

    def _gone(self, some: Iterable[Live]) -> None:
        until = asyncio.get_running_loop().time() + SETTLE_S
        self._ending.update({live.id: (until, live) for live in some})

    def _end(self, live: Live, kind: str, how: str) -> None:
        """For the record, and for the history of its rule."""
        self.memory.count(live.comment.finding.rule, COUNTED[kind])
        self._journal().comment_ended(live.id, kind, how)


def real(uri: str) -> str | None:
    """The real path of a document on disk."""
    path = path_of(uri)
    return os.path.realpath(path) if path is not None and os.path.isabs(path) else None


def nothing(problem: str) -> JsonObject:
    """The report of a review that could not be made."""
    return {"comments": [], "hidden": 0, "overview": problem, "problem": problem, "skipped": []}
