"""The fused decode step: its tiles against numpy, its passes against the reference and, cut anyhow, against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from kernels.decode import pack, reference, step

SHAPES = {
    "grouped": pack.Shape(2, 32, 3, 1, 64, 48, 300, 200, 1e-6),
    "plain heads": pack.Shape(2, 48, 4, 2, 32, 80, 97, 130, 1e-5),
    "many heads a key": pack.Shape(1, 64, 8, 2, 16, 64, 64, 70, 1e-6),
}


def weights(shape: pack.Shape, seed: int = 0, head_norms: bool = True) -> pack.Packed:
    rng = np.random.default_rng(seed)

    def normal(*size: int) -> Any:
        return (rng.standard_normal(size) * size[-1] ** -0.5).astype(np.float32)

    rows = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    named: dict[str, Any] = {"embed": normal(shape.vocabulary, shape.width), "norm": 1 + normal(shape.width)}
    for layer in range(shape.layers):
        named[f"{layer}.qkv"] = normal(rows, shape.width)
        named[f"{layer}.out"] = normal(shape.width, shape.heads * shape.head_dim)
        named[f"{layer}.gate_up"] = normal(2 * shape.hidden, shape.width)
        named[f"{layer}.down"] = normal(shape.width, shape.hidden)
        named[f"{layer}.norms"] = 1 + normal(2, shape.width)
        if head_norms:
            named[f"{layer}.head_norms"] = 1 + normal(shape.heads + shape.kv_heads, shape.head_dim)
    angles = np.outer(np.arange(shape.context), 10_000.0 ** (-np.arange(0, shape.head_dim, 2) / shape.head_dim))
    return pack.pack(shape, named, np.cos(angles), np.sin(angles))


class Run:
    """A context whose memory is poisoned: whatever is read before it is written becomes NaN."""

    def __init__(self, packed: pack.Packed) -> None:
        self.packed, self.memory, self.scratch = packed, pack.Memory(packed.shape), pack.Scratch(packed.shape)
        for array in (self.memory.keys, self.memory.values, self.scratch.floats):
            array.fill(np.nan)
        self.length = 0

    def take(self, ids: list[int], wanted: int | None = None) -> Any:
        out = step.run(self.packed, self.memory, self.scratch, ids, self.length, len(ids) if wanted is None else wanted)
        self.length += len(ids)
        return out


def tokens(shape: pack.Shape, count: int) -> list[int]:
    return np.random.default_rng(5).integers(0, shape.vocabulary, count).tolist()


@pytest.mark.parametrize("head_norms", [True, False])
@pytest.mark.parametrize("name", SHAPES)
def test_step_follows_the_reference(name: str, head_norms: bool) -> None:
    packed = weights(SHAPES[name], head_norms=head_norms)
    run, history = Run(packed), reference.History.empty(packed.shape.layers)
    ids = tokens(packed.shape, 12)
    for token in ids:
        ours, theirs = run.take([token])[0], reference.logits(packed, token, history)
        # A sum in another order may move an activation by one level of 127: a few hundredths of these logits' spread.
        assert np.abs(ours - theirs).max() < 0.05 * theirs.std() + 1e-4


@pytest.mark.parametrize("name", SHAPES)
def test_any_cutting_into_passes_gives_the_same_bits(name: str) -> None:
    packed = weights(SHAPES[name])
    ids = tokens(packed.shape, packed.shape.context)
    single = Run(packed)
    one_by_one = np.concatenate([single.take([token]) for token in ids])

    @settings(max_examples=15, deadline=None)
    @given(st.lists(st.integers(1, pack.MOST_ROWS), min_size=1, max_size=40))
    def check(sizes: list[int]) -> None:
        run, at = Run(packed), 0
        for size in sizes:
            part = ids[at : at + size]
            if not part:
                break
            assert np.array_equal(run.take(part), one_by_one[at : at + size])
            at += size

    check()


def test_rows_that_are_not_wanted_change_nothing() -> None:
    packed = weights(SHAPES["grouped"])
    ids = tokens(packed.shape, 40)
    whole, some = Run(packed), Run(packed)
    assert np.array_equal(whole.take(ids)[-3:], some.take(ids, wanted=3))
    assert np.array_equal(whole.take(ids[:1]), some.take(ids[:1]))


def test_going_back_overwrites_what_lay_behind() -> None:
    packed = weights(SHAPES["grouped"])
    ids = tokens(packed.shape, 90)
    straight, back = Run(packed), Run(packed)
    straight.take(ids[:50])
    back.take(ids[:50])
    back.take(ids[60:90])
    back.length = 50
    assert np.array_equal(straight.take(ids[50:60]), back.take(ids[50:60]))


def test_copied_context_goes_on_as_the_original() -> None:
    packed = weights(SHAPES["plain heads"])
    ids = tokens(packed.shape, 80)
    first, second = Run(packed), Run(packed)
    first.take(ids[:64])
    second.memory.copy(first.memory, 40)
    second.length = first.length = 40
    assert np.array_equal(first.take(ids[64:80]), second.take(ids[64:80]))


def test_cancel_word_ends_the_pass_and_leaves_the_context_usable() -> None:
    packed = weights(SHAPES["grouped"])
    ids, word = tokens(packed.shape, 20), np.array([7], np.int64)
    run, undisturbed = Run(packed), Run(packed)
    run.take(ids[:10])
    undisturbed.take(ids[:10])
    assert step.run(packed, run.memory, run.scratch, ids[10:], run.length, 1, word, 7) is None
    assert step.run(packed, run.memory, run.scratch, ids[10:], run.length, 1, word, 8) is not None
    assert np.array_equal(run.take(ids[10:]), undisturbed.take(ids[10:]))


@pytest.mark.parametrize(
    ("ids", "start", "wanted"),
    [([], 0, 1), ([1] * 65, 0, 1), ([1], 200, 1), ([1], -1, 1), ([1, 2], 0, 3), ([1], 0, 0), ([300], 0, 1), ([-1], 0, 1)],
)
def test_what_does_not_fit_is_refused(ids: list[int], start: int, wanted: int) -> None:
    packed = weights(SHAPES["grouped"])
    with pytest.raises(ValueError, match=r"tokens behind|token ids"):
        step.run(packed, pack.Memory(packed.shape), pack.Scratch(packed.shape), ids, start, wanted)


def test_packing_gives_back_what_an_int8_checkpoint_holds() -> None:
    rng = np.random.default_rng(1)
    levels = rng.integers(-127, 128, (40, 32)).astype(np.int8)
    levels[:, 0] = 127  # such a checkpoint's rows reach the last level
    size = rng.uniform(0.001, 0.1, 40).astype(np.float32)
    again, scale = pack.quantize_rows(levels * size[:, None])
    assert np.array_equal(again, levels)
    np.testing.assert_allclose(scale, size, rtol=1e-6)


def test_products_are_exact_integers() -> None:
    """Every row count and remainder of the tiles, with the largest levels there are."""
    rng = np.random.default_rng(2)
    for rows in (1, 2, 3, 4, 5, 6, 7, 9, 11, 13):
        n, k = 16 * 13, 64
        w = rng.choice(np.array([-127, 127, 3], np.int8), (n, k))
        x = rng.choice(np.array([-127, 127, 5], np.int64), (rows, k))
        packed, bytes_ = pack.interleave(w), (x + 128).astype(np.uint8)
        corrections, ones = (128 * w.astype(np.int32).sum(1)).astype(np.int32), np.ones(max(n, rows), np.float32)
        out = np.full((rows, n), np.nan, np.float32)
        step._product(
            bytes_.ctypes.data, k, ones.ctypes.data, rows, packed.ctypes.data, k // 4, corrections.ctypes.data,
            ones.ctypes.data, n // 16, out.ctypes.data, n * 4,
        )  # fmt: skip
        assert np.array_equal(out, x @ w.T.astype(np.int64))


def test_a_row_of_zeros_stays_zero() -> None:
    shape = pack.Shape(1, 32, 2, 1, 16, 32, 48, 64, 1e-6)
    packed = weights(shape)
    packed.bytes_.fill(0)
    assert np.array_equal(Run(packed).take([0, 1, 2]), np.zeros((3, 48), np.float32))


@pytest.mark.parametrize(("width", "hidden", "head_dim"), [(30, 48, 64), (32, 40, 64), (32, 48, 20)])
def test_shapes_that_do_not_fill_vectors_are_refused(width: int, hidden: int, head_dim: int) -> None:
    with pytest.raises(ValueError, match="multiples of 16"):
        pack.Shape(1, width, 2, 1, head_dim, hidden, 64, 64, 1e-6)
