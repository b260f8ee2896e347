"""Mixers laid out for the Triton attention kernel, run by Triton's interpreter against their definitions; needs no GPU."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="triton is not installed (pip install triton; Linux only)")

from kernels import dispatch
from kernels.attention import gpu as attention
from kernels.attention import reference
from kernels.mixers import agent, dense, dynamic_mask, gpu, positional, rat, ring, routing, shifted

HEADS, SIZE, WIDE, CENTROIDS = 2, 20, 24, 3
Mixer = Callable[..., Tensor]
"""(q, k, v, what the mixer has of its own, how far it looks)."""


def close(got: Tensor, expected: Tensor) -> None:
    """Sums of some dozen terms of size 1 in another order, in float64; exp and log of the interpreter are numpy's."""
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=torch.float64)


def tokens(steps: int, width: int = WIDE, heads: int = HEADS) -> list[Tensor]:
    return [draw(heads, steps, SIZE), draw(heads, steps, SIZE, seed=1), draw(heads, steps, width, seed=2)]


def wishes(q: Tensor, v: Tensor) -> tuple[Tensor]:
    heads, _, width = v.shape
    own = draw(heads, width, seed=3), draw(heads), torch.ones(heads)
    return (dynamic_mask.wish(v, *(each.to(v.dtype) for each in own)),)


def clusters(q: Tensor, v: Tensor) -> tuple[Tensor]:
    return (routing.assign(q, draw(q.shape[0], CENTROIDS, SIZE).to(q.dtype)),)


def maps(q: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    return draw(HEADS, 6, SIZE).to(v.dtype), draw(HEADS, 6, SIZE, seed=1).to(v.dtype)


OWN: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, ...]]] = {
    "rat": lambda q, v: (torch.sigmoid(q.flip(-1)),),
    "routing": clusters,
    "dynamic_mask": wishes,
    "positional": maps,
}
MODULES: dict[str, ModuleType] = {
    "ring": ring, "agent": agent, "shifted": shifted, "routing": routing, "dynamic_mask": dynamic_mask, "rat": rat,
    "positional": positional,
}  # fmt: skip
FORMS: dict[str, tuple[Mixer, Mixer]] = {
    "ring": (ring.mix, lambda q, k, v, far: dense.attention(q, k, v)),
    "agent": (agent.mix, agent.loop),
    "shifted": (
        lambda q, k, v, far: shifted.mix(q, k, v, far, far % 3),
        lambda q, k, v, far: dense.attention(q, k, v, shifted.visible(q.shape[0], q.shape[1], far, far % 3)),
    ),
    "routing": (routing.mix, lambda q, k, v, of, far: dense.attention(q, k, v, routing.visible(of, far))),
    "dynamic_mask": (dynamic_mask.mix, dynamic_mask.loop),
    "rat": (rat.mix, rat.loop),
    "positional": (lambda q, k, v, *maps: positional.mix(v, *maps[:2]), lambda q, k, v, *maps: positional.loop(v, *maps[:2])),
}


