"""The bench's small operators: merge, block score, vote, choice, descent, quantisation, linear attention, gated scan.

Each is one `Part`: our call, the forms that torch offers for the same answer, and what the call answered beside the reference
in float64. Knows operators and tensors on either device; does not know how time is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from kernels import dispatch
from kernels.attention import reference as attention_reference
from kernels.bench.measure import Verdict, judge
from kernels.linear import chunked
from kernels.linear import reference as linear_reference
from kernels.quantize import reference as quantise_reference
from kernels.select import reference as select_reference

H, KV, D = 12, 2, 128
BLOCK, BLOCKS, STAGE = 64, 20, 256
TOKENS = 1024
MIXED = 2
"""Heads of the linear mixers here: torch's square over 4 096 steps holds 128 MB for two of them."""
FORMS = 4096
"""Steps up to which the forms of torch are run: a square of 16 384 steps takes 2 GB, a loop of them a second."""
SPELLED_OUT = 16384
"""Steps up to which the reference goes step by step; beyond, the chunked form in float64 is the judge."""
SCALE = D**-0.5

SMALL = {
    "merge": ("lse",),
    "score": ("mean_of_64",),
    "vote": ("every_key",),
    "select": ("best_1024",),
    "descend": ("from_256",),
    "quantise": ("int8", "int4"),
    "chunk_linear": ("decay",),
    "step_linear": ("decay",),
    "chunk_scan": ("gated",),
}
"""What `parts` yields."""

Run = Callable[[], Any]


@dataclass(frozen=True)
class Part:
    """``forms`` is empty where torch has nothing like it at this length. ``kv_bytes``: keys and values that one call reads."""

    op: str
    policy: str
    run: Run
    forms: Mapping[str, Run]
    verdict: Verdict
    kv_bytes: int = 0


def parts(length: int, dtype: torch.dtype, device: torch.device) -> Iterator[Part]:
    """All small operators over ``length`` keys or steps."""
    draw = _Numbers(length, dtype, device)
    yield from _merge(length, draw)
    yield from _choices(length, draw)
    yield from _quantise(length, draw)
    yield from _mixers(length, draw)


@dataclass(frozen=True)
class _Numbers:
    seed: int
    dtype: torch.dtype
    device: torch.device

    def __call__(self, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed + len(shape) * 1000 + shape[-1])
        return torch.randn(*shape, generator=generator).to(self.device, dtype or self.dtype)

    def ours(self, operator: str) -> Any:
        return getattr(dispatch.module(operator, "gpu" if self.device.type == "cuda" else "cpu"), operator)

    def row(self, number: int) -> Tensor:
        return torch.full((1,), number, device=self.device)


