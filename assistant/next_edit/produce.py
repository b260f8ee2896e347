"""Where candidates come from: the rules, in their thread, the model, and completion at the cursor, side by side, until a
deadline; then the model's judgement of all of them.

What is late is left out. Knows no ranking; nothing here raises but for cancellation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from assistant.cancel import Cancel
from assistant.next_edit import patterns
from assistant.next_edit.locate import EditModel, Judgement
from assistant.next_edit.patterns import Trees
from assistant.next_edit.types import Candidate, Scene

log = logging.getLogger("sotto.next_edit")


@dataclass(frozen=True)
class Limits:
    """Seconds: for finding candidates, for what a producer may still say when told to stop, for judging them."""

    produce_s: float = 0.14
    grace_s: float = 0.02
    judge_s: float = 0.12


class Run(Protocol):
    """Runs a function in the one thread that parses; the trees belong to it."""

    def __call__(self, job: Callable[[], Any], /) -> Awaitable[Any]:
        """Its result, or what it raises."""


Ask = Callable[[Cancel], Awaitable[list[Candidate]]]


async def produce(
    scene: Scene, trees: Trees, others: Sequence[Ask], run: Run, limits: Limits, cancel: Cancel
) -> list[Candidate]:
    """The rules' candidates, then those of the others, in their order."""
    stop = Cancel()
    unsubscribe = cancel.subscribe(stop.set)
    rules: Awaitable[list[Candidate]] = run(lambda: patterns.propose(scene, stop, trees))
    tasks = [asyncio.ensure_future(work) for work in (rules, *(ask(stop) for ask in others))]
    try:
        _, late = await asyncio.wait(tasks, timeout=limits.produce_s)
        stop.set()
        if late:
            await asyncio.wait(late, timeout=limits.grace_s)
        return [candidate for task in tasks for candidate in _said(task)]
    finally:
        unsubscribe()
        stop.set()
        for task in tasks:
            task.cancel()


async def judge(
    scene: Scene, candidates: Sequence[Candidate], model: EditModel | None, limits: Limits, cancel: Cancel
) -> list[Judgement | None]:
    """One judgement for each candidate, ``None`` where there is none in time."""
    if model is None or not candidates:
        return [None] * len(candidates)
    stop = Cancel()
    unsubscribe = cancel.subscribe(stop.set)
    task = asyncio.ensure_future(model.score(scene, candidates, stop))
    try:
        _, late = await asyncio.wait([task], timeout=limits.judge_s)
        stop.set()
        if late:
            await asyncio.wait(late, timeout=limits.grace_s)
        said = _said(task)
        return said if len(said) == len(candidates) else [None] * len(candidates)
    finally:
        unsubscribe()
        stop.set()
        task.cancel()


def _said(task: asyncio.Future[list[Any]]) -> list[Any]:
    if not task.done() or task.cancelled():
        return []
    error = task.exception()
    if error is not None:
        log.error("a producer of next edits failed", exc_info=error)
        return []
    return task.result()
