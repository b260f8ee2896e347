"""What follows an acceptance, made ready while the user still looks at the suggestion.

Knows the text that the document will have; whether it comes to that is the caller's news.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Generic, TypeVar

from assistant.cancel import Cancel
from assistant.next_edit.place import Edit, smallest
from assistant.next_edit.types import Change, Document, Scene

T = TypeVar("T")


PAUSE_S = 0.1
"""Nobody takes a suggestion sooner; while keys are pressed, one follows the other faster, and most of this work is spared."""


class Ahead(Generic[T]):
    """``work`` begins after a moment, or once the document has arrived, in a task of its own. ``document`` is how the text will
    be, of whatever version.
    """

    def __init__(self, document: Document, work: Callable[[Cancel], Coroutine[Any, Any, T]], purpose: object = None) -> None:
        """``purpose``: what kind of question it will answer."""
        self.document, self.purpose = document, purpose
        self.has_arrived = False
        self._cancel = Cancel()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[T] = asyncio.get_running_loop().create_task(self._run(work))
        self._task.add_done_callback(_quiet)

    def arrives(self, document: Document) -> bool:
        """A document has changed: whether it is now as expected. Any other change makes this work worthless."""
        came = not self.has_arrived and document.uri == self.document.uri and document.text == self.document.text
        self.has_arrived = came
        if came:
            self.document = document
            self._hurry.set()
        return came

    async def result(self, seconds: float) -> T | None:
        """What was found; ``None`` if it is not there in time, or failed."""
        await asyncio.wait([self._task], timeout=seconds)
        if not self._task.done() or self._task.cancelled() or self._task.exception() is not None:
            return None
        return self._task.result()

    async def _run(self, work: Callable[[Cancel], Coroutine[Any, Any, T]]) -> T:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), PAUSE_S)
        return await work(self._cancel)

    def stop(self) -> None:
        self._cancel.set()
        self._task.cancel()


def after(scene: Scene, document: Document, edit: Edit, at: float) -> tuple[Document, Scene]:
    """The document once the edit is taken, and the scene then: the cursor behind the new text, the change in the history."""
    core = smallest(edit, document.text)
    removed = document.text[core.start : core.end]
    change = Change(document.uri, document.text, core.start, removed, core.text, at, accepted=True)
    made = replace(document, text=edit.apply(document.text))
    others = tuple(one for one in (scene.document, *scene.others) if one.uri != document.uri)
    offset = edit.start + len(edit.text)
    return made, Scene(made, offset, others, (*scene.changes, change), scene.files)


def _quiet(task: asyncio.Task[Any]) -> None:
    """A failure is told to whoever asks for the result; nobody may."""
    if not task.cancelled():
        task.exception()