def _merge(length: int, draw: _Numbers) -> Iterator[Part]:
    """As many answers as 1 024 keys each would give, two at least."""
    count = max(2, length // 1024)
    outs, lses = draw(count, H, 1, D), draw(count, H, 1, dtype=torch.float32)
    merge = draw.ours("merge")
    exact = attention_reference.merge(outs.cpu().double(), lses.cpu().double()).out

    def weighed() -> tuple[Tensor, Tensor]:
        lse = torch.logsumexp(lses, dim=0)
        return (torch.exp(lses - lse)[..., None] * outs).sum(dim=0).to(outs.dtype), lse

    def contracted() -> tuple[Tensor, Tensor]:
        weights = torch.softmax(lses, dim=0).to(outs.dtype)
        return torch.einsum("nht,nhtd->htd", weights, outs), torch.logsumexp(lses, dim=0)

    verdict = judge(merge(outs, lses).out.cpu(), exact)
    yield Part("merge", "lse", lambda: merge(outs, lses), {"sum": weighed, "einsum": contracted}, verdict)


def _choices(length: int, draw: _Numbers) -> Iterator[Part]:
    """What the choosing policies ask of keys or of their summaries: one query row, everything to choose from."""
    q, k = draw(1, H, D), draw(KV, length, D)
    low, high = draw.row(0), draw.row(length)
    host_q, host_k = (x.cpu().double() for x in (q, k))
    summary = dispatch.module("score", "cpu").summarise(k, BLOCK, "mean")
    blocks, grouped = draw.row(summary.shape[1]), q.view(KV, H // KV, D)
    score, vote, descend, select = (draw.ours(name) for name in ("score", "vote", "descend", "select"))

    exact = select_reference.score(host_q, summary.cpu().double(), low.cpu(), blocks.cpu(), "mean")
    yield Part(
        "score", "mean_of_64", lambda: score(q, summary, low, blocks, "mean"),
        {"bmm_amax": lambda: torch.bmm(grouped, summary.transpose(1, 2)).float().amax(dim=1)},
        _rounded(score(q, summary, low, blocks, "mean"), exact, draw.dtype), summary.numel() * summary.element_size(),
    )  # fmt: skip
    exact = select_reference.vote(host_q, host_k, low.cpu(), high.cpu(), SCALE)
    yield Part(
        "vote", "every_key", lambda: vote(q, k, low, high, SCALE),
        {"softmax_sum": lambda: torch.softmax(torch.bmm(grouped, k.transpose(1, 2)).float() * SCALE, dim=2).sum(dim=1)},
        _rounded(vote(q, k, low, high, SCALE), exact, draw.dtype), k.numel() * k.element_size(),
    )  # fmt: skip
    scores = draw(1, KV, length, dtype=torch.float32)
    width = min(TOKENS, length)
    exact = select_reference.select(scores.cpu().double(), width)[1].double()
    got = select(scores, width)[1].cpu().double()
    yield Part(
        "select", f"best_{TOKENS}", lambda: select(scores, width),
        {"topk_sort": lambda: scores.topk(width, dim=2).indices.sort(dim=2).values},
        Verdict(float((got - exact).abs().max()), bool((got == exact).all())),
    )  # fmt: skip
    if length < STAGE:
        return
    chunks = torch.arange(0, length // STAGE * STAGE, STAGE, device=draw.device).expand(1, KV, -1).contiguous()
    exact = select_reference.descend(host_q, host_k, chunks.cpu(), STAGE, high.cpu())

    def every_key() -> Tensor:
        """torch has no descent: it asks all keys, which answers the question better."""
        logits = torch.bmm(grouped, k[:, : length // STAGE * STAGE].transpose(1, 2)).amax(dim=1)
        return logits.view(KV, -1, STAGE).amax(dim=2)

    steps = 2 * (STAGE.bit_length() - 1) * chunks.numel() * D * k.element_size()
    verdict = _rounded(descend(q, k, chunks, STAGE, high), exact, draw.dtype)
    yield Part("descend", f"from_{STAGE}", lambda: descend(q, k, chunks, STAGE, high), {"every_key": every_key}, verdict, steps)


def _rounded(got: Tensor, exact: Tensor, dtype: torch.dtype) -> Verdict:
    """Logits are handed out in float32 whatever they were multiplied in; they are judged as what they are made of.

    In half precision a descent may turn the other way where two keys are alike, which moves single scores: 1 in 50 may.
    """
    got, exact = got.cpu().double().flatten(), exact.flatten()
    error = (got - exact).abs()
    near = error <= 4 * exact.abs().max() * torch.finfo(dtype).eps + 1e-9
    return Verdict(float(error.max()), not bool(got.isnan().any()) and float(near.double().mean()) >= 0.98)


def _quantise(length: int, draw: _Numbers) -> Iterator[Part]:
    """Keys of a whole cache become levels; right means that what they stand for is at most half a level off."""
    k = draw(KV, length, D)
    for bits, group in ((8, D), (4, quantise_reference.GROUP)):
        most = quantise_reference.MOST[bits]
        quantise = draw.ours("quantise")

        def separate(most: int = most, group: int = group) -> tuple[Tensor, Tensor]:
            wide = k.float().view(KV, length, -1, group)
            size = wide.abs().amax(dim=3, keepdim=True).clamp_(min=1e-30) / most
            levels = (wide / size).round_().to(torch.int8).flatten(2)
            if most == quantise_reference.MOST[4]:
                low, high = (levels + 8).to(torch.uint8).chunk(2, dim=2)
                levels = low | (high << 4)
            return levels, size

        levels, size = quantise(k, bits)
        error = (quantise_reference.dequantise(levels, size).double() - k.double()).abs()
        half = size.double().repeat_interleave(group, dim=2) / 2
        verdict = Verdict(float(error.max()), bool((error <= half * (1 + 1e-5) + 1e-9).all()))
        read = k.numel() * k.element_size()
        yield Part("quantise", f"int{bits}", partial(quantise, k, bits), {"separate": separate}, verdict, read)


def _mixers(length: int, draw: _Numbers) -> Iterator[Part]:
    """Linear attention with a decay a head over all steps, one step of it, and a gated scan."""
    q, k, v = (draw(MIXED, length, size) * size**-0.5 for size in (D, D, D))
    decay = torch.tensor([-0.01, -0.1], device=draw.device)
    gpu = draw.device.type == "cuda"
    if gpu:
        from kernels.linear import gpu as ours
    backend = ours if gpu else chunked
    linear, scan, one_step = backend.linear, backend.scan, backend.step
    gates = decay if gpu else decay.to(draw.dtype)
    wide = [x.cpu().double() for x in (q, k, v, decay)]
    right = linear_reference if length <= SPELLED_OUT else chunked
    exact, state = right.linear(*wide)

    def square() -> Tensor:
        steps = torch.arange(length, device=draw.device)
        weights = torch.exp(gates[:, None, None] * (steps[:, None] - steps[None, :]).clamp(min=0)).tril()
        mixed: Tensor = (q @ k.transpose(1, 2) * weights) @ v
        return mixed

    forms: dict[str, Run] = {"square": square} if length <= FORMS else {}
    if length <= FORMS and not gpu:
        forms["loop"] = lambda: linear_reference.linear(q, k, v, gates)
    yield Part("chunk_linear", "decay", lambda: linear(q, k, v, gates), forms, _mixed(linear(q, k, v, gates)[0], exact, length))
    held, one = state.to(draw.device, draw.dtype), [x[:, -1].contiguous() for x in (q, k, v)]

    def step() -> Tensor:
        found: Tensor = one_step(one[0], one[1], one[2], gates, held)[0]
        return found

    def fused() -> Tensor:
        grown = torch.baddbmm(held * torch.exp(gates)[:, None, None].to(held.dtype), one[1][:, :, None], one[2][:, None])
        return torch.bmm(one[0][:, None], grown)[:, 0]

    def spelled() -> Tensor:
        return linear_reference.step(one[0], one[1], one[2], gates, held)[0]

    last = [x.cpu().double() for x in (*one, held)]
    exact, _ = linear_reference.step(last[0], last[1], last[2], wide[3], last[3])
    yield Part("step_linear", "decay", step, {"baddbmm": fused, "outer": spelled}, judge(step().to(draw.dtype).cpu(), exact))
    x, keep = draw(MIXED, length, D), torch.sigmoid(draw(MIXED, length, D, dtype=torch.float32) + 2).to(draw.dtype)
    exact = right.scan(x.cpu().double(), keep.cpu().double())
    loop: dict[str, Run] = {"loop": lambda: linear_reference.scan(x, keep)} if length <= FORMS and not gpu else {}
    yield Part("chunk_scan", "gated", lambda: scan(x, keep), loop, _mixed(scan(x, keep), exact, length))


def _mixed(got: Tensor, exact: Tensor, length: int) -> Verdict:
    """A state kept in half precision is rounded once a chunk: the bound of one product grows by the square root of those."""
    found = judge(got.cpu(), exact)
    if found.right or got.dtype in (torch.float32, torch.float64):
        return found
    wrong = (got.cpu().double() - exact).square().mean().sqrt() / exact.square().mean().sqrt()
    return Verdict(found.max_error, float(wrong) <= 3e-2 * max(1.0, (length / chunked.CHUNK) ** 0.5 / 4))
