"""Attention through torch's fused CPU kernel: `attention` for one causal stretch, `attend` for all that a `Spec` can say.

A few query rows go to the compiled code (`kernels.attention.compiled`) where it stands ready and the problem is one for it:
it reads stretches of keys where they are, torch wants them side by side. Same contracts as in `kernels.attention.reference`,
which tests compare them with. A key that nobody may see is never read where rows stand in order; where positions are given,
empty rows are left out first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.attention import compiled, compiled_each, compiled_prompt
from kernels.attention.spec import DENSE, Answer, Blocks, Heads, Lengths, Spec, check
from kernels.attention.torch_flash import Part, dense, fused, merge, pack, plain

CHUNK = 256
"""Query rows of a prefill that share one slice of keys: a wider chunk wastes work on the diagonal, a narrower one calls
more.
"""


def attention(q: Tensor, k: Tensor, v: Tensor, start: int = 0) -> Tensor:
    """q [..., H, T, d]; k and v [..., KV, S, d]; query t sees the keys up to ``start + t``. Returns [..., H, T, d]."""
    length = q.shape[-2]
    end = start + length
    k, v = k[..., :end, :], v[..., :end, :]
    group = q.shape[-3] // k.shape[-3]
    if group > 1:
        # Folding the group into the query rows reads each shared key once and needs no copy of K and V.
        if length == 1:
            shared = q.reshape(*q.shape[:-3], k.shape[-3], group, q.shape[-1])
            return F.scaled_dot_product_attention(shared, k, v).reshape(q.shape)
        k, v = k.repeat_interleave(group, dim=-3), v.repeat_interleave(group, dim=-3)
    if length == 1:
        return F.scaled_dot_product_attention(q, k, v)
    if start == 0:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    mask = torch.ones(length, end, dtype=torch.bool, device=q.device).tril(diagonal=start)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    spec: Spec = DENSE,
    q_positions: Tensor | None = None,
    k_positions: Tensor | None = None,
    lengths: Lengths | None = None,
) -> Answer:
    """q [H, T, D], k and v [KV, N, D]. See `reference.attend`; leave positions out where row = position, it is faster."""
    if q_positions is None and k_positions is None and lengths is None:  # a step of a model, mostly
        found = _compiled(q, k, v, spec, k.shape[1] - q.shape[1])
        if found is not None:
            return found if spec.sink_logit is None else with_sink(found, spec.sink_logit)
    check(q, k, v, spec)
    if lengths is not None:
        parts = [_sequence(q, k, v, spec, lengths, i) for i in range(len(lengths.queries) - 1)]
        return _finish(torch.cat([p[0] for p in parts], 1), torch.cat([p[1] for p in parts], 1), spec)
    start = _start(q_positions, k_positions, q.shape[1], k.shape[1])
    found = None if start is None or q_positions is None else _compiled(q, k, v, spec, start)
    if found is not None:
        return found if spec.sink_logit is None else with_sink(found, spec.sink_logit)
    if start is None:
        return _finish(*_by_position(q, k, v, spec, q_positions, k_positions), spec)
    return _finish(*_in_order(q, k, v, spec, start), spec)


def _compiled(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int) -> Answer | None:
    """The compiled code that is for a problem: a prompt on the matrix unit, few rows, rows with lists of their own."""
    if q.shape[1] == 1:
        return compiled.attend(q, k, v, spec, start)
    if q.shape[1] * q.shape[0] < compiled_prompt.MANY * k.shape[0]:
        found = compiled.attend(q, k, v, spec, start)
        if found is not None:
            return found
    found = compiled_prompt.attend(q, k, v, spec, start)
    if found is None:
        found = compiled.attend(q, k, v, spec, start)
    return found if found is not None else compiled_each.attend(q, k, v, spec, start)


def _finish(out: Tensor, lse: Tensor, spec: Spec) -> Answer:
    found = Answer(out, lse)
    return found if spec.sink_logit is None else with_sink(found, spec.sink_logit)


def with_sink(found: Answer, logit: Tensor) -> Answer:
    """The sink logit [H] joins last: it only takes weight away."""
    sink = logit.to(found.lse.dtype)[:, None]
    out = (found.out * torch.sigmoid(found.lse - sink)[..., None]).to(found.out.dtype)
    return Answer(out, torch.logaddexp(found.lse, sink.expand_as(found.lse)))


def _start(q_positions: Tensor | None, k_positions: Tensor | None, rows: int, keys: int) -> int | None:
    """The first query's position where keys and queries stand in order without gaps; else None."""
    if k_positions is not None:
        return None
    if q_positions is None:
        return keys - rows
    start = int(q_positions[0])
    in_order = rows == 1 or bool((q_positions == torch.arange(start, start + rows)).all())
    return start if in_order and start + rows <= keys else None


