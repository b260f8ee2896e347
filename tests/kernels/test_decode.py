"""The fused decode step: its tiles against numpy, its passes against the reference and, cut anyhow, against each other."""

from __future__ import annotations

import dataclasses
import gc
import os
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba")

from kernels.decode import pack, passes, products, reference, step, team

SHAPES = {
    "grouped": pack.Shape(2, 32, 3, 1, 64, 48, 300, 200, 1e-6),
    "plain heads": pack.Shape(2, 48, 4, 2, 32, 80, 97, 130, 1e-5),
    "many heads a key": pack.Shape(1, 64, 8, 2, 16, 64, 64, 70, 1e-6),
}


def named(shape: pack.Shape, seed: int = 0, head_norms: bool = True) -> dict[str, Any]:
    rng = np.random.default_rng(seed)

    def normal(*size: int) -> Any:
        return (rng.standard_normal(size) * size[-1] ** -0.5).astype(np.float32)

    rows = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    made: dict[str, Any] = {"embed": normal(shape.vocabulary, shape.width), "norm": 1 + normal(shape.width)}
    for layer in range(shape.layers):
        made[f"{layer}.qkv"] = normal(rows, shape.width)
        made[f"{layer}.out"] = normal(shape.width, shape.heads * shape.head_dim)
        made[f"{layer}.gate_up"] = normal(2 * shape.hidden, shape.width)
        made[f"{layer}.down"] = normal(shape.width, shape.hidden)
        made[f"{layer}.norms"] = 1 + normal(2, shape.width)
        if head_norms:
            made[f"{layer}.head_norms"] = 1 + normal(shape.heads + shape.kv_heads, shape.head_dim)
    return made


def angles(shape: pack.Shape) -> tuple[Any, Any]:
    found = np.outer(np.arange(shape.context), 10_000.0 ** (-np.arange(0, shape.head_dim, 2) / shape.head_dim))
    return np.cos(found), np.sin(found)


def weights(shape: pack.Shape, seed: int = 0, head_norms: bool = True) -> pack.Packed:
    return pack.pack(shape, named(shape, seed, head_norms), *angles(shape))


class Run:
    """A context whose memory is poisoned: whatever is read before it is written becomes NaN."""

    def __init__(self, packed: pack.Packed, threads: int = 1) -> None:
        self.step, self.memory = step.Step(packed, threads), pack.Memory(packed.shape)
        for array in (self.memory.keys, self.memory.values, self.step._scratch.common, self.step._scratch.own):
            array.fill(np.nan)
        self.length = 0

    def take(self, ids: list[int], wanted: int | None = None) -> Any:
        out = self.step.run(self.memory, ids, self.length, len(ids) if wanted is None else wanted)
        self.length += len(ids)
        return out


def tokens(shape: pack.Shape, count: int) -> list[int]:
    found: list[int] = np.random.default_rng(5).integers(0, shape.vocabulary, count).tolist()
    return found


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
    assert run.step.run(run.memory, ids[10:], run.length, 1, word, 7) is None
    assert run.step.run(run.memory, ids[10:], run.length, 1, word, 8) is not None
    assert np.array_equal(run.take(ids[10:]), undisturbed.take(ids[10:]))


