"""The bench's rows on a GPU: correctness in half precision, times in CUDA graphs against SDPA, and launch numbers worth
freezing.

Decode is timed in CUDA graphs because a step is shorter than a launch. The oracle is the float32 reference on the same
device. The reference's mask at 131 072 keys is small for one row; prefill is judged at `JUDGED` keys and timed at all lengths.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right

from kernels import dispatch
from kernels.attention import gpu, reference
from kernels.attention.spec import DENSE, Blocks, Heads, Spec
from kernels.bench import mixers, small
from kernels.bench.measure import Row, Skipped, Verdict, judge
from kernels.exit_head import gpu as exit_gpu
from kernels.exit_head import reference as exit_reference
from kernels.quantize import gpu as quantised
from kernels.quantize import reference as quantise_reference
from kernels.select import cpu as torch_select
from kernels.select import gpu as select

H, KV, D = 12, 2, 128
CHUNK, JUDGED = 2048, 4096
REPEATS = 50
"""Calls inside one graph: the clock of a GPU counts half microseconds, a step takes ten."""
BLOCKS, BLOCK = 20, 64
HIDDEN, VOCABULARY = 1536, 32768
TRIED = {
    "decode_bn": (32, 64, 128),
    "prefill_bm": (64, 128),
    "prefill_bn": (32, 64, 128),
    "warps": (4, 8),
    "stages": (2, 3, 4),
}
SPECS: dict[str, Spec] = {
    "dense": DENSE,
    "sink_window": Spec(heads=Heads((False, False), 64, 1216)),
    "duo": Spec(heads=Heads((True, False), 64, 256)),
}

Found = Iterator[Row | Skipped]
Run = Callable[[], object]
Parts = Callable[[int, torch.dtype, torch.device], Iterator[small.Part]]


def rows(lengths: Sequence[int], dtypes: Sequence[torch.dtype], rounds: int, freeze: bool, say: Callable[[str], None]) -> Found:
    """Every row; with ``freeze`` the launch numbers are chosen first, so that the rows show what users get."""
    device = torch.device("cuda")
    if freeze:
        say("trying launch numbers")
        dispatch.freeze(torch.cuda.get_device_name(device), {"attend": _tuned(device, say)})
        dispatch.frozen.cache_clear()
    for dtype in dtypes:
        for length in lengths:
            say(f"{length} keys, {_name(dtype)}")
            yield from _until_it_fails("decode", length, dtype, partial(_decode, length, dtype, rounds))
            yield from _until_it_fails("prefill", length, dtype, partial(_prefill, length, dtype, rounds))
            yield from _until_it_fails("small", length, dtype, partial(_parts, small.parts, length, dtype, rounds))
            for name in mixers.MIXERS:
                found = partial(_parts, partial(mixers.part, name), length, dtype, rounds)
                yield from _until_it_fails("mixer", length, dtype, found)
        yield from _until_it_fails("exit_head", VOCABULARY, dtype, partial(_exit_head, dtype, rounds))


def _tensors(length: int, count: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator("cuda").manual_seed(length)
    q = torch.randn(H, count, D, generator=generator, device="cuda", dtype=dtype)
    k, v = torch.randn(2, KV, length, D, generator=generator, device="cuda", dtype=dtype)
    return q, k, v


def _decode(length: int, dtype: torch.dtype, rounds: int) -> Found:
    q, k, v = _tensors(length, 1, dtype)
    numbers = dispatch.frozen(q.device, "attend")
    best = _fastest(decode_forms(q, k, v), rounds)
    specs = {**SPECS, "block_select": Spec(heads=Heads((False, False), 64, 64), blocks=_lists(length, q.device))}
    dense: float | None = None
    for name, spec in specs.items():
        got, exact = gpu.attend(q, k, v, spec, config=numbers).out, _exact(q, k, v, spec)
        run = partial(gpu.attend, q, k, v, spec, config=numbers)
        found = _judged("decode", name, dtype, length, judge(got, exact), run, best, _kv_bytes(name, length, q), rounds)
        dense = found.ms if name == "dense" and isinstance(found, Row) else dense
        yield replace(found, dense_ms=dense) if isinstance(found, Row) else found
    keys, values = quantised.quantise(k, 8), quantised.quantise(v, 8)
    exact = quantise_reference.attend(q.double(), keys, values).out
    verdict = judge(quantised.attend(q, keys, values).out, exact)
    size = 2 * KV * length * (D + 4)
    run = partial(quantised.attend, q, keys, values)
    yield _judged("decode_quantised", "int8", dtype, length, verdict, run, best, size, rounds)
    yield _choice(q, k, length, dtype, rounds, best)


def _choice(q: Tensor, k: Tensor, length: int, dtype: torch.dtype, rounds: int, best: tuple[str, float]) -> Row | Skipped:
    """Scoring summaries and choosing blocks, in one graph; beside a whole dense step, which is what it must be small
    against.
    """
    rows, summary = q.transpose(0, 1).contiguous(), select.summarise(k, BLOCK, "mean")
    low, high = (torch.full((1,), n, device=q.device) for n in (1, length // BLOCK - 1))

    def run() -> tuple[Tensor, Tensor]:
        return select.select(select.score(rows, summary, low, high, "mean"), BLOCKS)

    exact = torch_select.score(rows.double(), summary.double(), low, high, "mean")
    kept = exact.gather(2, run()[1]).sum() / exact.topk(BLOCKS, dim=2).values.sum()
    verdict = Verdict(float(1 - kept), abs(float(1 - kept)) < 1e-2)  # rounding may swap two blocks that are alike
    return _judged("choose_blocks", "block_select", dtype, length, verdict, run, best, summary.numel() * 2, rounds)


def _prefill(length: int, dtype: torch.dtype, rounds: int) -> Found:
    """The last chunk of a prompt."""
    count = min(CHUNK, length)
    q, k, v = _tensors(length, count, dtype)
    numbers = dispatch.frozen(q.device, "attend")
    best = _fastest(prefill_forms(q, k, v), rounds)
    dense: float | None = None
    for name in ("dense", "duo"):
        spec = SPECS[name]
        small = _tensors(min(length, JUDGED), min(256, length), dtype)
        verdict = judge(gpu.attend(*small, spec, config=numbers).out, _exact(*small, spec))
        run = partial(gpu.attend, q, k, v, spec, config=numbers)
        found = _judged("prefill", name, dtype, length, verdict, run, best, _kv_bytes(name, length, q), rounds)
        dense = found.ms if name == "dense" and isinstance(found, Row) else dense
        yield replace(found, dense_ms=dense) if isinstance(found, Row) else found


def _parts(parts: Parts, length: int, dtype: torch.dtype, rounds: int) -> Found:
    """The operators that policies and mixers are made of, and the mixers."""
    for part in parts(length, dtype, torch.device("cuda")):
        times = {name: _time(form, rounds) for name, form in part.forms.items()}
        best = min(times, key=lambda name: times[name], default="")
        found = part.op, part.policy, dtype, length, part.verdict, part.run, (best, times.get(best)), part.kv_bytes, rounds
        yield _judged(*found)


def _until_it_fails(op: str, length: int, dtype: torch.dtype, found: Callable[[], Found]) -> Found:
    """The rest of the bench goes on where one operator cannot be launched at this length."""
    try:
        yield from found()
    except Exception as error:  # out of memory, of registers or of shared memory, in Triton's own classes
        yield Skipped(op, "", "cuda", _name(dtype), length, f"broke off: {type(error).__name__}: {error}")


def _fastest(forms: dict[str, Run], rounds: int) -> tuple[str, float]:
    """The best of what torch offers; a form that this torch or GPU cannot do is left out. RuntimeError if none can."""
    times: dict[str, float] = {}
    for name, run in forms.items():
        with suppress(RuntimeError):  # torch.OutOfMemoryError is one
            run()  # what cannot run must not fail inside a graph
            times[name] = _time(run, rounds)
    if not times:
        raise RuntimeError(f"none of torch's forms runs here: {', '.join(forms)}")
    best = min(times, key=lambda name: times[name])
    return best, times[best]


def decode_forms(q: Tensor, k: Tensor, v: Tensor) -> dict[str, Run]:
    """torch's choice with shared heads and with the group packed, and both under each backend that could be better."""
    grouped = q.view(1, k.shape[0], -1, q.shape[2])
    packed = partial(F.scaled_dot_product_attention, grouped, k[None], v[None])
    shared = partial(F.scaled_dot_product_attention, q[None], k[None], v[None], enable_gqa=True)
    forms: dict[str, Run] = {"sdpa_gqa": shared, "sdpa_packed": packed}
    for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION):
        forms[f"{backend.name.lower()}_gqa"] = partial(_under, backend, shared)
        forms[f"{backend.name.lower()}_packed"] = partial(_under, backend, packed)
    return forms


