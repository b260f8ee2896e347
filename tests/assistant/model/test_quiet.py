"""Quiet times: when memory goes back, and when an engine without servers ends."""

from __future__ import annotations

import gc
import weakref

import numpy as np

from assistant.model.checkpoint import Checkpoint
from assistant.model.engine import Engine
from assistant.model.serving import loop
from assistant.model.serving.hub import Hub
from assistant.model.serving.quiet import Quiet
from assistant.types import GenerateRequest, Part


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_memory_goes_back_once_for_each_quiet_time() -> None:
    clock = Clock()
    quiet = Quiet(clock, release_s=300, linger_s=120)
    assert quiet.patience(is_used=True) is None  # nothing was computed yet
    quiet.asked()
    assert quiet.patience(is_used=True) == 300
    clock.now += 299
    assert not quiet.release()
    assert quiet.patience(is_used=True) == 1
    clock.now += 1
    assert quiet.release()
    assert not quiet.release()
    assert quiet.patience(is_used=True) is None
    quiet.asked()
    clock.now += 300
    assert quiet.release()


def test_an_engine_ends_when_no_server_came_for_long() -> None:
    clock = Clock()
    quiet = Quiet(clock, release_s=300, linger_s=120)
    clock.now += 100
    assert not quiet.is_over
    assert quiet.patience(is_used=False) == 20
    quiet.used()
    clock.now += 119
    assert not quiet.is_over
    clock.now += 1
    assert quiet.is_over
    assert quiet.patience(is_used=False) == 0


def test_what_is_released_is_free_and_the_next_answer_the_same(loaded: Checkpoint) -> None:
    engine = Engine(loaded)
    request = GenerateRequest((Part(text="def first(items):\n    ret"),), max_tokens=8, budget_ms=60_000)
    before = "".join(chunk.text for chunk in engine.generate(request))
    slots = [weakref.ref(engine.open(ids)) for ids in ([1, 2, 3], [4, 5, 6])]
    assert all(slot() is not None for slot in slots)
    loop.release(engine, Hub())
    gc.collect()
    assert [slot() for slot in slots] == [None, None]
    again = list(engine.generate(request))
    assert "".join(chunk.text for chunk in again) == before
    assert again[-1].reused_tokens == 0


def test_what_was_taught_stays(loaded: Checkpoint) -> None:
    engine = Engine(loaded)
    engine.caches.put("a.py", "value = compute(1)\n" * 20)
    while engine.caches.work():
        pass
    known = len(engine.caches.workspace)
    engine.caches.release()
    assert len(engine.caches.workspace) == known > 0
    assert np.isfinite(known)