def _sequence(q: Tensor, k: Tensor, v: Tensor, spec: Spec, lengths: Lengths, i: int) -> Part:
    if spec.blocks is not None:
        raise ValueError("block lists count rows of one sequence; call once for each sequence")
    (a, b), (c, d) = lengths.queries[i : i + 2], lengths.keys[i : i + 2]
    bias = None if spec.key_bias is None else spec.key_bias[:, c:d]
    own = Spec(spec.scale, spec.heads, None, bias, None, spec.softcap)
    return _in_order(q[:, a:b], k[:, c:d], v[:, c:d], own, d - c - (b - a))


def runs(full: tuple[bool, ...]) -> Iterator[tuple[int, int, bool]]:
    """Neighbouring key heads of one kind as (first, end, full): slices, where picking single heads would copy the cache."""
    first = 0
    for head in range(1, len(full) + 1):
        if head == len(full) or full[head] != full[first]:
            yield first, head, full[first]
            first = head


def _in_order(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int) -> Part:
    """Rows are positions: key rows are cut out as slices and most masks vanish."""
    k, v = k[:, : start + q.shape[1]], v[:, : start + q.shape[1]]
    if spec.blocks is None and spec.heads is None:
        return _run(q, k, v, spec, start, 0, True)
    group = q.shape[0] // k.shape[0]
    outs = []
    for first, end, full in runs(spec.heads.full if spec.heads is not None else (True,) * k.shape[0]):
        rows = q[first * group : end * group]
        keys, values = k[first:end], v[first:end]
        parts = [] if spec.heads is None else [_run(rows, keys, values, spec, start, first, full)]
        if spec.blocks is not None and (spec.heads is None or not full):
            parts.append(_stretches(rows, keys, values, spec, spec.blocks, start, first))
        outs.append(merge(parts))
    return torch.cat([out for out, _ in outs]), torch.cat([lse for _, lse in outs])


def _run(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int, first: int, full: bool) -> Part:
    """Key heads of one kind: one row goes straight through, more go chunk by chunk."""
    scale = spec.scale or q.shape[2] ** -0.5
    if q.shape[1] == 1 and spec.key_bias is None and not spec.softcap:
        packed = pack(q, k.shape[0])
        keep = [(0, start + 1)] if full else _near(spec.heads, start, start + 1)
        parts = [dense(packed, k[:, a:b], v[:, a:b], scale, torch.get_num_threads()) for a, b in keep]
        out, lse = merge(parts)
        return out.reshape(q.shape), lse.reshape(q.shape[:2])
    plain = spec.key_bias is None and not spec.softcap
    chunk = (_full_chunk if full else _near_chunk) if plain else _masked_chunk
    parts = []
    for a in range(0, q.shape[1], CHUNK):
        rows = q[:, a : a + CHUNK]
        parts.append(chunk(rows, k, v, spec, start + a, first, full))
    return torch.cat([out for out, _ in parts], dim=1), torch.cat([lse for _, lse in parts], dim=1)


def _near(heads: Heads | None, newest: int, end: int) -> list[tuple[int, int]]:
    """Sink and window, as row ranges, of queries at ``newest`` and later, keys before ``end``."""
    assert heads is not None
    low = max(0, newest - heads.window + 1)
    return [(0, end)] if low <= heads.sink else [(0, heads.sink), (low, end)][heads.sink == 0 :]


def _full_chunk(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int, first: int, full: bool) -> Part:
    """The past needs no mask and is read once for a whole group; the diagonal square is torch's own causal case."""
    return merge([_square(q, k, v, spec, start), *_past(q, k, v, spec, [(0, start)])])


def _near_chunk(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int, first: int, full: bool) -> Part:
    """Sink, what lies in every row's window and the diagonal need no mask; what leaves the window row by row is, both turned
    round, causal too. A mask takes torch 1.3 times as long (float32, window 3,072).
    """
    assert spec.heads is not None
    sink, window, rows = spec.heads.sink, spec.heads.window, q.shape[1]
    oldest, low = start - window + 1, start + rows - window
    if low <= sink:  # the newest row's window still reaches the sink
        return _full_chunk(q, k, v, spec, start, first, full)
    if oldest < sink or low > start:
        return _masked_chunk(q, k, v, spec, start, first, full)
    parts = [_square(q, k, v, spec, start), *_past(q, k, v, spec, [(0, sink), (low, start)])]
    if rows > 1:
        out, lse = _square(q[:, :-1].flip(1), k[:, oldest:low].flip(1), v[:, oldest:low].flip(1), spec, 0)
        parts.append((F.pad(out.flip(1), (0, 0, 0, 1)), F.pad(lse.flip(1), (0, 1), value=-math.inf)))
    return merge(parts)