def prefill_forms(q: Tensor, k: Tensor, v: Tensor) -> dict[str, Run]:
    """A later chunk: FlashAttention's causal mask that ends at the last key, over widened heads; and a written mask."""
    count, length = q.shape[1], k.shape[1]
    mask = torch.ones(count, length, dtype=torch.bool, device=q.device).tril(length - count)
    wide_k, wide_v = (x[None].repeat_interleave(q.shape[0] // k.shape[0], dim=1) for x in (k, v))
    attention, lower_right = F.scaled_dot_product_attention, causal_lower_right(count, length)
    return {
        "sdpa_lower_right": partial(attention, q[None], wide_k, wide_v, attn_mask=lower_right),
        "sdpa_gqa_mask": partial(attention, q[None], k[None], v[None], attn_mask=mask, enable_gqa=True),
        "sdpa_wide_mask": partial(attention, q[None], wide_k, wide_v, attn_mask=mask),
    }


def _under(backend: SDPBackend, run: Run) -> object:
    with sdpa_kernel(backend):
        return run()


def _exit_head(dtype: torch.dtype, rounds: int) -> Found:
    generator = torch.Generator("cuda").manual_seed(0)
    x, norm = (torch.randn(n, HIDDEN, generator=generator, device="cuda", dtype=dtype) for n in (1, 1))
    weights = torch.randn(VOCABULARY, HIDDEN, generator=generator, device="cuda") * HIDDEN**-0.5
    levels, sizes = quantised.quantise(weights, 8)
    wide = weights.to(dtype)

    def separate() -> tuple[Tensor, Tensor]:
        logits = F.linear(F.rms_norm(x, (HIDDEN,), norm[0], 1e-6), wide).float()
        return logits.max(dim=1).indices, torch.logsumexp(logits, dim=1)

    best = "separate", _time(separate, rounds)
    size = sizes[:, 0].contiguous()
    product = partial(quantised.linear, x, levels, size)
    verdict = judge(product(), quantise_reference.linear(x.double(), levels, size))
    plain = "linear", _time(lambda: F.linear(x, wide), rounds)
    yield _judged("linear", "int8", dtype, VOCABULARY, verdict, product, plain, 0, rounds)
    for name, head, scale in (("wide", wide, None), ("int8", levels, size)):
        token, _, lse = exit_gpu.best(x, norm[0], head, scale)
        exact_token, _, exact_lse = exit_reference.best(x.double(), norm[0].double(), head, scale)
        verdict = judge(lse.to(dtype), exact_lse)
        verdict = Verdict(verdict.max_error, verdict.right and bool((token == exact_token).all()))
        run = partial(exit_gpu.best, x, norm[0], head, scale)
        yield _judged("exit_head", name, dtype, VOCABULARY, verdict, run, best, 0, rounds)


def _lists(length: int, device: torch.device) -> Blocks:
    generator = torch.Generator().manual_seed(length)
    last = length // BLOCK - 1
    chosen = [torch.randperm(last - 1, generator=generator)[:BLOCKS].sort().values + 1 for _ in range(KV)]
    indices = torch.stack(chosen)[None].to(device)
    return Blocks(BLOCK, (0, 1), torch.full((1, KV), indices.shape[2], device=device), indices)


def _exact(q: Tensor, k: Tensor, v: Tensor, spec: Spec) -> Tensor:
    """The reference on the CPU in float64: a row over 131 072 keys takes a second."""
    lists = spec.blocks
    held = None if lists is None else Blocks(lists.size, lists.starts, lists.counts.cpu(), lists.indices.cpu())
    found = reference.attend(q.cpu().double(), k.cpu().double(), v.cpu().double(), Spec(heads=spec.heads, blocks=held))
    return found.out.to(q.device)


def _kv_bytes(name: str, length: int, q: Tensor) -> int:
    kept = {"dense": 2 * length, "sink_window": 2 * 1280, "duo": length + 320, "block_select": 2 * (128 + BLOCKS * BLOCK)}
    return kept[name] * 2 * D * q.element_size()


def _judged(
    op: str,
    policy: str,
    dtype: torch.dtype,
    length: int,
    verdict: Verdict,
    run: Run,
    best: tuple[str, float | None],
    kv: int,
    rounds: int,
) -> Row | Skipped:
    if not verdict.right:
        reason = f"its answer is wrong by {verdict.max_error:.3g}: no speed is given for a wrong answer"
        return Skipped(op, policy, "cuda", _name(dtype), length, reason)
    ms = _time(run, rounds)
    name, fastest = best
    ratio = None if fastest is None else fastest / ms
    return Row(op, policy, "cuda", _name(dtype), length, ms, fastest, ratio, verdict.max_error, kv, name)


def _time(run: Run, rounds: int) -> float:
    """Milliseconds a call: `REPEATS` calls in one CUDA graph, the median of the rounds."""
    side: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # compiles, and fills the tables that are copied from the host once
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(REPEATS):
            run()
    times: list[float] = []
    for _ in range(rounds + 1):
        start, end = _event(), _event()
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / REPEATS)
    return sorted(times[1:])[rounds // 2]


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def _tuned(device: torch.device, say: Callable[[str], None]) -> dict[str, int]:
    """Decode's and prefill's numbers one after the other; what does not compile on this GPU is left out."""
    found: dict[str, int] = {}
    row, chunk = _tensors(65536, 1, torch.bfloat16), _tensors(16384, CHUNK, torch.bfloat16)
    for names, tensors in ((("decode_bn",), row), (("prefill_bm", "prefill_bn", "warps", "stages"), chunk)):
        timed: list[tuple[float, dict[str, int]]] = []
        for values in itertools.product(*(TRIED[name] for name in names)):
            tried = {**found, **dict(zip(names, values, strict=True))}
            try:
                timed.append((_time(partial(gpu.attend, *tensors, config=tried), 5), tried))
            except Exception as error:  # out of shared memory or registers, in Triton's own classes
                say(f"{tried}: {type(error).__name__}")
        found = min(timed, key=lambda entry: entry[0])[1] if timed else found
    return found


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
