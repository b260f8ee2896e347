"""Mixers on a GPU, forward only: each laid out for the one Triton attention kernel, so that none needs a kernel of its own.

Same contracts as `mix` in the file of each mixer; importing it needs triton. What a query may see becomes positions, a window
or lists of blocks. Layouts that depend on shapes alone are kept, and nothing waits for the device, so that a CUDA graph can
hold a call. Training goes through torch.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels import dispatch
from kernels.attention import gpu
from kernels.attention.spec import DENSE, Answer, Blocks, Heads, Spec
from kernels.mixers.agent import pooled
from kernels.mixers.positional import sides
from kernels.mixers.ring import chunks

SIDE = 64
"""Rows of a stretch and of its listed blocks, where a mixer's own blocks can be cut so: a tile of the kernel. A listed block is
walked whole, also behind the query, so small ones waste less."""
TOGETHER = 32
"""Stretches that choose their keys at once."""


def ring(q: Tensor, k: Tensor, v: Tensor, devices: int) -> Tensor:
    """Device i launches i + 1 times and merges once; its parts take no more than the whole answer. One machine that holds all
    keys is better served by plain attention.
    """
    held, outs = [span for span in chunks(q.shape[1], devices) if span.start < span.stop], []
    for i, rows in enumerate(held):
        parts = []
        for keys in held[: i + 1]:
            ahead = torch.arange(rows.start - keys.start, rows.stop - keys.start, device=q.device)
            parts.append(_attend(q[:, rows], k[:, keys], v[:, keys], q_positions=ahead))
        outs.append(_merged(*parts))
    return torch.cat(outs, dim=1)


def agent(q: Tensor, k: Tensor, v: Tensor, block: int) -> Tensor:
    """Two launches: agents read up to their block's end; queries see agents and their own block in one list.

    An agent has the position of the first token after its block, and stands in front of the tokens.
    """
    heads, steps, _ = q.shape
    agents = pooled(q, block)
    lists, positions = _agents(heads, steps, block, q.device)
    front = len(positions) - steps
    if front:
        read = _attend(agents, k, v, q_positions=positions[: agents.shape[1]] - 1).out
        k, v = (torch.cat((F.pad(x, (0, 0, 0, front - x.shape[1])), y), dim=1) for x, y in ((agents, k), (read, v)))
    return _attend(q, k, v, Spec(blocks=lists), positions[front:], positions).out


@functools.lru_cache(maxsize=16)
def _agents(heads: int, steps: int, block: int, device: torch.device) -> tuple[Blocks, Tensor]:
    """Which blocks of [agents, filled up; tokens] a stretch sees, and the positions of those rows, -1 where filled up."""
    finished, side = steps // block, _side(block)
    front = -(-finished // side)
    starts = torch.arange(0, steps, side)
    begins = starts // block * block
    own, earlier = (starts - begins) // side + 1, -(-(begins // block) // side)
    number = torch.arange(int((own + earlier).max()))
    places = front + (begins // side)[:, None] + number
    indices = torch.where(number < own[:, None], places, number - own[:, None])
    at = torch.full((front * side + steps,), -1)
    at[:finished] = torch.arange(1, finished + 1) * block
    at[front * side :] = torch.arange(steps)
    return _blocks(side, starts, steps, (own + earlier)[:, None], indices[:, None], heads, device), at.to(device)


def shifted(q: Tensor, k: Tensor, v: Tensor, group: int, sinks: int) -> Tensor:
    """One launch for both halves of the heads: a stretch sees its group's blocks, and the kernel counts no sink twice.

    The keys of an odd group, which has no half, are listed one by one: 8 H T bytes of lists.
    """
    heads = Heads((False,) * q.shape[0], sinks, 0) if sinks else None
    return _attend(q, k, v, Spec(heads=heads, blocks=_groups(q.shape[0], q.shape[1], group, q.device))).out


@functools.lru_cache(maxsize=16)
def _groups(heads: int, steps: int, group: int, device: torch.device) -> Blocks:
    """Stretches end where a group of either half does; each lists its group from the beginning to its own end."""
    shift = group // 2
    side = 1 if group % 2 else _side(shift)
    edges = {*range(0, steps, group), *range(group - shift, steps, group)} if group % 2 else range(0, steps, side)
    starts = torch.tensor(sorted(edges))
    shifts = torch.where(torch.arange(heads) < heads // 2, 0, shift)
    begins = ((starts[:, None] + shifts) // group * group - shifts).clamp(min=0) // side
    ends = torch.cat((starts[1:], torch.tensor([steps])))
    counts = -(-ends // side)[:, None] - begins
    return _blocks(side, starts, steps, counts, begins[..., None] + torch.arange(int(counts.max())), heads, device)


def routing(q: Tensor, k: Tensor, v: Tensor, clusters: Tensor, width: int, centroids: int) -> Tensor:
    """One launch over one sequence: tokens sorted by cluster, the heads one after the other, a window of ``width``.

    Each cluster is followed by ``width`` - 1 empty keys, so that the window never reaches into the one before: H (T + C
    ``width``) keys. Packed sequences would need none, but lengths on the host.
    """
    heads, steps, _ = q.shape
    reach = min(width, steps)
    spread = steps + centroids * (reach - 1)
    number = torch.arange(heads, device=q.device)[:, None]
    order = clusters.argsort(dim=1, stable=True)
    places = torch.arange(steps, device=q.device) + clusters.gather(1, order) * (reach - 1) + number * spread
    token, at = (order + number * steps).flatten(), places.flatten()
    keys, values = (_spread(x.flatten(0, 1)[token], at, heads * spread) for x in (k, v))
    hidden = torch.full((1, heads * spread), -torch.inf, device=q.device).index_fill_(1, at, 0.0)
    spec = Spec(heads=Heads((False,), 0, reach), key_bias=hidden)
    out = _attend(q.flatten(0, 1)[token][None], keys[None], values[None], spec, at).out[0]
    return torch.empty_like(out).index_copy_(0, token, out).view(heads, steps, -1)


def _spread(x: Tensor, at: Tensor, rows: int) -> Tensor:
    return x.new_zeros(rows, x.shape[1]).index_copy_(0, at, x)


def dynamic_mask(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, width: int) -> Tensor:
    """Two launches over single keys: those that a stretch's last row keeps, and those that its earlier rows keep besides.

    A key that is dropped is dropped for ever, so what the last row keeps is kept by every row that may see it, and a row keeps
    at most `SIDE` - 1 others. Lists take 4 H T (``width`` / 64 + 63) bytes where each row's own would take 4 H T ``width``.
    """
    if width >= q.shape[1]:
        return _attend(q, k, v, Spec(key_bias=bias)).out
    kept, dropped = _choices(bias, width)
    last = _attend(q, k, v, Spec(blocks=kept, key_bias=bias))
    return _merged(last, _attend(q, k, v, Spec(blocks=dropped, key_bias=bias), prefill_bm=16))


def _choices(bias: Tensor, width: int) -> tuple[Blocks, Blocks]:
    """Single keys for each stretch of `SIDE` rows (what its last row keeps) and for each row (what it keeps besides).

    `TOGETHER` stretches choose at once, among their own tokens and the best of what was before: H T (``width`` + 2,111) / 64
    numbers are looked at, and a dozen small launches are made for each 2,048 tokens.
    """
    heads, steps = bias.shape
    order = torch.sort(bias, dim=1, descending=True, stable=True).indices
    place = torch.empty_like(order).scatter_(1, order, _count(steps, bias).expand_as(order))
    known, found = order[:, :0], []
    for start in range(0, steps, TOGETHER * SIDE):
        known, best, counts = _best(place, known, start, width)
        found.append((best, counts))
    best, counts = (torch.cat(parts) for parts in zip(*found, strict=True))
    ends = ((_count(len(best), bias) + 1) * SIDE).clamp(max=steps)
    kept = ends.clamp(max=width).to(torch.int32)[:, None].expand(-1, heads).contiguous()
    besides = best[..., width:].repeat_interleave(SIDE, dim=0)
    return Blocks(1, _edges(steps, SIDE), kept, best[..., :width]), Blocks(1, _edges(steps, 1), counts, besides)


def _best(place: Tensor, known: Tensor, start: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """The stretches from row ``start`` on: which keys come first up to each one's end, ``width`` and `SIDE` - 1 more, int32
    [S, H, .], and how many of the last ones each row must look at, int32 [rows, H]: those it may see of them it keeps.

    place [H, T]: how many keys are wanted more than each; known [H, n]: the keys before ``start`` that come first; it comes
    back first, as it is behind these stretches.
    """
    steps = place.shape[1]
    rows = torch.arange(start, min(start + TOGETHER * SIDE, steps), device=place.device)
    among = torch.cat((known, rows.expand(len(place), -1)), dim=1)
    first = rows[::SIDE, None, None]
    hidden = place.gather(1, among).masked_fill(among >= first + SIDE, steps)
    rank, at = hidden.topk(min(width + SIDE - 1, among.shape[1]), largest=False)
    key = among.expand(len(first), -1, -1).gather(2, at)
    missing = 0, min(width + SIDE - 1, steps) - key.shape[2]
    rank = F.pad(rank, missing, value=steps)[..., width:, None]
    newcomers = (
        F.pad(place[:, start : start + len(rows)], (0, -len(rows) % SIDE), value=steps)
        .view(len(place), -1, 1, SIDE)
        .transpose(0, 1)
    )
    more = (newcomers < rank).int()
    passed = more.sum(dim=-1, keepdim=True) - more.cumsum(dim=-1)  # the key has fallen behind so many after the row
    number = _count(rank.shape[2], place)[:, None]
    mine = (passed > number) & (rank < steps)
    counts = (mine * (number + 1)).amax(dim=2).transpose(1, 2).flatten(0, 1)[: len(rows)]
    return key[-1], F.pad(key, missing).to(torch.int32), counts.to(torch.int32).contiguous()


def positional(v: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
    """One launch. The weights of positions are made anew for each text: the kernel shares keys and values alike or neither."""
    asked, held = (x.repeat(len(v) // len(queries), 1, 1) for x in sides(v, queries, keys))
    return _attend(asked, held, v).out


def over_chunks(q: Tensor, keys: Tensor, values: Tensor, chunk: int) -> Tensor:
    """RAT's softmax: one launch over the finished chunks' last rows, merged with the token's own, which needs none."""
    steps = q.shape[1]
    if steps <= chunk:
        return values
    ends = slice(chunk - 1, steps // chunk * chunk, chunk)
    earlier = _attend(q, keys[:, ends], values[:, ends], q_positions=_count(steps, q) // chunk - 1)
    wide = earlier.lse.dtype
    own = (q.to(wide) * keys.to(wide)).sum(dim=-1) * q.shape[2] ** -0.5
    return _merged(earlier, Answer(values, own))


def _attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    spec: Spec = DENSE,
    q_positions: Tensor | None = None,
    k_positions: Tensor | None = None,
    **numbers: int,
) -> Answer:
    """`attention.gpu.attend` with the launch numbers frozen for the device, but for those given."""
    return gpu.attend(q, k, v, spec, q_positions, k_positions, config={**dispatch.frozen(q.device, "attend"), **numbers})


def _merged(*parts: Answer) -> Tensor:
    if len(parts) == 1:
        return parts[0].out
    return gpu.merge(torch.stack([part.out for part in parts]), torch.stack([part.lse for part in parts])).out


def _side(run: int) -> int:
    """Rows of a listed block where a mixer looks at runs of ``run`` tokens."""
    return run if run % SIDE else SIDE


def _blocks(side: int, starts: Tensor, steps: int, counts: Tensor, indices: Tensor, heads: int, device: torch.device) -> Blocks:
    """counts [S, 1 or H], indices [S, 1 or H, M], on the host."""
    each = (x.expand(-1, heads, *x.shape[2:]).to(device, torch.int32).contiguous() for x in (counts, indices))
    return Blocks(side, (*starts.tolist(), steps), *each)


@functools.lru_cache(maxsize=16)
def _edges(steps: int, side: int) -> tuple[int, ...]:
    return (*range(0, steps, side), steps)


def _count(number: int, beside: Tensor) -> Tensor:
    return torch.arange(number, device=beside.device)
