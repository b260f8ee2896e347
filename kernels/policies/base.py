"""What a policy is: it says which keys each query row sees; one shared executor then computes, and `explain` shows what was
seen.

A policy object belongs to one layer of one context and may remember things about it (summaries, selections), all addressed by
position, so that `crop` can go back to any earlier length. Rules that every policy keeps: cut a prompt into chunks as you
like, the answer is the same; a row alone (decode) answers as it does in a crowd (prefill); with a budget above the length it
is dense. Knows tensors and positions; no cache, no model.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels import dispatch
from kernels.attention import compiled
from kernels.attention.reference import visible
from kernels.attention.spec import DENSE, Answer, Spec, query_positions

NEVER = 2**30
"""`Policy.least` of a policy that was found slower than dense at every length."""
EVERY_KEY = "every key"
"""Why dense attention looks at what it looks at."""


@dataclass(frozen=True)
class Problem:
    """One call of attention: q [H, T, D], k and v [KV, N, D]; positions [T], [N] as in `kernels.attention.spec`.

    ``base`` holds what the model itself demands (scale, softcap, sink logit, its own window). A policy that chooses keys wants
    the rows in ascending order of position, gaps allowed; otherwise it answers densely and says so.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    base: Spec = DENSE
    q_positions: Tensor | None = None
    k_positions: Tensor | None = None

    def rows(self) -> Tensor:
        """Positions of the query rows."""
        return (
            query_positions(self.q.shape[1], self.k.shape[1], self.q.device) if self.q_positions is None else self.q_positions
        )

    def numbers(self) -> list[int]:
        """Positions of the query rows, as numbers."""
        keys = self.k.shape[1]
        return list(range(keys - self.q.shape[1], keys)) if self.q_positions is None else self.q_positions.tolist()

    def held(self) -> Tensor:
        """Positions of the key rows."""
        return torch.arange(self.k.shape[1], device=self.k.device) if self.k_positions is None else self.k_positions

    def rows_before(self, positions: Tensor) -> Tensor:
        """How many key rows stand before each position; rows are in order."""
        if self.k_positions is None:
            return positions.clamp(0, self.k.shape[1])
        return torch.searchsorted(self.k_positions.contiguous(), positions)

    def split(self, position: int) -> list[tuple[Problem, bool]]:
        """The rows below ``position``, flagged True, and the others; as one where all are alike."""
        if position <= 0:
            return [(self, False)]
        rows = self.numbers()
        cut = bisect.bisect_left(rows, position)
        if cut in (0, len(rows)):
            return [(self, cut > 0)]
        places = (None, None) if self.q_positions is None else (self.q_positions[:cut], self.q_positions[cut:])
        before = self.k.shape[1] - (len(rows) - cut if self.q_positions is None else 0)
        low = replace(self, q=self.q[:, :cut], k=self.k[:, :before], v=self.v[:, :before], q_positions=places[0])
        return [(low, True), (replace(self, q=self.q[:, cut:], q_positions=places[1]), False)]

    def one_row_on_cpu(self, prefer: str) -> bool:
        """A plain decode step, the newest row of a cache without gaps, where copies of few keys may stand in for all."""
        plain = self.q_positions is None and self.k_positions is None and self.base.key_bias is None
        if not plain or self.q.shape[1] > 1 or dispatch.choose("attend", self.q, prefer).backend != "cpu":
            return False
        return not compiled.ready(self.q, self.k, self.v, self.base)  # which reads few keys where they are

    def in_order(self) -> bool:
        """True where key rows ascend by position and none is empty."""
        held = self.k_positions
        return held is None or bool((held[:1] >= 0).all() and (held[1:] > held[:-1]).all())


@dataclass(frozen=True)
class Pool:
    """For each query row of each key head one key that stands for the ``count`` [KV, T] rows from ``first`` on: [KV, T, D]."""

    keys: Tensor
    values: Tensor
    count: Tensor
    first: int

    def rows(self, keys: int) -> Tensor:
        """The rows it stands for, bool [KV, T, keys]."""
        numbers = torch.arange(keys, device=self.count.device)
        return (numbers >= self.first) & (numbers < self.first + self.count[:, :, None])


@dataclass(frozen=True)
class Calm:
    """Keys that get ``share`` of their weight; what that frees goes to the other keys in proportion to theirs.

    ``lists``: (first row, end, for each key head the key rows) for each stretch of query rows.
    """

    share: float
    lists: tuple[tuple[int, int, tuple[Tensor, ...]], ...]

    def rows(self, problem: Problem) -> Tensor:
        """The keys that are calmed, bool [KV, T, N]."""
        found = torch.zeros(len(problem.k), problem.q.shape[1], problem.k.shape[1], dtype=torch.bool)
        for first, end, heads in self.lists:
            for head, keys in enumerate(heads):
                found[head, first:end, keys.cpu()] = True
        return found


@dataclass(frozen=True)
class Plan:
    """What one call will look at, and one sentence why."""

    spec: Spec
    reason: str
    pool: Pool | None = None
    calm: Calm | None = None


@dataclass(frozen=True)
class Explanation:
    """``seen`` [KV, T, N]: keys looked at one by one. ``pooled`` [KV, T, N]: keys that one mean key stood for, or None.

    ``calmed`` [KV, T, N]: keys that got ``share`` of their weight, the rest of it going to the others; or None.
    """

    seen: Tensor
    pooled: Tensor | None
    reason: str
    calmed: Tensor | None = None
    share: float = 1.0

    def tokens_read(self) -> float:
        """Keys looked at by a row of a head, on average: what a step's memory traffic is made of."""
        return float(self.seen.sum(dim=2).float().mean())


