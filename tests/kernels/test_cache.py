"""The two caches hold what was written, at the position it was written for, whatever was taken back in between."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kernels.cache.growing import Growing
from kernels.cache.ring import Ring

KV, WIDTH = 2, 3


def rows(start: int, count: int, mark: int = 0) -> Tensor:
    """Keys that say their position, and how often it was written."""
    return (torch.arange(start, start + count).float() + mark / 100)[None, None, :, None].expand(1, KV, count, WIDTH)


def test_growing_keeps_everything_in_order_in_place() -> None:
    cache = Growing(most=1000)
    for start in range(0, 700, 70):
        keys, values = cache.append(rows(start, 70), -rows(start, 70))
    assert torch.equal(keys, rows(0, 700))
    assert torch.equal(values, -rows(0, 700))
    held = cache.nbytes
    cache.crop(500)
    again, _ = cache.append(rows(500, 20, mark=1), rows(500, 20))
    assert torch.equal(again, torch.cat((rows(0, 500), rows(500, 20, mark=1)), dim=2))
    assert cache.nbytes == held <= 2 * 1000 * KV * WIDTH * 4
    other = Growing(most=1000)
    other.copy_head(cache, 300)
    assert other.length == 300
    assert torch.equal(other.append(rows(300, 1), rows(300, 1))[0], rows(0, 301))


def test_growing_refuses_what_does_not_fit() -> None:
    cache = Growing(most=10)
    cache.append(rows(0, 8), rows(0, 8))
    with pytest.raises(ValueError, match="11 tokens where the cache holds 10"):
        cache.append(rows(8, 3), rows(8, 3))


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.tuples(st.integers(0, 4), st.integers(1, 9), st.integers(1, 7)),
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 7)), max_size=60),
)
def test_a_ring_holds_what_its_window_shows(sizes: tuple[int, int, int], steps: list[tuple[bool, int]]) -> None:
    sink, window, slack = sizes
    ring, written = Ring(sink, window, slack), list[int]()
    for mark, (back, count) in enumerate(steps):
        if back:
            to = max(0, len(written) - count)
            if not ring.can_crop(to):
                continue
            ring.crop(to)
            del written[to:]
            continue
        count = min(count, slack)
        start = len(written)
        keys, _ = ring.append(rows(start, count, mark % 100), rows(start, count))
        written += [mark % 100] * count
        places = ring.positions if ring.positions is not None else torch.arange(keys.shape[2])
        held = {int(place): keys[0, 0, row, 0].item() for row, place in enumerate(places) if place >= 0}
        for query in range(start, start + count):
            for position in range(query + 1):
                if position < sink or position > query - window:
                    assert held[position] == pytest.approx(position + written[position] / 100, abs=1e-3)
        assert all(place < len(written) for place in held)


def test_a_ring_takes_back_as_many_tokens_as_it_promised() -> None:
    ring = Ring(sink=2, window=8, slack=5)
    for start in range(50):
        ring.append(rows(start, 1), rows(start, 1))
    assert ring.can_crop(45)
    assert not ring.can_crop(30)
    with pytest.raises(ValueError, match="begin anew"):
        ring.crop(30)
    with pytest.raises(ValueError, match="6 tokens at once"):
        ring.append(rows(50, 6), rows(50, 6))
    ring.crop(0)
    assert ring.positions is None
    assert torch.equal(ring.append(rows(0, 3), rows(0, 3))[0], rows(0, 3))
    assert ring.nbytes == 2 * 15 * KV * WIDTH * 4
