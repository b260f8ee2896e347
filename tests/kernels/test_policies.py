"""Policies by their rules: dense under the mask they explain, chunks do not matter, a row alone is a row in a crowd,
rollback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from kernels.attention import reference
from kernels.attention.spec import Answer, Heads, Spec
from kernels.policies import oracle
from kernels.policies.base import Policy, Problem
from kernels.policies.block_select import BlockSelect
from kernels.policies.registry import POLICIES, make

H, KV, D, N = 4, 2, 16, 150
SMALL: dict[str, dict[str, Any]] = {
    "dense": {},
    "sink_window": {"sink": 3, "window": 20},
    "duo": {"full": (True, False), "sink": 3, "window": 20},
    "razor": {"full": (False, True), "sink": 3, "window": 20},
    "block_select": {
        "sink": 3,
        "window": 20,
        "blocks": 3,
        "block": 8,
        "parts": 1,
        "summary": "mean",
        "refresh": 4,
        "alike": 0.3,
    },
    "token_select": {"sink": 3, "window": 20, "tokens": 17, "refresh": 5, "alike": 0.3},
    "hip": {"sink": 3, "window": 20, "stages": ((16, 64), (4, 24), (2, 12)), "refresh": 4, "alike": 0.3},
    "act": {"stretch": 16, "every": 2, "most": 0.02},
}
MORE: list[tuple[str, dict[str, Any]]] = [
    ("block_select", {"summary": "minmax"}),
    ("block_select", {"summary": "minmax", "parts": 2}),
    ("block_select", {"parts": 4}),
    ("block_select", {"parts": 2, "summary": "moments"}),
    ("block_select", {"summary": "middle", "refresh": 1}),
    ("token_select", {"per_head": False, "pool": 3}),
    ("token_select", {"alike": -1.0, "refresh": 16}),
    ("razor", {"compensate": False}),
    ("razor", {"full": (False, False), "sink": 0}),
    ("duo", {"full": (False, True), "sink": 0}),
    ("duo", {"least": 97}),
    ("razor", {"least": 41}),
    ("block_select", {"least": 63}),
    ("token_select", {"least": 70}),
    ("act", {"heads": (True, False), "share": 0.0}),
    ("act", {"least": 41, "most": 0.011}),
]
KINDS: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in POLICIES] + MORE


def _id(kind: tuple[str, dict[str, Any]]) -> str:
    return "-".join([kind[0], *(f"{name}={value}" for name, value in kind[1].items())])


@pytest.fixture(params=KINDS, ids=_id)
def fresh(request: pytest.FixtureRequest) -> Callable[[], Policy]:
    name, more = request.param
    return lambda: make(name, **{"least": 0, **SMALL[name], **more})


def _tensors(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(H, N, D, generator=generator, dtype=torch.float64)
    k, v = torch.randn(2, KV, N, D, generator=generator, dtype=torch.float64)
    # Queries drift as in text, so that some choices are used again and some are not.
    return (q + 3 * q[:, [0]] + torch.randn(1, N, 1, generator=generator).cumsum(dim=1) * 0.1), k, v


def _problem(first: int, end: int, base: Spec | None = None, seed: int = 0) -> Problem:
    q, k, v = _tensors(seed)
    return Problem(q[:, first:end], k[:, :end], v[:, :end], base or Spec())


def _close(got: Answer, expected: Answer) -> None:
    torch.testing.assert_close(got.out, expected.out, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(got.lse, expected.lse, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("rows", [(0, 1), (0, 90), (120, 137), (149, 150)], ids=str)
def test_it_is_dense_under_the_mask_it_explains(fresh: Callable[[], Policy], rows: tuple[int, int]) -> None:
    policy, problem = fresh(), _problem(*rows)
    _close(policy.attend(problem), oracle.answer(problem, policy.explain()))


def test_models_own_terms_hold(fresh: Callable[[], Policy]) -> None:
    sinks = torch.linspace(-1, 1, H, dtype=torch.float64)
    policy, problem = fresh(), _problem(100, 115, Spec(scale=0.3, softcap=4.0, sink_logit=sinks))
    _close(policy.attend(problem), oracle.answer(problem, policy.explain()))


def test_a_layer_with_a_window_of_its_own_keeps_it(fresh: Callable[[], Policy]) -> None:
    base = Spec(heads=Heads((False, False), 0, 11))
    problem = _problem(100, 115, base)
    _close(fresh().attend(problem), reference.attend(problem.q, problem.k, problem.v, base))


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_chunks_do_not_matter(fresh: Callable[[], Policy], chunk: int) -> None:
    whole = fresh().attend(_problem(0, N))
    policy = fresh()
    parts = [policy.attend(_problem(a, min(a + chunk, N))) for a in range(0, N, chunk)]
    _close(Answer(torch.cat([p.out for p in parts], 1), torch.cat([p.lse for p in parts], 1)), whole)


def test_a_rejected_draft_leaves_no_trace(fresh: Callable[[], Policy]) -> None:
    """Sixteen drafted rows are verified, five stand, the rest is written anew with other keys."""
    policy, honest = fresh(), fresh()
    policy.attend(_problem(0, 100))
    honest.attend(_problem(0, 105))
    q, k, v = _tensors(seed=1)
    real = _problem(100, 105)
    drafted = Problem(
        torch.cat((real.q, q[:, 105:116]), 1), torch.cat((real.k, k[:, 105:116]), 1), torch.cat((real.v, v[:, 105:116]), 1)
    )
    policy.attend(drafted)
    policy.crop(105)
    for row in range(105, 130):
        _close(policy.attend(_problem(row, row + 1)), honest.attend(_problem(row, row + 1)))


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "dense"])
def test_a_budget_above_the_length_is_dense(name: str) -> None:
    large: dict[str, dict[str, Any]] = {
        "sink_window": {"window": N},
        "duo": {"full": (True, True)},
        "razor": {"full": (False, False), "window": N},
        "block_select": {"blocks": 40, "block": 8, "sink": 0, "window": 8},
        "token_select": {"tokens": N, "sink": 0, "window": 1},
        "hip": {"stages": ((16, 512), (4, 512)), "sink": 0, "window": 16},
        "act": {"share": 1.0},
    }
    problem = _problem(130, N)
    policy = make(name, **{"least": 0, **SMALL[name], **large[name]})
    if name in ("block_select", "token_select", "hip"):
        policy.__class__ = type("NoShortCut", (policy.__class__,), {"budget": 0})  # the lists themselves must cover everything
    _close(policy.attend(problem), reference.attend(problem.q, problem.k, problem.v))
    assert bool((policy.explain().seen.sum(dim=2) == torch.arange(131, N + 1)).all())


def test_a_selection_looks_at_few_keys_and_finds_the_needle() -> None:
    q, k, v = _tensors()
    k = k * 0.1
    k[:, 77] = 4 * q[:, 149].view(KV, H // KV, D).mean(dim=1)  # what the last query is looking for
    for name in ("block_select", "token_select", "hip"):
        policy = make(name, **{"least": 0, **SMALL[name]})
        policy.attend(Problem(q[:, 149:], k, v))
        seen = policy.explain().seen
        assert bool(seen[:, 0, 77].all()), name
        assert policy.explain().tokens_read() < 60


def _needles(**options: Any) -> list[int]:
    """The blocks of 8 keys that a row at 149 chooses, whose first head looks for key 77 and whose second for no key more."""
    q = torch.zeros(2, 1, D, dtype=torch.float64)
    q[0, 0, 0], q[1, 0, 1] = 8.0, 8.0
    k = torch.zeros(1, N, D, dtype=torch.float64)
    k[0, :, 1] = 3.0 + 0.1 * torch.sin(torch.arange(N, dtype=torch.float64))
    k[0, 77, 0] = 16.0
    policy = BlockSelect(least=0, sink=0, window=8, blocks=1, block=8, parts=1, summary="mean", **options)
    policy.attend(Problem(q, k, k))
    rows = policy.explain().seen[0, 0].nonzero()[:, 0].tolist()
    return sorted({row // 8 for row in rows if row < 128})


def test_one_sure_head_outvotes_another_whose_scores_are_high_everywhere() -> None:
    assert _needles() == [77 // 8]
    scores = [(8 * 3.1, block) for block in range(16)]  # what the second head says of a block: more than the first of any
    assert max(scores)[0] > 8 * 16 / 8


def test_what_is_short_does_not_vanish_in_the_mean_of_its_block() -> None:
    """Block 3 is a little of what is looked for all over, block 9 holds it in one key: in eight parts the key decides."""
    q, k = torch.zeros(1, 1, D, dtype=torch.float64), torch.zeros(1, N, D, dtype=torch.float64)
    q[0, 0, 0], k[0, 24:32, 0], k[0, 77, 0] = 4.0, 3.0, 16.0
    for parts, chosen in ((1, 24), (8, 77)):
        policy = BlockSelect(least=0, sink=0, window=8, blocks=1, block=8, parts=parts, summary="mean")
        policy.attend(Problem(q, k, k))
        seen = policy.explain().seen[0, 0]
        assert [bool(seen[row]) for row in (24, 77)] == [chosen == 24, chosen == 77]
    with pytest.raises(ValueError, match="no 3 even parts"):
        BlockSelect(block=8, window=8, parts=3)


def test_keys_that_draw_too_much_are_calmed_and_the_first_is_not() -> None:
    """Keys 0, 9 and 20 of one key head get half of all weight; from the second stretch on 9 and 20 keep a tenth of theirs."""
    q, k, v = _tensors()
    direction = q[0].mean(dim=0)
    k = 0.1 * k
    k[0, [0, 9, 20]] = direction
    policy = make("act", stretch=32, every=4, most=0.1, share=0.1, least=0)
    policy.attend(Problem(q, k, v))
    calmed = policy.explain().calmed
    assert calmed is not None
    assert [calmed[0, t].nonzero()[:, 0].tolist() for t in (31, 32, 64, 149)] == [[], [9, 20], [9, 20], [9, 20]]
    assert not bool(calmed[1].any())
    assert "keep 0.1 of their weight" in policy.reason


def test_what_was_asked_is_taken_over_with_the_keys() -> None:
    honest, copy = make("act", least=0, **SMALL["act"]), make("act", least=0, **SMALL["act"])
    honest.attend(_problem(0, 100))
    copy.take_over(honest, 90)
    honest.crop(90)
    for row in range(90, 130):
        _close(copy.attend(_problem(row, row + 1)), honest.attend(_problem(row, row + 1)))
    assert copy.explain().calmed is not None


@pytest.mark.parametrize("name", POLICIES)
def test_holes_are_addressed_by_position(name: str) -> None:
    """An early exit left out every fifth token's keys in this layer: the rest answers as if those keys did not exist."""
    q, k, v = _tensors()
    kept = torch.tensor([t for t in range(N) if t % 5 != 2])
    problem = Problem(q[:, 140:], k[:, kept], v[:, kept], Spec(), torch.arange(140, N), kept)
    policy = make(name, **{"least": 0, **SMALL[name]})
    _close(policy.attend(problem), oracle.answer(problem, policy.explain()))
    full = Problem(q[:, 140:], k, v)
    if name in ("dense", "sink_window", "duo"):
        seen = policy.explain().seen
        policy.attend(full)
        assert torch.equal(seen, policy.explain().seen[:, :, kept])