@dataclass
class Policy:
    """Dense attention; the others override `plan`."""

    least: int = 0
    """Rows at positions below this see everything: on a CPU a policy costs more there than it saves. Not asked on a GPU."""
    name: str = field(default="dense", init=False)
    _last: list[tuple[Problem, Plan]] = field(default_factory=list, init=False, repr=False)

    def plan(self, problem: Problem) -> Plan:
        """What this call sees. Planning the same call twice gives the same plan."""
        return Plan(problem.base, EVERY_KEY)

    def attend(self, problem: Problem, prefer: str = "") -> Answer:
        """Plan and compute, on the backend that ``prefer`` names or that fits. Remembers the plan for `explain`."""
        self._last = []
        least = 0 if problem.q.is_cuda else self.least
        if problem.q_positions is None and problem.q.shape[1] == 1:  # a step of decode: nothing to split
            return self._attend(problem, problem.k.shape[1] <= least, prefer)
        answers = [self._attend(part, low, prefer) for part, low in problem.split(least)]
        if len(answers) == 1:
            return answers[0]
        return Answer(torch.cat([found.out for found in answers], 1), torch.cat([found.lse for found in answers], 1))

    def _attend(self, problem: Problem, low: bool, prefer: str) -> Answer:
        plan = Plan(problem.base, self._why_dense()) if low else self.plan(problem)
        self._last.append((problem, plan))
        if plan.pool is None:
            return self.compute(problem, plan, prefer)
        at_once = _compiled_with_pool(problem, plan.spec, plan.pool, prefer)
        return at_once if at_once is not None else _with_pool(self.compute(problem, plan, prefer), problem, plan.pool)

    def _why_dense(self) -> str:
        return "never faster on CPUs: dense" if self.least >= NEVER else f"positions below {self.least}: dense"

    def compute(self, problem: Problem, plan: Plan, prefer: str) -> Answer:
        """What the plan says, without its pool."""
        places = problem.q_positions, problem.k_positions
        found: Answer = dispatch.run("attend", problem.q, problem.k, problem.v, plan.spec, *places, prefer=prefer)
        return found

    @property
    def reason(self) -> str:
        """Why the last call looked at what it looked at; empty before the first."""
        return "; ".join(used.reason for _, used in self._last)

    def explain(self) -> Explanation:
        """The mask of the last call: dense attention under it gives the same answer (`kernels.policies.oracle`)."""
        if not self._last:
            raise ValueError("nothing was attended yet: call attend first")
        keys = max(problem.k.shape[1] for problem, _ in self._last)
        seen, pooled, calmed = [], [], []
        for problem, plan in self._last:
            wide = (0, keys - problem.k.shape[1])
            found = visible(plan.spec, problem.k.shape[0], problem.rows().cpu(), problem.held().cpu())
            rest = torch.zeros_like(found) if plan.pool is None else plan.pool.rows(problem.k.shape[1]).cpu()
            seen.append(F.pad(found, wide))
            pooled.append(F.pad(rest, wide))
            calmed.append(F.pad(torch.zeros_like(found) if plan.calm is None else plan.calm.rows(problem), wide))
        pools = any(plan.pool is not None for _, plan in self._last)
        shares = [plan.calm.share for _, plan in self._last if plan.calm is not None]
        told = Explanation(torch.cat(seen, 1), torch.cat(pooled, 1) if pools else None, self.reason)
        return replace(told, calmed=torch.cat(calmed, 1), share=shares[0]) if shares else told

    def crop(self, length: int) -> None:
        """Forget everything from position ``length`` on: the rows there will be written anew."""
        self._last = []

    def take_over(self, other: Policy, length: int) -> None:
        """Stand where ``other``, of the same kind, stood at ``length``: its keys were copied. What can be chosen anew is."""
        self.crop(0)

    def options(self) -> dict[str, Any]:
        """The numbers this policy was made with."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


def _compiled_with_pool(problem: Problem, spec: Spec, pool: Pool, prefer: str) -> Answer | None:
    """A plain decode step where compiled code does it all: torch's small operators took a quarter of one over 16,384 keys."""
    plain = problem.q_positions is None and problem.k_positions is None and spec.sink_logit is None
    if not plain or problem.q.shape[1] > 1 or dispatch.choose("attend", problem.q, prefer).backend != "cpu":
        return None
    mean = pool.count, pool.keys, pool.values
    return compiled.attend(problem.q, problem.k, problem.v, spec, problem.k.shape[1] - 1, mean)


def _with_pool(found: Answer, problem: Problem, pool: Pool) -> Answer:
    """One more key with the logit bias log(count): it weighs as the many it stands for would if they were all alike."""
    exact, kv_heads = found.lse.dtype, problem.k.shape[0]
    q = problem.q.to(exact).reshape(kv_heads, -1, *problem.q.shape[1:])
    logits = (q * pool.keys.to(exact)[:, None]).sum(dim=3) * (problem.base.scale or problem.q.shape[2] ** -0.5)
    if problem.base.softcap:
        logits = problem.base.softcap * torch.tanh(logits / problem.base.softcap)
    own = (logits + torch.log(pool.count.to(exact))[:, None]).view_as(found.lse)
    lse = torch.logaddexp(found.lse, own)
    weight = torch.exp(own - lse.masked_fill(lse == -torch.inf, 0.0))[..., None]
    values = pool.values.to(exact)[:, None].expand_as(q).reshape(found.out.shape)
    return Answer(torch.lerp(found.out.to(exact), values, weight).to(problem.q.dtype), lse)