def _square(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int) -> Part:
    """Row t of q over the keys ``start`` to ``start + t``."""
    group, rows, scale = q.shape[0] // k.shape[0], q.shape[1], spec.scale or q.shape[2] ** -0.5
    keys, values = (x[:, None, start : start + rows].expand(-1, group, -1, -1) for x in (k, v))
    out, lse = fused(q.reshape(len(k), group, rows, -1), keys, values, scale, causal=True)
    return out.reshape(q.shape), lse.reshape(q.shape[:2])


def _past(q: Tensor, k: Tensor, v: Tensor, spec: Spec, ranges: list[tuple[int, int]]) -> list[Part]:
    """All rows over the keys from each first to each end number; empty ranges are left out."""
    packed, scale = pack(q, k.shape[0]), spec.scale or q.shape[2] ** -0.5
    parts = [dense(packed, k[:, low:high], v[:, low:high], scale, 1) for low, high in ranges if low < high]
    return [(out.reshape(q.shape), lse.reshape(q.shape[:2])) for out, lse in parts]


def _masked_chunk(q: Tensor, k: Tensor, v: Tensor, spec: Spec, start: int, first: int, full: bool) -> Part:
    """Sink, window and chunk side by side, under one mask: a small dense problem, however long the past is."""
    end = start + q.shape[1]
    keep = [(0, end)] if full else _near(spec.heads, start, end)
    rows = torch.arange(start, end)
    held = torch.cat([torch.arange(a, b) for a, b in keep])
    keys, values = (torch.cat([x[:, a:b] for a, b in keep], 1) if len(keep) > 1 else x[:, keep[0][0] : end] for x in (k, v))
    bias = None if spec.key_bias is None else spec.key_bias[first : first + k.shape[0], held]
    return _under(q, keys, values, spec, _sees(spec.heads, full, rows, held)[None], bias)


def _sees(heads: Heads | None, full: bool, rows: Tensor, held: Tensor) -> Tensor:
    """bool [T, n]: causal, and near where the head is not full."""
    distance = rows[:, None] - held[None, :]
    seen = distance >= 0
    if not full and heads is not None:
        seen &= (distance < heads.window) | (held < heads.sink)
    return seen


def _under(q: Tensor, k: Tensor, v: Tensor, spec: Spec, seen: Tensor, bias: Tensor | None) -> Part:
    """q [H, T, D] over k and v [KV, n, D] under the mask ``seen`` [1 or KV, T, n] and a bias [KV, n]."""
    kv_heads, scale, group = k.shape[0], spec.scale or q.shape[2] ** -0.5, q.shape[0] // k.shape[0]
    exact = q.dtype if bias is None else torch.promote_types(q.dtype, torch.float32)
    mask = torch.zeros(seen.shape, dtype=exact).masked_fill_(~seen, -math.inf)[:, None]
    if bias is not None:
        mask = mask + bias[:, None, None, :].to(exact)
    grouped = q.reshape(kv_heads, group, *q.shape[1:])
    keys, values = (x[:, None].expand(-1, group, -1, -1) for x in (k, v))
    if bias is not None or spec.softcap:
        out, lse = plain(grouped, keys, values, scale, mask, spec.softcap)
    else:
        if q.shape[1] == 1:  # one token: the group's heads become the rows of one read of the keys
            grouped, keys, values = grouped.transpose(1, 2), k[:, None], v[:, None]
        out, lse = fused(grouped, keys, values, scale, mask)
    return out.reshape(q.shape), lse.reshape(q.shape[:2])


def _stretches(q: Tensor, k: Tensor, v: Tensor, spec: Spec, blocks: Blocks, start: int, first: int) -> Part:
    """The listed blocks of each stretch are gathered into one small dense problem."""
    parts = []
    for s in range(len(blocks.starts) - 1):
        a, b = blocks.starts[s], blocks.starts[s + 1]
        counts, indices = (x[s, first : first + k.shape[0]] for x in (blocks.counts, blocks.indices))
        indices = indices[:, : int(counts.max())].long()
        parts.append(_listed(q[:, a:b], k, v, spec, (blocks.size, counts, indices), start + a, first))
    return torch.cat([out for out, _ in parts], dim=1), torch.cat([lse for _, lse in parts], dim=1)


def _listed(q: Tensor, k: Tensor, v: Tensor, spec: Spec, lists: tuple[int, Tensor, Tensor], start: int, first: int) -> Part:
    size, counts, indices = lists
    inside = torch.arange(indices.shape[1])[None] < counts[:, None]
    indices = torch.where(inside, indices, 0)
    held = (indices[:, :, None] * size + torch.arange(size)).flatten(1)
    keys, values = (_gather(x, indices, size) for x in (k, v))
    rows = torch.arange(start, start + q.shape[1])
    seen = inside.repeat_interleave(size, dim=1)[:, None, :] & (held[:, None, :] <= rows[None, :, None])
    if spec.heads is not None:  # sink and window are counted already
        near = (held < spec.heads.sink)[:, None, :] | (held[:, None, :] > rows[None, :, None] - spec.heads.window)
        seen &= ~near
    bias = None
    if spec.key_bias is not None:
        bias = spec.key_bias[first : first + k.shape[0]].gather(1, held.clamp(max=k.shape[1] - 1))
    return _under(q, keys, values, spec, seen, bias)


