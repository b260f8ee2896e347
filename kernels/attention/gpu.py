"""Attention and the merge of its parts on a GPU: lays out the work and starts the Triton kernels.

Same contract as `kernels.attention.reference`. Importing it needs triton. Knows launch numbers only as arguments: where frozen
ones come from is `kernels.dispatch`'s business.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.attention.spec import DENSE, Answer, Heads, Lengths, Spec, check, packed_positions, query_positions
from kernels.attention.triton_kernel import attend_kernel, merge_kernel
from kernels.launch import operands, power, sums

FOREVER = 2**30
"""The window of a full head: larger than any position."""
DECODE_ROWS = 16
WIDEST = 128
"""Packed rows of a decode tile: the sums of more do not fit the registers."""
SUMS = 8192
"""Sums of a tile that four warps hold in registers; twice as many spill two thousand bytes a thread."""
DEFAULTS = {"decode_bm": 16, "decode_bn": 64, "prefill_bm": 64, "prefill_bn": 64, "warps": 4, "stages": 2}


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    spec: Spec = DENSE,
    q_positions: Tensor | None = None,
    k_positions: Tensor | None = None,
    lengths: Lengths | None = None,
    *,
    scales: tuple[Tensor, Tensor] | None = None,
    splits: int = 0,
    config: Mapping[str, int] | None = None,
    softplus: tuple[float, float] | None = None,
    sigmoid: bool = False,
) -> Answer:
    """See `reference.attend`. ``scales`` ([KV, N] each) says that k and v are int8 levels; ``splits`` 0 chooses by the
    device; a sink logit may be one of each row, [H, T]; values may have another size than keys (what is narrower is filled up
    with zeros).

    Two other ways to weigh logits, for a query that sees the n keys up to its position: ``softplus`` (steepness, power), in
    proportion to softplus(steepness log(n + e - 1) logit) ** power; ``sigmoid``, by sigmoid(logit - log n) and nothing to
    divide by: ``lse`` is then the log of the weights' sum. ValueError for a sigmoid with softplus or a sink logit.
    """
    scale, width = spec.scale or q.shape[2] ** -0.5, v.shape[2]
    if q.shape[2] != width:
        q, k, v = (F.pad(x, (0, max(q.shape[2], width) - x.shape[2])) for x in (q, k, v))
    check(q, k, v, spec)
    if sigmoid and (softplus is not None or spec.sink_logit is not None):
        raise ValueError("a sigmoid weighs each key by itself: it goes with neither softplus nor a sink logit")
    numbers = {**DEFAULTS, **(config or {})}
    heads, count, size = q.shape
    kv_heads, keys = k.shape[:2]
    group = heads // kv_heads
    few = count <= DECODE_ROWS
    packed, row = power(min(count, DECODE_ROWS) * group) if few else 0, power(size) * max(q.element_size(), k.element_size())
    bm, bn, stages = tile(numbers, packed, power(group), row, _shared(q.device))
    warps = max(numbers["warps"], 8 if bm * power(size) > SUMS else 0)
    if spec.blocks is not None and lengths is not None:
        raise ValueError("block lists count rows of one sequence; call once for each sequence")
    stretches = (0, count) if spec.blocks is None else spec.blocks.starts
    table = _table(stretches, keys, lengths, bm // group, q.device)
    if lengths is not None:
        q_positions, k_own = packed_positions(lengths, q.device)
        k_positions = None if k_positions is None else k_own
    rows = query_positions(count, keys, q.device) if q_positions is None else q_positions
    splits = splits or (_splits(q.device, kv_heads * table.shape[0], keys, bn) if few else 1)
    exact = torch.promote_types(q.dtype, torch.float32)
    out = torch.empty(splits, heads, count, size, dtype=q.dtype if splits == 1 else exact, device=q.device)
    lse = torch.empty(splits, heads, count, dtype=exact, device=q.device)
    nothing = rows  # a pointer for what this problem does not have
    lists = spec.blocks
    counts, indices = (nothing, nothing) if lists is None else (lists.counts, lists.indices)
    bias = nothing if spec.key_bias is None else spec.key_bias.contiguous()
    sinks = nothing[None] if spec.sink_logit is None else spec.sink_logit.reshape(heads, -1).expand(heads, count)
    k_scale, v_scale = scales or (nothing, nothing)
    k, v, q = (x if x.stride(2) == 1 else x.contiguous() for x in (k, v, q))
    attend_kernel[(table.shape[0], kv_heads, splits)](
        q, k, v, out, lse, table,
        rows.to(torch.int32), nothing if k_positions is None else k_positions.to(torch.int32),
        _windows(spec.heads, kv_heads, q.device),
        counts, indices, bias, sinks, k_scale, v_scale,
        q.stride(0), q.stride(1), k.stride(0), k.stride(1), v.stride(0), v.stride(1),
        out.stride(0), out.stride(1), out.stride(2), lse.stride(0), lse.stride(1),
        0 if spec.key_bias is None else bias.stride(0), 0 if scales is None else k_scale.stride(0),
        counts.stride(0), indices.stride(0), 0 if lists is None else indices.stride(1),
        sinks.stride(0), sinks.stride(1),
        count, 0 if spec.heads is None else spec.heads.sink, keys, splits,
        scale, spec.softcap, *(softplus or (1.0, 1.0)),
        GROUP=group, D=size, BM=bm, BN=bn, BD=power(size), SIZE=1 if lists is None else lists.size,
        RANGE=lists is None or spec.heads is not None, LISTS=lists is not None, KPOS=k_positions is not None,
        BIAS=spec.key_bias is not None, SINK=spec.sink_logit is not None, CAP=spec.softcap > 0, QUANT=scales is not None,
        SOFTPLUS=softplus is not None, SIGMOID=sigmoid, UP=operands(q), ACC=sums(q),
        num_warps=warps, num_stages=stages,
    )  # fmt: skip
    if splits == 1:
        return Answer(out[0, ..., :width], lse[0])
    merged = Answer(out.sum(dim=0), torch.logsumexp(lse, dim=0)) if sigmoid else merge(out, lse)
    return Answer(merged.out[..., :width].to(q.dtype), merged.lse)


def tile(numbers: Mapping[str, int], rows: int, group: int, row: int, shared: int) -> tuple[int, int, int]:
    """Packed query rows and keys of a tile, and its stages. ``rows``: of a decode step, 0 for a prefill; ``row``, ``shared``:
    bytes of a key and of a block's memory.

    Launch numbers are measured for heads of 128 in half precision; longer rows get fewer keys or stages, so that a tile fits.
    A group is never cut, and the rows of a large one become several tiles.
    """
    bm = max(group, max(numbers["decode_bm"], min(rows, WIDEST)) if rows else numbers["prefill_bm"])
    bn, stages = numbers["decode_bn" if rows else "prefill_bn"], numbers["stages"]
    while (bm + 2 * bn * stages) * row > shared:
        if stages > 2:
            stages -= 1
        elif bn > 16:
            bn //= 2
        elif bm > group:
            bm //= 2
        elif stages > 1:
            stages -= 1
        else:
            break
    return bm, bn, stages


@functools.lru_cache(maxsize=16)
def _shared(device: torch.device) -> int:
    """Bytes of shared memory a tile may plan with: float32 products in three parts take a quarter more than the tiles."""
    if device.type != "cuda":
        return 120 * 1024
    found: Any = torch.cuda.get_device_properties(device)
    return int(getattr(found, "shared_memory_per_block_optin", 96 * 1024)) * 3 // 4


def merge(outs: Tensor, lses: Tensor) -> Answer:
    """outs [n, H, T, D], lses [n, H, T]; see `reference.merge`."""
    parts, size = outs.shape[0], outs.shape[-1]
    flat, denominators = outs.contiguous().view(parts, -1, size), lses.contiguous().view(parts, -1)
    out = torch.empty(outs.shape[1:], dtype=outs.dtype, device=outs.device)
    lse = torch.empty(lses.shape[1:], dtype=lses.dtype, device=lses.device)
    merge_kernel[(flat.shape[1],)](
        flat, denominators, out, lse, flat.stride(0), flat.stride(1), denominators.stride(0), parts,
        D=size, BD=power(size), ACC=sums(lses),
    )  # fmt: skip
    return Answer(out, lse)


@functools.lru_cache(maxsize=64)
def _windows(heads: Heads | None, kv_heads: int, device: torch.device) -> Tensor:
    """Copied to the device once: a CUDA graph cannot copy from the host."""
    if heads is None:
        return torch.full((kv_heads,), FOREVER, dtype=torch.int32, device=device)
    return torch.tensor([FOREVER if full else heads.window for full in heads.full], dtype=torch.int32, device=device)


def _splits(device: torch.device, programs: int, keys: int, bn: int) -> int:
    """Enough programs for every multiprocessor, none with fewer than four key tiles."""
    if device.type != "cuda":
        return 2
    wanted = torch.cuda.get_device_properties(device).multi_processor_count // max(1, programs)
    return max(1, min(wanted, keys // (4 * bn)))


@functools.lru_cache(maxsize=64)
def _table(stretches: tuple[int, ...], keys: int, lengths: Lengths | None, step: int, device: torch.device) -> Tensor:
    """int32 [P, 5]: first and end query row, first and end key row and the list of every tile of ``step`` tokens."""
    if lengths is not None:
        spans = [(a, b, x, y, 0) for (a, b), (x, y) in zip(pairwise(lengths.queries), pairwise(lengths.keys), strict=True)]
    else:
        spans = [(a, b, 0, keys, s) for s, (a, b) in enumerate(pairwise(stretches))]
    rows = [(a, min(a + step, end), x, y, s) for first, end, x, y, s in spans for a in range(first, end, step)]
    return torch.tensor(rows, dtype=torch.int32, device=device)
