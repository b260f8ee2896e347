"""The compiled attention of few rows against the reference: all cases it takes, ragged lists, threads, unread garbage."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels.attention import compiled, cpu, reference
from kernels.attention.spec import DENSE, Blocks, Heads, Spec
from kernels.quantize import reference as levels
from tests.kernels.cases import CASES, Case, make


@pytest.fixture(scope="module", autouse=True)
def code() -> None:
    if not compiled.compile_now():
        pytest.skip("numba cannot compile here: a CPU that does not convert half precision, or no folder for the code")


def _wide(case: Case) -> Case:
    """The same with a head that fills vectors, where its own does not."""
    return case if case.size % 32 == 0 else Case(**{**vars(case), "size": 64})


FITTING = [
    _wide(case) for case in CASES if not (case.bias or case.softcap or case.holes or case.lengths) and case.queries <= 16
]
FITTING_HOLES = [_wide(case) for case in CASES if case.holes and case.queries == 1]
TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 1.6e-2}


def _equal(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int) -> None:
    """The answer is the reference's; in bfloat16 the sums are float32's, so one rounding at the end is all the difference."""
    found = compiled.attend(q, k, v, spec, start)
    assert found is not None
    exact = reference.attend(q.double(), k.double(), v.double(), spec, torch.arange(start, start + q.shape[1]))
    tolerance = TOLERANCE[q.dtype]
    torch.testing.assert_close(found.out.double(), exact.out, rtol=tolerance / 4, atol=tolerance / 4)
    torch.testing.assert_close(found.lse.double(), exact.lse, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("case", FITTING, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_case_it_takes_equals_the_reference(case: Case, dtype: torch.dtype) -> None:
    problem = make(case, dtype)
    if case.block and case.queries > 1:  # lists of several rows are torch's
        assert compiled.attend(problem.q, problem.k, problem.v, problem.spec, case.keys - case.queries) is None
        return
    without = Spec(problem.spec.scale, problem.spec.heads, problem.spec.blocks)
    _equal(problem.q, problem.k, problem.v, without, case.keys - case.queries)
    # The front door adds the sink logit.
    expected = reference.attend(problem.q.double(), problem.k.double(), problem.v.double(), problem.spec)
    found = cpu.attend(*problem.all)
    torch.testing.assert_close(found.out.double(), expected.out, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("group", range(1, 9))
def test_groups_head_sizes_rows_and_numbers_of_keys(group: int) -> None:
    generator = torch.Generator().manual_seed(group)
    for size, rows, keys in itertools.product((64, 96, 128, 256), (1, 3), (3, 16, 63, 130)):
        kv_heads = 1 + (size + keys) % 3
        q = torch.randn(kv_heads * group, rows, size, generator=generator)
        k, v = torch.randn(2, kv_heads, keys, size, generator=generator)
        _equal(q, k, v, DENSE, keys - rows)
        _equal(q, k, v, Spec(heads=Heads((True, False, False)[:kv_heads], 2, 7)), keys - rows)


@pytest.mark.parametrize("seed", range(6))
def test_ragged_lists_and_no_row_outside_them_is_read(seed: int) -> None:
    """Blocks of 1 to 64 rows, scattered and neighbouring; every row that the mask hides holds NaN."""
    generator = torch.Generator().manual_seed(seed)
    size, keys, kv_heads = (1, 3, 8, 16, 33, 64)[seed], 700, 2
    blocks = -(-keys // size)
    counts = torch.tensor([[min(blocks, 40), seed]])
    indices = torch.stack([torch.randperm(blocks, generator=generator)[: min(blocks, 40)] for _ in range(kv_heads)])[None]
    heads = Heads((False, False), 5, 9) if seed % 2 else None
    spec = Spec(heads=heads, blocks=Blocks(size, (0, 1), counts, indices))
    q, (k, v) = torch.randn(6, 1, 64, generator=generator), torch.randn(2, kv_heads, keys, 64, generator=generator)
    hidden = ~reference.visible(spec, kv_heads, torch.tensor([keys - 1]), torch.arange(keys))[:, 0]
    k[hidden] = v[hidden] = math.nan
    _equal(q, k, v, spec, keys - 1)


def test_strides_of_a_cache_and_of_transposed_queries() -> None:
    """Keys in a longer buffer, queries as a model's projection leaves them; what lies behind the newest row is garbage."""
    held = torch.full((2, 3, 900, 64), math.nan)
    held[:, :, :500] = torch.randn(2, 3, 500, 64, generator=torch.Generator().manual_seed(0))
    q = torch.randn(2, 6, 64, generator=torch.Generator().manual_seed(1)).transpose(0, 1)
    k, v = held[:, :, :500]
    _equal(q, k, v, DENSE, 498)
    _equal(q, k, v, DENSE, 300)  # a crop: the rows behind the queries are not theirs to see


