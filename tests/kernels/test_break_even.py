"""No policy is on where it is slower than dense: what was measured decides, and the reason can be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from kernels import dispatch
from kernels.bench import break_even
from kernels.bench.break_even import NOT_FOR_SPEED, breaks_even
from kernels.policies import oracle
from kernels.policies.base import NEVER, Problem
from kernels.policies.registry import CALIBRATED, POLICIES, make

CHOOSING = sorted(POLICIES.keys() - set(NOT_FOR_SPEED))


@pytest.fixture
def frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Numbers of a machine on which every policy pays from 6 000 keys on: beyond their budgets."""
    dispatch.freeze("cpu", {"break_even": dict.fromkeys(CHOOSING, 6000)}, tmp_path)
    monkeypatch.setattr(dispatch, "CONFIGS", tmp_path)
    dispatch.break_even.cache_clear()
    yield
    dispatch.break_even.cache_clear()


def _options(name: str) -> dict[str, Any]:
    return {"full": (True, False)} if name in CALIBRATED else {}


def _problem(keys: int) -> Problem:
    generator = torch.Generator().manual_seed(0)
    return Problem(torch.randn(4, 1, 32, generator=generator), *torch.randn(2, 2, keys, 32, generator=generator))


def test_the_length_from_which_on_it_always_won() -> None:
    assert breaks_even({1000: [0.8, 0.7], 2000: [1.2, 0.9], 3000: [1.5, 1.4], 4000: [2.0, 1.6]}) == 3000
    assert breaks_even({1000: [1.5], 2000: [0.9], 3000: [1.5]}) == 3000  # one win below does not count
    assert breaks_even({1000: [1.5], 2000: [1.01]}) == NEVER  # nor does a win within the clock's noise
    assert breaks_even({1000: [1.5], 2000: [1.6]}) == 1000


def test_who_is_slower_at_reading_a_prompt_is_not_on_and_who_is_at_writing_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writing = {"duo": 0.5, "block_select": 0.5, "hip": 3.0}
    asked: list[set[str]] = []

    def steps(length: int, dtype: torch.dtype, rounds: int, names: Sequence[str]) -> dict[str, float]:
        return {"dense": 1.0, **{name: writing.get(name, 2.0) for name in names}}

    def prompts(length: int, dtype: torch.dtype, rounds: int, names: Sequence[str]) -> dict[str, float]:
        asked.append(set(names))
        return {"dense": 1.0, "duo": 0.5, "block_select": 0.5 if length > 2000 else 1.5}

    monkeypatch.setattr(break_even, "_steps", steps)
    monkeypatch.setattr(break_even, "_prompts", prompts)
    found = break_even.measured(lambda text: None, (1000, 2000, 3000), 3)
    assert (found["duo"], found["block_select"], found["hip"]) == (1000, 3000, NEVER)
    assert asked[0] == {"duo", "block_select"}


def test_races_are_run_over_keys_that_were_read_before() -> None:
    """The real ones, at a toy length: every contender answers."""
    for race in (break_even._steps, break_even._prompts):
        times = race(600, torch.float32, 1, ["sink_window", "block_select"])
        assert set(times) == {"dense", "sink_window", "block_select"}
        assert min(times.values()) > 0


def test_who_never_won_says_so() -> None:
    policy = POLICIES["hip"](least=NEVER)
    policy.attend(_problem(100))
    assert policy.reason == "never faster on CPUs: dense"


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("name", CHOOSING)
def test_below_its_break_even_a_policy_is_dense_and_says_so(name: str) -> None:
    policy = make(name, **_options(name))
    short, long = _problem(6000), _problem(6001)
    found = policy.attend(short)
    assert policy.reason == "positions below 6000: dense"
    assert policy.explain().tokens_read() == 6000
    torch.testing.assert_close(found.out, make("dense").attend(short).out)
    found = policy.attend(long)
    assert "dense" not in policy.reason
    assert policy.explain().tokens_read() < 6001
    torch.testing.assert_close(found.out.double(), oracle.answer(long, policy.explain()).out, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("name", CHOOSING)
def test_who_sets_the_length_is_obeyed(name: str) -> None:
    policy = make(name, least=0, **_options(name))
    policy.attend(_problem(6000))
    assert policy.reason != "positions below 6000: dense"
    assert policy.explain().tokens_read() < 6000


def test_every_policy_that_leaves_keys_out_was_measured() -> None:
    assert set(dispatch.break_even()) == set(CHOOSING)