def problem(name: str, steps: int, heads: int = HEADS, width: int = WIDE, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    q, k, v = (x.to(dtype) for x in tokens(steps, SIZE if name == "rat" else width, heads))
    own = OWN.get(name)
    return [q, k, v, *(own(q, v) if own else ())]


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter's tensors lie on the CPU, where `mix` would take torch."""
    for module in MODULES.values():
        monkeypatch.setattr(module, "by_kernel", lambda *given: True)


@pytest.fixture
def by_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layouts of a size that would take the interpreter minutes; that the kernel does as the reference is tested elsewhere."""

    def attend(*given: Any, config: dict[str, int]) -> Any:
        return reference.attend(*given)

    monkeypatch.setattr(attention, "attend", attend)
    monkeypatch.setattr(attention, "merge", reference.merge)


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize(
    ("name", "steps", "far"),
    [
        ("ring", 1, 2), ("ring", 10, 3),
        ("agent", 1, 4), ("agent", 3, 4), ("agent", 19, 4), ("agent", 20, 5),
        ("shifted", 1, 6), ("shifted", 5, 12), ("shifted", 19, 10), ("shifted", 17, 9),
        ("routing", 1, 4), ("routing", 19, 4), ("routing", 19, 40),
        ("dynamic_mask", 1, 4), ("dynamic_mask", 6, 2), ("dynamic_mask", 17, 14), ("dynamic_mask", 19, 19),
        ("rat", 1, 4), ("rat", 4, 4), ("rat", 11, 4), ("rat", 7, 1),
        ("positional", 1, 0), ("positional", 19, 0),
    ],
)  # fmt: skip
def test_the_kernel_gives_the_definition(name: str, steps: int, far: int) -> None:
    ours, definition = FORMS[name]
    given = problem(name, steps)
    close(ours(*given, far), definition(*given, far))


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize(
    ("name", "dtype"), [(name, (torch.float16, torch.bfloat16)[number % 2]) for number, name in enumerate(FORMS)], ids=str
)
def test_half_precision_is_widened(name: str, dtype: torch.dtype) -> None:
    ours, definition = FORMS[name]
    given = problem(name, 6, dtype=dtype)
    expected = definition(*(each.double() if each.is_floating_point() else each for each in given), 2)
    got = ours(*given, 2)
    assert got.dtype == dtype
    # Agents, what they read, a chunk's last key and each part of a merge are rounded once before the answer is.
    assert (got.double() - expected).abs().max() <= 3 * torch.finfo(dtype).eps * expected.abs().max()


@pytest.mark.usefixtures("as_on_a_gpu", "by_the_reference")
@pytest.mark.parametrize(
    ("name", "steps", "far"),
    [
        ("ring", 70, 4),
        ("agent", 300, 64), ("agent", 300, 128), ("agent", 70, 1), ("agent", 127, 128), ("agent", 256, 128),
        ("shifted", 300, 128), ("shifted", 300, 256), ("shifted", 97, 33), ("shifted", 60, 300), ("shifted", 9, 1),
        ("routing", 200, 64),
        ("dynamic_mask", 200, 1), ("dynamic_mask", 260, 40), ("dynamic_mask", 200, 100),
        ("dynamic_mask", 128, 70), ("dynamic_mask", 130, 129), ("dynamic_mask", 65, 64),
        ("rat", 65, 16),
    ],
)  # fmt: skip
def test_layouts_of_many_stretches(name: str, steps: int, far: int, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = 1 if name == "dynamic_mask" else 3
    monkeypatch.setattr(gpu, "TOGETHER", 2)
    ours, definition = FORMS[name]
    given = problem(name, steps, heads, SIZE)
    close(ours(*given, far), definition(*given, far))


@pytest.mark.usefixtures("as_on_a_gpu", "by_the_reference")
@pytest.mark.parametrize(
    "bias", [draw(2, 130).mul(2).round(), torch.arange(130.0).expand(2, -1), -torch.arange(130.0).expand(2, -1)]
)
def test_keys_wanted_alike_each_more_than_all_before_and_each_less(bias: Tensor) -> None:
    """Of equals the earlier are kept; every key drives one out, or none."""
    q, k, v = tokens(130, SIZE)
    exact = bias.double() / 10
    close(dynamic_mask.mix(q, k, v, exact, 20), dynamic_mask.loop(q, k, v, exact, 20))


@pytest.mark.usefixtures("as_on_a_gpu", "by_the_reference")
def test_clusters_of_any_size_and_none() -> None:
    """One head's tokens all in the last cluster, another's each in its own."""
    q, k, v = tokens(30, SIZE, 3)
    of = torch.stack((torch.full((30,), 29), torch.arange(30), torch.arange(30) % 2 * 29))
    expected = dense.attention(q, k, v, routing.visible(of, 4))
    close(routing.mix(q, k, v, of, 4), expected)
    close(routing.mix(q, k, v, of, 4, centroids=40), expected)


@pytest.mark.usefixtures("as_on_a_gpu")
def test_texts_of_a_batch_have_the_same_positions() -> None:
    v, own = draw(2 * HEADS, 9, WIDE), maps(draw(1), draw(1))
    close(positional.mix(v, *own), positional.loop(v, *own))


@pytest.mark.usefixtures("as_on_a_gpu", "by_the_reference")
@pytest.mark.parametrize("sinks", [0, 1, 9, 50])
def test_a_sink_counts_once(sinks: int) -> None:
    q, k, v = tokens(40, SIZE, 3)
    expected = dense.attention(q, k, v, shifted.visible(3, 40, 8, sinks))
    close(shifted.mix(q, k, v, 8, sinks), expected)


@pytest.mark.parametrize("name", FORMS)
def test_on_a_cpu_torch_answers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "attend", None)
    ours, definition = FORMS[name]
    given = problem(name, 13)
    with torch.no_grad():
        close(ours(*given, 4), definition(*given, 4))


def test_triton_is_for_gpus_and_for_nobody_who_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    def tensor(size: int = 64, learns: bool = False, is_cuda: bool = True) -> Any:
        return SimpleNamespace(is_cuda=is_cuda, requires_grad=learns, shape=(2, 5, size), dim=lambda: 3)

    assert dense.by_kernel(tensor(), tensor())
    assert dense.by_kernel(tensor(dispatch.LARGEST_HEAD))
    assert not dense.by_kernel(tensor(), tensor(dispatch.LARGEST_HEAD + 1))
    assert not dispatch.on_triton(tensor(is_cuda=False))
    assert not dispatch.on_triton(tensor(), None, tensor(learns=True))
    with torch.no_grad():
        assert dispatch.on_triton(tensor(), None, tensor(learns=True))
    monkeypatch.setattr(dispatch, "has_triton", lambda: False)
    assert not dispatch.on_triton(tensor())
