"""The bench's rows on a CPU: decode and prefill under every policy, quantised keys, the weight-only product, the exit head, and
the small operators.

The shape is one layer of a 1.5 B coder: 12 query heads, 2 key heads of 128. Every row is first compared with its oracle at
the very length and precision that is timed. "Best of torch" is the fastest of the forms below, over the same keys in one
allocation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels import dispatch
from kernels.attention.reference import masked
from kernels.bench import small
from kernels.bench.measure import Row, Skipped, Step, Verdict, judge, race
from kernels.exit_head import reference as exit_reference
from kernels.policies import oracle
from kernels.policies.base import Explanation, Policy, Problem
from kernels.policies.registry import breaks_even, make
from kernels.quantize import cpu as quantised
from kernels.quantize import reference as quantise_reference

H, KV, D = 12, 2, 128
STEPS = 16
CHUNK = 512
HIDDEN, VOCABULARY = 1536, 32768
CHECKED_ROWS = (0, 1, 255, 511)

Found = Iterator[Row | Skipped]
Say = Callable[[str], None]

DEFAULT = ", default"
CALIBRATED_HEADS: dict[str, dict[str, Any]] = {"duo": {"full": (True, False)}, "razor": {"full": (True, False)}}
CHOOSING: dict[str, dict[str, Any]] = {name: {"alike": 1.1} for name in ("block_select", "token_select", "hip")}
"""Every step chooses, as every query does of the code that `sotto bench attention` reads."""
USUAL: dict[str, dict[str, Any]] = {**CALIBRATED_HEADS, **CHOOSING}
SMALL = {"blocks": 20, "block": 64, "parts": 1, "summary": "mean", "refresh": 8, "alike": -1.0}
POLICIES: dict[str, dict[str, Any]] = {
    "dense": {},
    "sink_window": {"sink": 64, "window": 1216, "least": 1536},
    "duo": {**CALIBRATED_HEADS["duo"], "sink": 64, "window": 256, "least": 1536},
    "block_select": {"sink": 64, "window": 64, **SMALL, "least": 4096},
    **{f"{name}{DEFAULT}": USUAL.get(name, {}) for name in ("sink_window", "duo", "block_select")},
    "razor": CALIBRATED_HEADS["razor"],
    "token_select": CHOOSING["token_select"],
    "hip": CHOOSING["hip"],
    "act": {},
}
"""The first three at the budgets that their papers give times for, a choice of blocks serving eight steps, from the length on
from which that was faster; then, and the others, at those that hold the quality of code, as a user gets them.
"""
READING = ("dense", "sink_window", "duo", f"block_select{DEFAULT}")
"""Policies whose prompts are timed. Razor's are duo's and a mean; the others are dense on a CPU."""


def usual(name: str, **options: Any) -> Policy:
    """Dense below the length from which it is faster (`kernels.policies.registry.breaks_even`), unless that is given."""
    kind = name.removesuffix(DEFAULT)
    return make(kind, **{"least": breaks_even(kind), **POLICIES[name], **options})


@dataclass(frozen=True)
class Layer:
    """Queries [H, R, D] and a cache [KV, N + R, D] of random numbers, R rows for the steps or the prompt behind N keys."""

    q: Tensor
    k: Tensor
    v: Tensor

    @classmethod
    def random(cls, length: int, rows: int, dtype: torch.dtype) -> Layer:
        generator = torch.Generator().manual_seed(length)
        # Neighbouring queries are alike, as they are in a model: cosine about 0.95.
        q = torch.randn(H, 1, D, generator=generator) + 0.23 * torch.randn(H, rows, D, generator=generator)
        k, v = torch.randn(2, KV, length + rows, D, generator=generator)
        return cls(q.to(dtype), k.to(dtype), v.to(dtype))


def torch_forms(layer: Layer, length: int) -> dict[str, Step]:
    """What torch offers for one decode step over ``length`` + step + 1 keys."""

    def step(number: int) -> tuple[Tensor, Tensor, Tensor]:
        end = length + number + 1
        return layer.q[None, :, number : number + 1], layer.k[None, :, :end], layer.v[None, :, :end]

    def shared(number: int) -> Tensor:
        return F.scaled_dot_product_attention(*step(number), enable_gqa=True)

    def packed(number: int) -> Tensor:
        q, k, v = step(number)
        return F.scaled_dot_product_attention(q.view(1, KV, H // KV, D), k, v)

    def products(number: int) -> Tensor:
        q, k, v = step(number)
        rows = q.view(KV, H // KV, D) * D**-0.5
        return torch.stack([torch.softmax(rows[h] @ k[0, h].T, dim=1) @ v[0, h] for h in range(KV)])

    return {"sdpa_gqa": shared, "sdpa_packed": packed, "matmul_packed": products}


def default_path(layer: Layer, length: int) -> Step:
    """What transformers 5 does by default: `DynamicCache` joins keys and values anew, SDPA gets shared heads."""

    def run(number: int) -> Tensor:
        end = length + number
        k, v = (torch.cat((x[None, :, :end], x[None, :, end : end + 1]), dim=2) for x in (layer.k, layer.v))
        return F.scaled_dot_product_attention(layer.q[None, :, number : number + 1], k, v, enable_gqa=True)

    return run


def decode(length: int, dtype: torch.dtype, rounds: int, say: Say) -> Found:
    """One row for each policy: a decode step at ``length`` keys."""
    layer = Layer.random(length, STEPS + 1, dtype)
    forms = torch_forms(layer, length)
    policies = {name: usual(name) for name in POLICIES}
    verdicts = {}
    for name, policy in policies.items():
        say(f"decode {name}, {length} keys, {_name(dtype)}: checking")
        verdicts[name] = _checked(layer, policy, length)
    contenders: dict[str, Step] = {**forms, "default": default_path(layer, length)}
    contenders |= {f"ours {name}": step_of(layer, made, length) for name, made in policies.items() if verdicts[name].right}
    say(f"decode, {length} keys, {_name(dtype)}: timing")
    times = race(contenders, range(1, STEPS + 1), rounds, lambda: go_back(layer, policies, length))
    best = min(forms, key=lambda name: times[name])
    for name, made in policies.items():
        if not verdicts[name].right:
            yield _wrong("decode", name, dtype, length, verdicts[name])
            continue
        ms = times[f"ours {name}"]
        size, error = _kv_bytes(made, layer, length), verdicts[name].max_error
        found = _row("decode", name, dtype, length, ms, (best, times[best]), error, size)
        yield replace(found, default_ms=times["default"], dense_ms=times.get("ours dense"), reason=made.reason)


def step_of(layer: Layer, policy: Policy, length: int) -> Step:
    def run(number: int) -> object:
        end = length + number + 1
        return policy.attend(Problem(layer.q[:, number : number + 1], layer.k[:, :end], layer.v[:, :end]))

    return run


def go_back(layer: Layer, policies: dict[str, Policy], length: int) -> None:
    """Back to before the first step, and one step that is not timed: what a policy remembers is there again."""
    for policy in policies.values():
        policy.crop(length)
        step_of(layer, policy, length)(0)


def _checked(layer: Layer, policy: Policy, length: int) -> Verdict:
    """The worst of the first steps, one of which chooses and one of which uses a choice."""
    worst = Verdict(0.0, True)
    for number in (0, 1, STEPS):
        end = length + number + 1
        problem = Problem(layer.q[:, number : number + 1], layer.k[:, :end], layer.v[:, :end])
        got = policy.attend(problem).out
        verdict = judge(got, oracle.answer(problem, policy.explain()).out)
        worst = Verdict(max(worst.max_error, verdict.max_error), worst.right and verdict.right)
    return worst


def _kv_bytes(policy: Policy, layer: Layer, length: int) -> int:
    """Keys and values one step reads, in bytes: what a cache must hold that keeps only what the policy looks at."""
    policy.attend(Problem(layer.q[:, :1], layer.k[:, : length + 1], layer.v[:, : length + 1]))
    seen = policy.explain().seen
    return int(seen.any(dim=1).sum()) * 2 * D * layer.k.element_size()


def prefill(length: int, dtype: torch.dtype, rounds: int, say: Say) -> Found:
    """The last chunk of a prompt of ``length`` tokens, the one before it being read first."""
    if length < CHUNK:
        return
    first = min(CHUNK, length - CHUNK)
    layer = Layer.random(length - CHUNK - first, first + CHUNK, dtype)
    problem = Problem(layer.q[:, first:], layer.k, layer.v)
    policies = {name: usual(name) for name in READING}
    verdicts = {}
    for name, policy in policies.items():
        say(f"prefill {name}, {length} keys, {_name(dtype)}: checking")
        verdicts[name] = _checked_rows(problem, policy)
    contenders: dict[str, Step] = dict(_prefill_forms(problem))
    forms = list(contenders)
    for name, policy in policies.items():
        if verdicts[name].right:
            contenders[f"ours {name}"] = partial(_attend, policy, problem)
    say(f"prefill, {length} keys, {_name(dtype)}: timing")
    before = Problem(layer.q[:, :first], layer.k[:, : length - CHUNK], layer.v[:, : length - CHUNK])
    times = race(contenders, [0], max(3, rounds // 2), lambda: _read_again(policies, before))
    best = min(forms, key=lambda name: times[name])
    for name, policy in policies.items():
        if not verdicts[name].right:
            yield _wrong("prefill", name, dtype, length, verdicts[name])
            continue
        ms = times[f"ours {name}"]
        policy.attend(problem)
        size = int(policy.explain().seen.any(dim=1).sum()) * 2 * D * layer.k.element_size()
        found = _row("prefill", name, dtype, length, ms, (best, times[best]), verdicts[name].max_error, size)
        yield replace(found, dense_ms=times.get("ours dense"), reason=policy.reason)


def _read_again(policies: dict[str, Policy], before: Problem) -> None:
    """Back to where the last chunk has not been read yet; what a policy remembers of the one before is there again."""
    for policy in policies.values():
        policy.crop(before.k.shape[1] - before.q.shape[1])
        if before.q.shape[1]:
            policy.attend(before)


def _prefill_forms(problem: Problem) -> dict[str, Step]:
    """torch's causal flag begins at the first key, so a later chunk needs a mask."""
    q, k, v = problem.q[None], problem.k[None], problem.v[None]
    mask = torch.ones(CHUNK, k.shape[2], dtype=torch.bool).tril(k.shape[2] - CHUNK)
    wide_k, wide_v = (x.repeat_interleave(H // KV, dim=1) for x in (k, v))
    return {
        "sdpa_gqa_mask": lambda _: F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True),
        "sdpa_wide_mask": lambda _: F.scaled_dot_product_attention(q, wide_k, wide_v, attn_mask=mask),
    }


def _checked_rows(problem: Problem, policy: Policy) -> Verdict:
    """A few rows of the chunk against the oracle: all of them would take gigabytes in float64."""
    got = policy.attend(problem).out[:, CHECKED_ROWS]
    explained = policy.explain()
    seen = Explanation(explained.seen[:, CHECKED_ROWS], None, explained.reason).seen
    exact = masked(problem.q[:, CHECKED_ROWS].double(), problem.k.double(), problem.v.double(), seen).out
    return judge(got, exact)


def quantised_keys(length: int, dtype: torch.dtype, rounds: int, say: Say) -> Found:
    """A decode step over int8 and int4 keys and values; the oracle looks at the same levels."""
    layer = Layer.random(length, 1, dtype)
    q, forms = layer.q[:, :1], torch_forms(layer, length)
    for bits in (8, 4):
        say(f"int{bits} keys, {length} keys, {_name(dtype)}")
        k, v = quantised.quantise(layer.k, bits), quantised.quantise(layer.v, bits)
        verdict = judge(quantised.attend(q, k, v).out, quantise_reference.attend(q.double(), k, v).out)
        if not verdict.right:
            yield _wrong("decode_quantised", f"int{bits}", dtype, length, verdict)
            continue
        times = race({**forms, "ours": partial(_quantised, q, k, v)}, [0], rounds, lambda: None)
        best = min(forms, key=lambda name: times[name])
        size = sum(part.numel() * part.element_size() for part in (*k, *v))
        fastest = best, times[best]
        yield _row("decode_quantised", f"int{bits}", dtype, length, times["ours"], fastest, verdict.max_error, size)


def end_of_step(dtype: torch.dtype, rounds: int, say: Say) -> Found:
    """The weight-only product and the exit head over a vocabulary; ``length`` is the vocabulary."""
    generator = torch.Generator().manual_seed(0)
    x, norm = torch.randn(1, HIDDEN, generator=generator).to(dtype), torch.rand(HIDDEN, generator=generator).to(dtype)
    weights = torch.randn(VOCABULARY, HIDDEN, generator=generator) * HIDDEN**-0.5
    levels, sizes = quantised.quantise(weights, 8)
    wide, size = weights.to(dtype), sizes[:, 0]
    say(f"weight-only product, {_name(dtype)}")
    exact = quantise_reference.linear(x.double(), levels, size)
    verdict = judge(quantised.linear(x, levels, size).to(torch.bfloat16), exact)  # its rows are rounded to bfloat16
    if verdict.right:
        pair: dict[str, Step] = {"linear": lambda _: F.linear(x, wide), "ours": lambda _: quantised.linear(x, levels, size)}
        yield _end("linear", "int8", dtype, race(pair, [0], rounds, lambda: None), "linear", verdict)
    else:
        yield _wrong("linear", "int8", dtype, VOCABULARY, verdict)
    say(f"exit head, {_name(dtype)}")
    for name, head, scale in (("wide", wide, None), ("int8", levels, size)):
        token, _, lse = dispatch.run("best", x, norm, head, scale)
        exact_token, _, exact_lse = exit_reference.best(x.double(), norm.double(), head, scale)
        verdict = judge(lse.to(torch.bfloat16), exact_lse)
        if not verdict.right or not bool((token == exact_token).all()):
            yield _wrong("exit_head", name, dtype, VOCABULARY, verdict)
            continue
        contenders: dict[str, Step] = {
            "separate": lambda _: _separate(x, norm, wide),
            "ours": partial(_best, x, norm, head, scale),
        }
        yield _end("exit_head", name, dtype, race(contenders, [0], rounds, lambda: None), "separate", verdict)


def small_operators(length: int, dtype: torch.dtype, rounds: int, say: Say) -> Found:
    """The operators that policies and mixers are made of."""
    for part in small.parts(length, dtype, torch.device("cpu")):
        say(f"{part.op} {part.policy}, {length}, {_name(dtype)}")
        if not part.verdict.right:
            yield _wrong(part.op, part.policy, dtype, length, part.verdict)
            continue
        contenders = {name: partial(_call, run) for name, run in {**part.forms, "ours": part.run}.items()}
        times = race(contenders, [0], rounds, lambda: None)
        best = min(part.forms, key=lambda name: times[name], default="")
        ours = times.pop("ours")
        yield _row(part.op, part.policy, dtype, length, ours, (best, times.get(best)), part.verdict.max_error, part.kv_bytes)


def _call(run: Callable[[], object], _: int) -> object:
    return run()


def _attend(policy: Policy, problem: Problem, _: int) -> object:
    return policy.attend(problem)


def _quantised(q: Tensor, k: tuple[Tensor, Tensor], v: tuple[Tensor, Tensor], _: int) -> object:
    return quantised.attend(q, k, v)


def _best(x: Tensor, norm: Tensor, head: Tensor, size: Tensor | None, _: int) -> object:
    return dispatch.run("best", x, norm, head, size)


def _separate(x: Tensor, norm: Tensor, head: Tensor) -> tuple[Tensor, Tensor]:
    logits = F.linear(F.rms_norm(x, (HIDDEN,), norm, 1e-6), head).float()
    return logits.max(dim=1).indices, torch.logsumexp(logits, dim=1)


def _end(op: str, policy: str, dtype: torch.dtype, times: dict[str, float], name: str, verdict: Verdict) -> Row:
    return _row(op, policy, dtype, VOCABULARY, times["ours"], (name, times[name]), verdict.max_error, 0)


def _row(
    op: str,
    policy: str,
    dtype: torch.dtype,
    length: int,
    ms: float,
    best: tuple[str, float | None],
    error: float,
    kv_bytes: int,
) -> Row:
    name, fastest = best
    ratio = None if fastest is None else fastest / ms
    return Row(op, policy, "cpu", _name(dtype), length, ms, fastest, ratio, error, kv_bytes, name)


def _wrong(op: str, policy: str, dtype: torch.dtype, length: int, verdict: Verdict) -> Skipped:
    reason = f"its answer is wrong by {verdict.max_error:.3g}: no speed is given for a wrong answer"
    return Skipped(op, policy, "cpu", _name(dtype), length, reason)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