def _gather(x: Tensor, indices: Tensor, size: int) -> Tensor:
    """Blocks of rows of x [KV, N, D] by indices [KV, M] -> [KV, M * size, D]; rows behind N come back as zeros.

    Advanced indexing copies a whole block at once; `gather` copies element by element and is five times slower.
    """
    whole = x.shape[1] // size
    heads = torch.arange(x.shape[0])[:, None]
    if not whole:
        blocks = x.new_zeros(*indices.shape, size, x.shape[2])
    else:
        blocks = x[:, : whole * size].view(x.shape[0], whole, size, -1)[heads, indices.clamp(max=whole - 1)]
    if bool((indices >= whole).any()):
        last = F.pad(x[:, whole * size :], (0, 0, 0, size - (x.shape[1] - whole * size)))
        blocks = torch.where((indices == whole)[:, :, None, None], last[:, None], blocks)
        blocks = blocks.masked_fill((indices > whole)[:, :, None, None], 0.0)
    return blocks.flatten(1, 2)


def _by_position(q: Tensor, k: Tensor, v: Tensor, spec: Spec, q_positions: Tensor | None, k_positions: Tensor | None) -> Part:
    """Rows in any order, some of them empty: one mask over all rows that hold something some query may see."""
    held = torch.arange(k.shape[1]) if k_positions is None else k_positions
    rows = torch.arange(k.shape[1] - q.shape[1], k.shape[1]) if q_positions is None else q_positions
    seen = visible(spec, k.shape[0], rows, held)
    bias = spec.key_bias
    if not bool((held >= 0).all() & (held <= rows.max()).all()):
        used = seen.any(dim=1).any(dim=0).nonzero()[:, 0]
        k, v, seen = k[:, used], v[:, used], seen[:, :, used]
        bias = None if bias is None else bias[:, used]
    if bias is None and not spec.softcap and q.shape[1] == 1 and bool(seen.all()):
        scale = spec.scale or q.shape[2] ** -0.5
        found = compiled.attend(q, k, v, Spec(scale), k.shape[1] - 1)
        if found is not None:
            return found.out, found.lse
        out, lse = dense(pack(q, k.shape[0]), k, v, scale, torch.get_num_threads())
        return out.reshape(q.shape), lse.reshape(q.shape[:2])
    return _under(q, k, v, spec, seen, bias)


def visible(spec: Spec, kv_heads: int, rows: Tensor, held: Tensor) -> Tensor:
    """`reference.visible` in whole-tensor steps: [KV, T, N], or [1, T, N] where all key heads are alike."""
    seen = torch.stack([_sees(spec.heads, full, rows, held) for full in _kinds(spec, kv_heads)])
    if spec.heads is None and spec.blocks is not None:
        seen = torch.zeros_like(seen)
    if spec.blocks is not None:
        seen = seen.expand(kv_heads, -1, -1) | _named(spec.blocks, rows, held, kv_heads)
    return seen & (held >= 0)


def _kinds(spec: Spec, kv_heads: int) -> tuple[bool, ...]:
    """Full or not for each key head, one entry where all are alike."""
    full = spec.heads.full if spec.heads is not None else (True,)
    return full if len(set(full)) > 1 else full[:1]


def _named(blocks: Blocks, rows: Tensor, held: Tensor, kv_heads: int) -> Tensor:
    """Keys that the lists name and that are not in a query's future, bool [KV, T, N]."""
    named = torch.zeros(kv_heads, len(rows), len(held), dtype=torch.bool)
    for s in range(len(blocks.starts) - 1):
        inside = torch.arange(blocks.indices.shape[2])[None] < blocks.counts[s][:, None]
        chosen = (
            torch.where(inside, blocks.indices[s].long(), 0)[:, :, None] * blocks.size + torch.arange(blocks.size)
        ).flatten(1)
        wanted = inside.repeat_interleave(blocks.size, dim=1) & (chosen < len(held))
        hit = torch.zeros(kv_heads, len(held), dtype=torch.int32)
        hit.scatter_add_(1, chosen.clamp(max=len(held) - 1), wanted.int())
        named[:, blocks.starts[s] : blocks.starts[s + 1]] = (hit > 0)[:, None, :]
    return named & (held[None, :] <= rows[:, None])