@pytest.mark.parametrize(
    ("ids", "start", "wanted"),
    [([], 0, 1), ([1] * 65, 0, 1), ([1], 200, 1), ([1], -1, 1), ([1, 2], 0, 3), ([1], 0, 0), ([300], 0, 1), ([-1], 0, 1)],
)
def test_what_does_not_fit_is_refused(ids: list[int], start: int, wanted: int) -> None:
    packed = weights(SHAPES["grouped"])
    with pytest.raises(ValueError, match=r"tokens behind|token ids"):
        step.Step(packed).run(pack.Memory(packed.shape), ids, start, wanted)


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
        products.product(
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


@pytest.mark.skipif(os.name != "posix", reason="helpers sleep in a POSIX pipe")
@pytest.mark.parametrize("many", [step.MANY, step.MANY_SMALL])
@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_helpers_change_no_bit(name: str, threads: int, many: int) -> None:
    """Passes of every kind: one row, drafts, a prefill with one row wanted, and many rows all wanted."""
    packed = weights(SHAPES[name])
    ids = tokens(packed.shape, packed.shape.context)
    alone, helped, at = Run(packed), Run(packed, threads), 0
    helped.step._table[passes.WHOLE] = many
    for size, wanted in ((40, 1), (1, 1), (7, 7), (1, 1), (4, 2), (16, 16)):
        part = ids[at : at + size]
        expected = alone.take(part, wanted)
        all_ready(helped.step, threads)
        assert np.array_equal(helped.take(part, wanted), expected)
        assert helped.step._table[passes.RANKS] == threads
        assert np.array_equal(helped.step.stream(), alone.step.stream())
        at += size
        if at + 16 > len(ids):
            break


def all_ready(made: step.Step, threads: int) -> None:
    """Wake the helpers and wait until they stand ready, however busy the machine is; from then on they do not fall asleep."""
    made._team.lines[team.PATIENT // 8] = 1 << 40
    made._team._until = 0.0
    made._team.wake(threads - 1)
    until = time.monotonic() + 30
    while (made._team._states != team.READY).any():
        assert time.monotonic() < until
        time.sleep(0.001)


@pytest.mark.skipif(os.name != "posix", reason="helpers sleep in a POSIX pipe")
def test_a_cancel_ends_the_pass_for_helpers_too() -> None:
    packed = weights(SHAPES["grouped"])
    ids, run, word = tokens(packed.shape, 40), Run(packed, 2), np.array([7], np.int64)
    for part in (ids[:1], ids[:5], ids):
        all_ready(run.step, 2)
        assert run.step.run(run.memory, part, 0, 1, word, 7) is None
    all_ready(run.step, 2)
    assert np.array_equal(run.take(ids, 1), Run(packed).take(ids, 1))


@pytest.mark.skipif(os.name != "posix", reason="helpers sleep in a POSIX pipe")
def test_helpers_end_with_their_step() -> None:
    def helpers() -> int:
        return sum(thread.name.startswith("decode") for thread in threading.enumerate())

    def until(there: int) -> None:
        end = time.monotonic() + 30
        while helpers() != there:
            assert time.monotonic() < end
            time.sleep(0.001)

    gc.collect()
    until(0)  # those of earlier tests
    run = Run(weights(SHAPES["grouped"]), 3)
    run.take([1, 2])
    assert helpers() == 2
    del run
    gc.collect()
    until(0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_waited_too_long_works_alone_for_a_while_and_longer_each_time() -> None:
    clock = Clock()
    made = team.Team(2, clock)
    rests = []
    for _ in range(9):
        made._waits[0] = 5
        made.judge()
        started = clock.now
        while made._clock() < made._until:
            clock.now += 0.01
        rests.append(clock.now - started)
    assert rests[0] == pytest.approx(team.SHORTEST_REST_S, abs=0.011)
    assert rests[1] == pytest.approx(2 * team.SHORTEST_REST_S, abs=0.011)
    assert rests[-1] == pytest.approx(team.LONGEST_REST_S, abs=0.011)
    for _ in range(500):
        made.judge()
    made._waits[1] = 5
    made.judge()
    assert made._until - clock.now == pytest.approx(team.SHORTEST_REST_S)


def controller(shape: pack.Shape, thresholds: dict[int, float]) -> Any:
    """One that says exit behind the layers (from 0) of ``thresholds``, with a probability of one half."""
    made = np.zeros((shape.layers, shape.width + 2, 16), np.float32)
    made[:, -1, 0] = 1.0
    for layer, least in thresholds.items():
        made[layer, -2, :3] = -1000.0, 0.0, 0.0
        made[layer, -1, 0] = least
    return made


DEEP = pack.Shape(4, 32, 3, 1, 64, 48, 300, 200, 1e-6)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_pass_leaves_early_only_where_the_controller_is_sure_enough(threads: int) -> None:
    packed = weights(DEEP)
    run = Run(packed, threads)
    run.take(tokens(DEEP, 20))
    for thresholds, expected in (({}, 4), ({1: 0.4}, 2), ({1: 0.6}, 4), ({1: 0.6, 2: 0.4}, 3), ({0: 0.4}, 1)):
        if threads > 1:
            all_ready(run.step, threads)
        out = run.step.run(run.memory, [7], run.length, leaving=controller(DEEP, thresholds))
        assert out is not None
        assert run.step.left == expected
    several = run.step.run(run.memory, [7, 8], run.length, leaving=controller(DEEP, {0: 0.1}))
    assert several is not None
    assert run.step.left == 4


def test_leaving_early_is_a_model_of_fewer_layers_whose_others_only_take_note() -> None:
    """The logits are those of the first layers alone; and what comes next can be computed."""
    packed, ids = weights(DEEP), tokens(DEEP, 30)
    first = {name: array for name, array in named(DEEP).items() if not name.startswith(("2.", "3."))}
    short = Run(pack.pack(dataclasses.replace(DEEP, layers=2), first, *angles(DEEP)))
    short.take(ids[:29])
    whole = Run(packed)
    whole.take(ids[:29])
    early: Any = whole.step.run(whole.memory, [ids[29]], 29, leaving=controller(DEEP, {1: 0.4}))
    assert np.array_equal(short.take([ids[29]]), early)
    whole.length = 30
    assert np.isfinite(whole.take([5])).all()