def test_rows_out_of_order_are_answered_densely_and_it_says_so() -> None:
    q, k, v = _tensors()
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    for name in ("razor", "block_select", "token_select", "hip"):
        policy = make(name, **{"least": 0, **SMALL[name]})
        got = policy.attend(Problem(q[:, 140:], k[:, order], v[:, order], Spec(), torch.arange(140, N), order))
        _close(got, reference.attend(q[:, 140:], k, v))
        assert "not in order" in policy.explain().reason


def test_names_and_options_are_checked() -> None:
    with pytest.raises(ValueError, match="choose from dense"):
        make("fastest")
    with pytest.raises(ValueError, match="no option 'heads'"):
        make("duo", heads=2)
    with pytest.raises(ValueError, match="calibrate the model"):
        make("duo", least=0).attend(_problem(0, 5))
    with pytest.raises(ValueError, match="call attend first"):
        make("dense").explain()


def test_every_policy_runs_on_the_triton_kernel() -> None:
    pytest.importorskip("triton", reason="triton is not installed (pip install triton; Linux only)")
    for name in POLICIES:
        policy = make(name, **{"least": 0, **SMALL[name]})
        problem = _problem(90, 97)
        got = policy.attend(replace(problem), prefer="gpu")
        _close(got, oracle.answer(problem, policy.explain()))
