"""When policies that choose by the query choose anew: as soon as the query turns, and not before; alone and in a prompt."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kernels.attention import compiled
from kernels.policies import oracle
from kernels.policies.base import Problem
from kernels.policies.registry import make
from kernels.policies.selecting import Selecting

H, KV, D, N = 4, 2, 32, 300
FIRST, TURNS, NEEDLE = 280, 290, 100
OPTIONS: dict[str, dict[str, Any]] = {
    "block_select": {"blocks": 3, "block": 8, "parts": 2},
    "token_select": {"tokens": 20},
    "hip": {"stages": ((16, 64), (4, 24))},
}


def _policy(name: str, **options: Any) -> Selecting:
    policy = make(name, **{"least": 0, "sink": 4, "window": 20, "refresh": 16, **OPTIONS[name], **options})
    assert isinstance(policy, Selecting)
    return policy


def _turning(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries look one way, from row `TURNS` on another, where keys from `NEEDLE` on answer; other keys answer neither."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(H, N, D, generator=generator, dtype=torch.float64)
    k, v = torch.randn(2, KV, N, D, generator=generator, dtype=torch.float64)
    noise[:, :, :2], k[:, :, :2] = 0.0, 0.0
    q = 0.02 * noise
    q[:, :TURNS, 0], q[:, TURNS:, 1] = 2.0, 2.0
    k[:, 40:44, 0], k[:, NEEDLE : NEEDLE + 4, 1] = 30.0, 30.0
    return q.to(dtype), k.to(dtype), v.to(dtype)


def _rows(first: int, end: int, dtype: torch.dtype = torch.float64) -> Problem:
    q, k, v = _turning(dtype)
    return Problem(q[:, first:end], k[:, :end], v[:, :end])


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("chunk", [1, 3, 20])
def test_a_query_that_turns_chooses_anew_and_sees_what_it_looks_for(name: str, chunk: int) -> None:
    policy, seen = _policy(name), []
    for row in range(FIRST, N, chunk):
        policy.attend(_rows(row, min(row + chunk, N)))
        explained = policy.explain().seen
        seen += [bool(explained[:, t, NEEDLE].all()) for t in range(explained.shape[1])]
    assert [choice.position for choice in policy._choices] == [FIRST, TURNS]
    assert seen[TURNS - FIRST : N - FIRST] == [True] * (N - TURNS)
    assert not seen[0]


@pytest.mark.parametrize("name", OPTIONS)
def test_queries_that_stay_alike_use_a_choice_for_as_long_as_it_may_last(name: str) -> None:
    policy = _policy(name, refresh=6)
    for row in range(270, TURNS):
        policy.attend(_rows(row, row + 1))
    assert [choice.position for choice in policy._choices] == [270, 276, 282, 288]
    every = _policy(name, refresh=6, alike=1.1)
    every.attend(_rows(270, TURNS))
    assert [choice.position for choice in every._choices] == list(range(274, TURNS))  # the newest sixteen


@pytest.mark.parametrize("name", OPTIONS)
def test_a_choice_that_was_taken_back_is_made_again(name: str) -> None:
    policy, honest = _policy(name), _policy(name)
    policy.attend(_rows(FIRST, N))
    policy.crop(TURNS + 2)
    honest.attend(_rows(FIRST, TURNS + 2))
    for row in range(TURNS + 2, N):
        torch.testing.assert_close(policy.attend(_rows(row, row + 1)).out, honest.attend(_rows(row, row + 1)).out)
    assert [choice.position for choice in policy._choices] == [choice.position for choice in honest._choices]


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("alike", [0.9, 1.1])
def test_rows_of_a_prompt_are_read_in_place_as_alone(name: str, alike: float) -> None:
    """In single precision compiled code answers rows whose lists serve few of them; to the last bit as one at a time."""
    if not compiled.compile_now():
        pytest.skip("numba cannot compile here: a CPU that does not convert half precision, or no folder for the code")
    with torch.inference_mode():
        policy, alone = _policy(name, alike=alike), _policy(name, alike=alike)
        problem = _rows(TURNS - 4, TURNS + 4, torch.float32)
        found = policy.attend(problem)
        exact = oracle.answer(problem, policy.explain())
        torch.testing.assert_close(found.out.double(), exact.out, rtol=1e-4, atol=1e-4)
        single = [alone.attend(_rows(row, row + 1, torch.float32)) for row in range(TURNS - 4, TURNS + 4)]
        assert torch.equal(torch.cat([one.out for one in single], dim=1), found.out)
        assert torch.equal(torch.cat([one.lse for one in single], dim=1), found.lse)


@pytest.mark.parametrize("name", OPTIONS)
def test_where_nobody_waits_for_a_comparison_every_query_chooses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU."""
    policy, every = _policy(name, alike=0.9), _policy(name, alike=1.1)
    monkeypatch.setattr(policy, "_compares", lambda q: False)
    problem = _rows(FIRST, N)
    torch.testing.assert_close(policy.attend(problem).out, every.attend(problem).out, rtol=0, atol=0)
    assert torch.equal(policy.explain().seen, every.explain().seen)