@pytest.mark.parametrize("spec", [DENSE, Spec(heads=Heads((True, False), 64, 300)), Spec(heads=Heads((False, False), 0, 4000))])
def test_threads_share_the_keys_and_the_answer_stays(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    q, (k, v) = torch.randn(12, 2, 64, generator=generator), torch.randn(2, 2, 5001, 64, generator=generator)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    asked: list[int] = []
    team = compiled._team()
    if team is None:
        assert compiled.attend(q, k, v, spec, 4999) is None  # torch's own threads do it better than one of ours
        return

    def watched(*given: Any) -> None:
        asked.append(given[2])
        assert team is not None
        team(*given)

    monkeypatch.setattr(compiled, "_team", lambda: watched)
    _equal(q, k, v, spec, 4999)
    assert asked == [3]
    _equal(q[:, :1], k[:, :50], v[:, :50], DENSE, 49)
    assert asked == [3]  # fifty keys are not worth a second thread


def test_equalities() -> None:
    """A window over everything is dense, a row alone answers as in a crowd, a head alone as beside another."""
    generator = torch.Generator().manual_seed(0)
    q, (k, v) = torch.randn(6, 8, 64, generator=generator), torch.randn(2, 2, 90, 64, generator=generator)
    crowd, wide = (compiled.attend(q, k, v, spec, 82) for spec in (DENSE, Spec(heads=Heads((False, False), 3, 90))))
    assert crowd is not None
    assert wide is not None
    torch.testing.assert_close(wide.out, crowd.out)
    for row in range(8):
        alone = compiled.attend(q[:, row : row + 1], k[:, : 83 + row], v[:, : 83 + row], DENSE, 82 + row)
        assert alone is not None
        torch.testing.assert_close(alone.out[:, 0], crowd.out[:, row])
    one = compiled.attend(q[3:], k[1:], v[1:], DENSE, 82)
    assert one is not None
    assert torch.equal(one.out, crowd.out[3:])


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_levels_are_read_as_what_they_stand_for(bits: int, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(bits)
    for rows, size, keys in ((1, 64, 70), (3, 128, 200), (1, 192, 9)):
        q = torch.randn(6, rows, size, generator=generator).to(dtype)
        k, v = (levels.quantise(x, bits) for x in torch.randn(2, 2, keys, size, generator=generator))
        indices = torch.tensor([[[2, 0, 1]] * 2])
        lists = Spec(heads=Heads((False, True), 2, 9), blocks=Blocks(8, (0, 1), torch.tensor([[2, 3]]), indices))
        for spec in (DENSE, Spec(heads=Heads((True, False), 4, 20), scale=0.2), *([lists] if rows == 1 else [])):
            found = compiled.attend_levels(q, k, v, spec, keys - rows)
            assert found is not None
            exact = levels.attend(q.double(), k, v, spec)
            torch.testing.assert_close(found.out.double(), exact.out, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
            near = 2e-3 if dtype == torch.bfloat16 else 2e-5  # the matrix unit reads levels rounded to bfloat16
            torch.testing.assert_close(found.lse.double(), exact.lse, rtol=near, atol=near)


@pytest.fixture(params=["matrix unit", "vectors"])
def halves(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether bfloat16 goes to the matrix unit; the second time round it is not lent, as on most CPUs."""
    if request.param == "vectors":
        monkeypatch.setattr(compiled, "matrix_unit", lambda: 0)
    elif not compiled.matrix_unit():
        pytest.skip("no matrix unit here, or the system does not lend it")
    return bool(compiled.matrix_unit())


@torch.no_grad()
@pytest.mark.parametrize("group", [1, 5, 6, 7, 8])
def test_both_ways_through_bfloat16_answer_alike(group: int, halves: bool) -> None:
    """Rows that fill no tile, one, and several; heads of one to eight units; keys that fill chunks and tiles, and do not."""
    generator = torch.Generator().manual_seed(group)
    for size, rows, keys in itertools.product((32, 64, 96, 128, 256), (1, 2, 9), (15, 33, 300)):
        q = torch.randn(2 * group, rows, size, generator=generator).bfloat16()
        held = torch.full((2, 2, keys + 5, size), math.nan).bfloat16()
        held[:, :, :keys] = torch.randn(2, 2, keys, size, generator=generator)
        k, v = held[:, :, :keys]
        assert bool(compiled._unit(q, k)) == (halves and group * rows >= compiled.MATRIX_ROWS)
        _equal(q, k, v, Spec(), keys - rows)
        _equal(q, k, v, Spec(scale=0.3, heads=Heads((True, False), 2, 7)), keys - rows)


@torch.no_grad()
@pytest.mark.parametrize("size", [1, 8, 33, 64])
def test_lists_in_bfloat16_read_no_row_outside_them(size: int, halves: bool) -> None:
    generator = torch.Generator().manual_seed(size)
    keys, blocks = 700, -(-700 // size)
    indices = torch.stack([torch.randperm(blocks, generator=generator)[: min(blocks, 40)] for _ in range(2)])[None]
    lists = Blocks(size, (0, 1), torch.tensor([[min(blocks, 40), 3]]), indices)
    spec = Spec(heads=Heads((False, False), 5, 9), blocks=lists)
    q, (k, v) = torch.randn(12, 1, 128, generator=generator), torch.randn(2, 2, keys, 128, generator=generator)
    hidden = ~reference.visible(spec, 2, torch.tensor([keys - 1]), torch.arange(keys))[:, 0]
    k[hidden] = v[hidden] = math.nan
    _equal(q.bfloat16(), k.bfloat16(), v.bfloat16(), spec, keys - 1)


@torch.no_grad()
@pytest.mark.parametrize("bits", [8, 4])
def test_levels_in_bfloat16_both_ways(bits: int, halves: bool) -> None:
    generator = torch.Generator().manual_seed(bits)
    for rows, size, keys in ((1, 128, 600), (3, 96, 300)):
        q = torch.randn(12, rows, size, generator=generator).bfloat16()
        k, v = (levels.quantise(x, bits) for x in torch.randn(2, 2, keys, size, generator=generator))
        found = compiled.attend_levels(q, k, v, Spec(heads=Heads((True, False), 4, 40)), keys - rows)
        exact = levels.attend(q.double(), k, v, Spec(heads=Heads((True, False), 4, 40)))
        assert found is not None
        assert found.out.dtype == torch.bfloat16
        torch.testing.assert_close(found.out.double(), exact.out, rtol=1.6e-2, atol=8e-3)
        torch.testing.assert_close(found.lse.double(), exact.lse, rtol=2e-3, atol=2e-3)


def test_threads_share_the_matrix_unit(halves: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each works in a place of its own."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    if compiled._team() is None:
        pytest.skip("torch's threads are not GNU's here")
    generator = torch.Generator().manual_seed(0)
    q, (k, v) = torch.randn(12, 2, 64, generator=generator), torch.randn(2, 2, 5001, 64, generator=generator)
    for _ in range(5):
        _equal(q.bfloat16(), k.bfloat16(), v.bfloat16(), Spec(heads=Heads((True, False), 64, 3000)), 4999)


def test_holes_are_left_out_by_their_positions() -> None:
    """A layer that an early exit skipped for some tokens: rows in any order, empty ones full of garbage."""
    problem = make(next(case for case in FITTING_HOLES if case.name == "holes"), torch.float32)
    expected = reference.attend(*problem.all)
    found = cpu.attend(*problem.all)
    torch.testing.assert_close(found.out, expected.out, rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(found.lse, expected.lse, rtol=2e-5, atol=2e-5)


def test_what_it_leaves_to_torch() -> None:
    q, (k, v) = torch.randn(2, 1, 64), torch.randn(2, 1, 5, 64)
    assert compiled.attend(q, k, v, DENSE, 4) is not None
    assert compiled.attend(q.half(), k.half(), v.half(), DENSE, 4) is None
    assert compiled.attend(q.double(), k.double(), v.double(), DENSE, 4) is None
    assert compiled.attend(q[..., :40], k[..., :40], v[..., :40], DENSE, 4) is None
    assert compiled.attend(q, k, v, Spec(softcap=3.0), 4) is None
    assert compiled.attend(q.requires_grad_(), k, v, DENSE, 4) is None


@torch.no_grad()
def test_what_a_spec_keeps_is_left_when_the_tensors_change() -> None:
    """One spec with other shapes, strides, types, lengths and threads in turn, and back: each answer is the reference's."""
    generator = torch.Generator().manual_seed(0)
    spec = Spec(heads=Heads((True, False), 3, 20))
    for size, rows, keys, dtype in itertools.product((64, 128), (1, 2), (90, 40, 91), (torch.float32, torch.bfloat16)):
        q, held = torch.randn(6, rows, size, generator=generator), torch.randn(2, 2, keys + 9, size, generator=generator)
        k, v = held[:, :, :keys].to(dtype)
        _equal(q.to(dtype), k, v, spec, keys - rows)
        _equal(q.to(dtype), k, v.contiguous(), spec, keys - rows)
        _equal(q.to(dtype), k, v, DENSE, keys - rows)


@torch.no_grad()
def test_keys_and_values_of_different_length_are_refused_at_every_step() -> None:
    q, (k, v) = torch.randn(2, 1, 64), torch.randn(2, 1, 50, 64)
    assert compiled.attend(q, k, v, DENSE, 49) is not None
    with pytest.raises(ValueError, match="give q"):
        compiled.attend(q, k, v[:, :40], DENSE, 49)


@torch.no_grad()
def test_more_specs_than_are_kept_and_the_first_again() -> None:
    generator = torch.Generator().manual_seed(0)
    q, (k, v) = torch.randn(4, 1, 32, generator=generator), torch.randn(2, 2, 70, 32, generator=generator)
    specs = [Spec(scale=0.1 + number / 1000) for number in range(compiled.MOST_TABLES + 3)]
    for spec in [*specs, specs[0]]:
        assert compiled.attend(q, k, v, spec, 69) is not None
    _equal(q, k, v, specs[0], 69)
    assert len(compiled._room().tables) <= compiled.MOST_TABLES
