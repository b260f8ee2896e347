"""Policies whose keys are known before any query: sink and window for all heads, and DuoAttention's two kinds of heads.

A single row of a streaming head reads a ring of its own (sink and window beside each other) instead of two far ends of the
cache: at 16 384 keys that is one small dense product. The ring is a copy; whether the rest of the cache is kept is its owner's
business.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from kernels import dispatch
from kernels.attention.cpu import runs
from kernels.attention.spec import Answer, Heads, Spec
from kernels.policies.base import Plan, Policy, Problem


class Ring:
    """Keys and values [n, sink + window, D] of the streaming heads, as the newest position sees them."""

    def __init__(self, heads: list[int], sink: int, window: int) -> None:
        self._heads, self._sink, self._window = heads, sink, window
        self._end = 0
        self._held: tuple[Tensor, Tensor] | None = None

    def at(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """The rows that the last of k's and v's [KV, N, D] positions sees; N is at least sink + window."""
        end = k.shape[1]
        if self._held is None or not 0 <= end - self._end <= self._window:
            shape = (len(self._heads), self._sink + self._window, k.shape[2])
            self._held = (k.new_empty(shape), v.new_empty(shape))
            self._end = end - self._window
            for held, x in zip(self._held, (k, v), strict=True):
                held[:, : self._sink] = x[self._heads, : self._sink]
        if end - self._end == 1:
            slot = self._sink + (self._end - self._sink) % self._window
            for held, x in zip(self._held, (k, v), strict=True):
                for place, head in enumerate(self._heads):
                    held[place, slot] = x[head, -1]
        elif end > self._end:
            slots = self._sink + (torch.arange(self._end, end) - self._sink) % self._window
            for held, x in zip(self._held, (k, v), strict=True):
                held[:, slots] = x[self._heads, self._end :]
        self._end = end
        return self._held


@dataclass
class SinkWindow(Policy):
    """StreamingLLM's keys (arXiv 2309.17453): the first ``sink`` and the ``window`` newest. Keys keep their own rotation.

    A budget for speed: what it forgets no window brings back. On 20,437 tokens of code with repetitions far apart perplexity
    rises by 7.0 % with 1,216 keys, 1.7 % with 4,096 and 0.8 % with 8,192, of a toy's attention 0.84, 0.92 and 0.95 are kept.
    """

    sink: int = 64
    window: int = 1216
    name: str = field(default="sink_window", init=False)
    _ring: Ring | None = field(default=None, init=False, repr=False)
    _planned: tuple[Spec, int, Plan] | None = field(default=None, init=False, repr=False)
    """The plan of every step beyond sink and window, for the base and the number of key heads that it was made for."""

    def flags(self, kv_heads: int) -> tuple[bool, ...]:
        """Which key heads see everything."""
        return (False,) * kv_heads

    def plan(self, problem: Problem) -> Plan:
        held, keys = self._planned, problem.k.shape
        if held is not None and held[0] is problem.base and held[1] == keys[0] and keys[1] > self.sink + self.window:
            return held[2]
        plan = self._plan(problem)
        if plan.spec.heads is not None and problem.base.heads is None:
            self._planned = problem.base, keys[0], plan
        return plan

    def _plan(self, problem: Problem) -> Plan:
        full = self.flags(problem.k.shape[0])
        if problem.base.heads is not None:
            return Plan(problem.base, "the model itself limits this layer to a window")
        if all(full):
            return Plan(problem.base, "every head is full")
        if problem.k.shape[1] <= self.sink + self.window and problem.k_positions is None:
            return Plan(problem.base, f"{problem.k.shape[1]} keys fit sink and window: dense")
        spec = replace(problem.base, heads=Heads(full, self.sink, self.window))
        streams = sum(not flag for flag in full)
        told = f"{streams} of {len(full)} key heads see {self.sink} first and {self.window} newest"
        return Plan(spec, told if any(full) else f"{told}, by construction nothing between: it is forgotten")

    def compute(self, problem: Problem, plan: Plan, prefer: str) -> Answer:
        if plan.spec.heads is None or problem.base.heads is not None or not problem.one_row_on_cpu(prefer):
            return super().compute(problem, plan, prefer)
        full = plan.spec.heads.full
        if self._ring is None:
            self._ring = Ring([head for head, flag in enumerate(full) if not flag], self.sink, self.window)
        keys, values = self._ring.at(problem.k, problem.v)
        group, done, parts = problem.q.shape[0] // len(full), 0, []
        for first, end, all_keys in runs(full):
            rows = slice(first * group, end * group)
            spec = problem.base.of_heads(rows)
            if all_keys:
                parts.append(_dense(problem.q[rows], problem.k[first:end], problem.v[first:end], spec))
            else:
                parts.append(_dense(problem.q[rows], keys[done : done + end - first], values[done : done + end - first], spec))
                done += end - first
        if len(parts) == 1:
            return parts[0]
        return Answer(torch.cat([part.out for part in parts]), torch.cat([part.lse for part in parts]))

    def crop(self, length: int) -> None:
        """The ring may have lost rows that are now in the window again: it is filled anew."""
        super().crop(length)
        self._ring = None


def _dense(q: Tensor, k: Tensor, v: Tensor, spec: Spec) -> Answer:
    found: Answer = dispatch.run("attend", q, k, v, spec, prefer="cpu")
    return found


@dataclass
class Duo(SinkWindow):
    """DuoAttention (arXiv 2410.10819): heads that retrieve see everything (``full``, one flag a key head), the others stream.

    Streaming is a mask over positions, so a prompt's chunks do not matter; the released code answers a prompt in one piece with
    full attention and a prompt in chunks without. The paper's window is 256; on 20,437 tokens of code with half of a toy's
    heads full that keeps 0.93 of attention, 1,024 keeps 0.96. Perplexity grew by 0.5 to 0.7 % with 1,536 keys, by 0.4 to 0.5 %
    with 2,048, by 0.2 % with 3,072.
    """

    full: tuple[bool, ...] = ()
    sink: int = 64
    window: int = 3072
    name: str = field(default="duo", init=False)

    def flags(self, kv_heads: int) -> tuple[bool, ...]:
        if len(self.full) != kv_heads:
            raise ValueError(f"{self.name} needs flags for {kv_heads} key heads, it has {len(self.full)}: calibrate the model")
        return self.full
