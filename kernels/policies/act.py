"""Attention calibration (ACT, arXiv 2406.15765): tokens that draw attention without need get less of it, the others the rest.

A key whose mean weight over the queries behind it is above ``most`` is a sink. The first one is needed (section 3 there);
the others keep ``share`` of their weight and the freed part goes to all other keys in proportion. Nothing is left out and no
time is saved: it is for answers, not for speed.

The paper takes the mean over a whole prompt, which a row could not know while it is written. Here every `EVERY`th query is
remembered, and the sinks for a stretch of `STRETCH` positions are found by the remembered queries of the stretch before: so
chunks do not matter, and a row decoded alone answers as in a prompt.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from kernels.attention.reference import masked, visible
from kernels.attention.spec import Answer
from kernels.policies.base import Calm, Plan, Policy, Problem

CLOSE = 0.05
"""Where the other keys have less than this together, taking the sinks out of a finished answer would lose digits."""


@dataclass
class Act(Policy):
    """``heads``: which key heads are calibrated (all where it is empty), as a search over heads finds them."""

    share: float = 0.4
    most: float = 0.1
    stretch: int = 256
    every: int = 16
    heads: tuple[bool, ...] = ()
    name: str = field(default="act", init=False)
    _asked: dict[int, Tensor] = field(default_factory=dict, init=False, repr=False)
    """Remembered queries [H, D] by position."""
    _sinks: dict[int, tuple[Tensor, ...]] = field(default_factory=dict, init=False, repr=False)
    """Positions of the sinks of each key head for the stretch that begins there."""

    def plan(self, problem: Problem) -> Plan:
        if problem.base.heads is not None:
            return Plan(problem.base, "the model itself limits this layer to a window")
        if not problem.in_order():
            return Plan(problem.base, "key rows are not in order: dense")
        if self.heads and len(self.heads) != len(problem.k):
            raise ValueError(f"act needs flags for {len(problem.k)} key heads, it has {len(self.heads)}: calibrate the model")
        if self.heads and not any(self.heads):
            return Plan(problem.base, "no head of this layer is calibrated")
        rows = problem.numbers()
        self._remember(problem, rows)
        lists = []
        first = 0
        while first < len(rows):
            begin = rows[first] - rows[first] % self.stretch
            end = first + 1
            while end < len(rows) and rows[end] < begin + self.stretch:
                end += 1
            sinks = self._sinks_of(problem, begin)
            if any(len(head) for head in sinks):
                lists.append((first, end, tuple(problem.rows_before(head) for head in sinks)))
            first = end
        if not lists:
            return Plan(problem.base, "no key draws too much: dense")
        count = sum(len(head) for head in lists[-1][2])
        return Plan(problem.base, f"{count} keys of {len(problem.k)} key heads keep {self.share} of their weight",
                    calm=Calm(self.share, tuple(lists)))  # fmt: skip

    def _remember(self, problem: Problem, rows: list[int]) -> None:
        for number, position in enumerate(rows):
            if position % self.every == 0:
                self._asked[position] = problem.q[:, number].clone()

    def _sinks_of(self, problem: Problem, begin: int) -> tuple[Tensor, ...]:
        """Found once; what stands in the stretch before and earlier does not change any more."""
        if begin not in self._sinks:
            self._sinks[begin] = self._found(problem, begin)
        return self._sinks[begin]

    def _found(self, problem: Problem, begin: int) -> tuple[Tensor, ...]:
        """For each key head the positions whose mean weight is above `most`, over the heads of its group and the queries."""
        kv, device = len(problem.k), problem.k.device
        at = [position for position in range(max(0, begin - self.stretch), begin, self.every) if position in self._asked]
        nothing = torch.empty(0, dtype=torch.int64, device=device)
        if not at:
            return (nothing,) * kv
        q = torch.stack([self._asked[position] for position in at], dim=1)
        held, where = problem.held(), torch.tensor(at, device=device)
        seen = visible(problem.base, kv, where, held)
        weights = _weights(q, problem, seen).view(kv, -1, len(at), len(held)).mean(dim=1)
        means = weights.sum(dim=1) / seen.sum(dim=1).clamp(min=1)
        means[:, held == 0] = 0.0
        means[seen.sum(dim=1) < 2] = 0.0
        wanted = self.heads or (True,) * kv
        return tuple(held[row > self.most] if flag else nothing for row, flag in zip(means, wanted, strict=True))

    def compute(self, problem: Problem, plan: Plan, prefer: str) -> Answer:
        dense = super().compute(problem, plan, prefer)
        if plan.calm is None:
            return dense
        out = dense.out.clone()
        group = problem.q.shape[0] // len(problem.k)
        for first, end, heads in plan.calm.lists:
            for head, keys in enumerate(heads):
                if len(keys):
                    rows = slice(head * group, (head + 1) * group), slice(first, end)
                    out[rows] = self._calmed(problem, head, keys, Answer(dense.out[rows], dense.lse[rows]), rows).to(out.dtype)
        return Answer(out, dense.lse)

    def _calmed(self, problem: Problem, head: int, keys: Tensor, dense: Answer, rows: tuple[slice, slice]) -> Tensor:
        """Rows [G, R, D] of one key head: out = share m o_sinks + (1 - share m) o_others, m being the weight of the sinks."""
        exact = dense.lse.dtype
        logits = _logits(problem.q[rows].to(exact), problem.k[head, keys].to(exact), problem)
        weights = torch.exp(logits - dense.lse[:, :, None])
        taken = weights.sum(dim=2, keepdim=True)
        sinks = weights @ problem.v[head, keys].to(exact)  # weighed by m already
        others = (dense.out.to(exact) - sinks) / (1 - taken)
        close = (1 - taken[:, :, 0] < CLOSE).any(dim=0).nonzero()[:, 0]
        if len(close):
            others[:, close] = self._without(problem, head, keys, rows, close).to(exact)
        return self.share * sinks + (1 - self.share * taken) * others

    def _without(self, problem: Problem, head: int, keys: Tensor, rows: tuple[slice, slice], close: Tensor) -> Tensor:
        """Attention of some rows to all keys but ``keys``."""
        at = problem.rows()[rows[1]][close]
        seen = visible(problem.base, 1, at, problem.held())
        seen[:, :, keys] = False
        base = problem.base.of_heads(rows[0])
        return masked(problem.q[rows][:, close], problem.k[head : head + 1], problem.v[head : head + 1], seen, base).out

    def take_over(self, other: Policy, length: int) -> None:
        """Queries that were asked cannot be asked again."""
        assert isinstance(other, Act)
        self._asked, self._sinks = dict(other._asked), dict(other._sinks)
        self.crop(length)

    def crop(self, length: int) -> None:
        super().crop(length)
        self._asked = {position: query for position, query in self._asked.items() if position < length}
        self._sinks = {begin: found for begin, found in self._sinks.items() if begin < length}


def _logits(q: Tensor, k: Tensor, problem: Problem) -> Tensor:
    logits = q @ k.transpose(-1, -2) * (problem.base.scale or q.shape[-1] ** -0.5)
    return problem.base.softcap * torch.tanh(logits / problem.base.softcap) if problem.base.softcap else logits


def _weights(q: Tensor, problem: Problem, seen: Tensor) -> Tensor:
    """Softmax weights [H, A, N] of queries q [H, A, D] that stand apart from the problem's own."""
    group, exact = q.shape[0] // len(problem.k), torch.promote_types(q.dtype, torch.float32)
    logits = _logits(q.to(exact), problem.k.to(exact).repeat_interleave(group, dim=0), problem)
    return torch.softmax(logits.masked_fill(~seen.repeat_interleave(group, dim=0), -torch.inf), dim=2)
