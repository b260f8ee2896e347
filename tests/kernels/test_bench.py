"""The bench's own rules: who is wrong is not timed, contenders take turns, a step that chooses counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from kernels.attention.spec import Answer
from kernels.bench import on_cpu
from kernels.bench.measure import Skipped, judge, race
from kernels.policies.streaming import Duo


def test_rounding_is_right_and_garbage_is_not() -> None:
    exact = torch.randn(100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert judge(exact.float(), exact).right
    assert judge(exact.bfloat16(), exact).right
    assert not judge((exact * 1.001).float(), exact).right
    assert not judge(exact.float().index_fill(0, torch.tensor([3]), float("nan")), exact).right


def test_a_wrong_kernel_gets_a_reason_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Duo.compute

    def off(*given: Any) -> Answer:
        found = compute(*given)
        return Answer(found.out * 1.5, found.lse)

    monkeypatch.setattr(Duo, "compute", off)
    found = {row.policy: row for row in on_cpu.decode(4500, torch.float32, 1, lambda _: None)}
    assert isinstance(found["duo"], Skipped)
    assert "no speed is given" in found["duo"].reason
    assert not isinstance(found["dense"], Skipped)


def test_everyone_does_a_step_before_anyone_does_the_next() -> None:
    calls: list[tuple[str, int]] = []
    starts: list[int] = []

    def note(name: str, step: int) -> None:
        calls.append((name, step))

    contenders: dict[str, Callable[[int], Any]] = {name: partial(note, name) for name in "abc"}
    times = race(contenders, [1, 2], 4, lambda: starts.append(len(calls)))
    assert set(times) == {"a", "b", "c"}
    assert starts == [0, 6, 12, 18, 24]  # four rounds and one that is not counted
    turns = [calls[i : i + 3] for i in range(0, 30, 3)]
    assert all({name for name, _ in turn} == {"a", "b", "c"} and len({step for _, step in turn}) == 1 for turn in turns)
    assert len({tuple(name for name, _ in turn) for turn in turns}) > 1  # and not always in the same order
