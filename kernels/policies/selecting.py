"""The common part of policies that choose keys by the query: when to choose, what is remembered, how it becomes block lists.

A choice serves a stretch: it is used again while queries stay like the one that chose (cosine of all heads' queries together),
at most ``refresh`` positions. A query that turns chooses anew, or what it looks for would not be among the keys that another
one wanted. Stretches follow from the queries one after the other, so chunks do not matter, and a row decoded alone uses the
very list it would have used inside a prompt. On a GPU every query chooses: a comparison would wait for the device. Sink and
window are always seen besides. What leaves the window during a stretch is listed too: so within a stretch nothing seen is ever
unseen.

Only the newest `KEPT` choices are remembered: after a crop to the middle of an older stretch its next query chooses anew.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from kernels import dispatch
from kernels.attention.spec import Answer, Blocks, Heads
from kernels.policies.base import Plan, Policy, Problem

KEPT = 16
Unit = NDArray[np.float64]


@dataclass
class Choice:
    """What the query at ``position`` chose for the stretch from there on: counts [KV], indices [KV, M].

    ``query`` [H * D] has length one, to compare later ones with. ``gathered`` holds the keys and values seen by single rows
    so far, ``used`` of them filled, up to before row ``end``; only where no compiled code reads them in place.
    """

    position: int
    query: Unit
    counts: Tensor
    indices: Tensor
    plan: Plan | None = None
    gathered: tuple[Tensor, Tensor] | None = None
    used: int = 0
    end: int = 0


@dataclass
class Selecting(Policy):
    """``alike``: the cosine from which a choice is used again (above 1: never), for ``refresh`` positions at most.

    ``sink`` and ``window`` are always seen.
    """

    sink: int = 64
    window: int = 256
    refresh: int = 64
    alike: float = 0.9
    together: ClassVar[int] = 32
    """Queries that choose in one go: more would only make larger tables of scores."""
    _choices: list[Choice] = field(default_factory=list, init=False, repr=False)

    @property
    def size(self) -> int:
        """Rows of a block that `choose` names."""
        raise NotImplementedError

    @property
    def budget(self) -> int:
        """Up to this many keys everything would be chosen, so nobody is asked."""
        raise NotImplementedError

    def choose(self, problem: Problem, q: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """For query rows q [S, H, D] counts [S, KV] and indices [S, KV, M] of blocks.

        ``low`` and ``high`` [S] are key rows: blocks that begin before ``low`` may be chosen, blocks from ``high`` (a
        multiple of `size`) on are seen anyway.
        """
        raise NotImplementedError

    def plan(self, problem: Problem) -> Plan:
        return self._served(problem) or self._made(problem)

    def _served(self, problem: Problem) -> Plan | None:
        """The plan of the newest choice for a plain decode step that it serves whatever the query is: 0.1 ms a step less."""
        if self.alike > -1 or not self._choices or problem.q.shape[1] > 1:
            return None
        newest, row = self._choices[-1], problem.k.shape[1] - 1
        serves = self.budget <= newest.position <= row < newest.position + self.refresh
        plain = problem.q_positions is None and problem.k_positions is None and problem.base.heads is None
        return newest.plan if serves and plain else None

    def _made(self, problem: Problem) -> Plan:
        if problem.base.heads is not None:
            return Plan(problem.base, "the model itself limits this layer to a window")
        if not problem.in_order():
            return Plan(problem.base, "key rows are not in order: dense")
        rows = problem.numbers()
        if rows[-1] < self.budget:
            return Plan(problem.base, f"{rows[-1] + 1} positions are inside the budget of {self.budget}: dense")
        units = _units(problem.q) if self._compares(problem.q) else np.zeros((len(rows), 1))
        held, asking = self._stretches(units, rows)
        if not asking:
            assert held is not None
            return self._again(problem, held, len(rows))
        counts, indices = self._ask(problem, rows, asking)
        self._remember(units, rows, asking, counts, indices)
        if len(rows) == 1:
            return self._again(problem, self._choices[-1], 1)
        starts = (*asking, len(rows))
        if held is not None:
            counts = torch.cat((held.counts[None], counts))
            indices = torch.cat(_as_wide(held.indices[None], indices))
            starts = (0, *starts)
        return self._listed(problem, counts, indices, starts)

    def _compares(self, q: Tensor) -> bool:
        """Whether likeness is looked at; where it is not, queries count as neither like nor unlike (a cosine of 0)."""
        return not q.is_cuda

    def _again(self, problem: Problem, choice: Choice, rows: int) -> Plan:
        """The plan of rows that one choice serves; that of single rows is made once."""
        if rows > 1 or choice.plan is None:
            plan = self._listed(problem, choice.counts[None], choice.indices[None], (0, rows))
            if rows > 1:
                return plan
            choice.plan = plan
        return choice.plan

    def _listed(self, problem: Problem, counts: Tensor, indices: Tensor, starts: tuple[int, ...]) -> Plan:
        heads = Heads((False,) * problem.k.shape[0], self.sink, self.window)
        reason = f"{self.name}: {len(counts)} choices of up to {indices.shape[2]} blocks of {self.size}"
        return Plan(replace(problem.base, heads=heads, blocks=Blocks(self.size, starts, counts, indices)), reason)

    def _stretches(self, units: Unit, rows: list[int]) -> tuple[Choice | None, list[int]]:
        """The choice that still serves the first row, if any, and the rows that choose."""
        held = next((choice for choice in reversed(self._choices) if choice.position <= rows[0]), None)
        row, asking = 0, []
        if held is not None:
            row = self._unlike(units, held.query, rows, 0, held.position)
        served = held if row else None
        while row < len(rows):
            asking.append(row)
            row = self._unlike(units, units[row], rows, row + 1, rows[row])
        return served, asking

    def _unlike(self, units: Unit, query: Unit, rows: list[int], first: int, position: int) -> int:
        """The first row from ``first`` on that must choose anew, ``query`` standing at ``position``; few rows are compared."""
        limit, some = position + self.refresh, 1
        if position < self.budget:  # below the budget nothing is asked, so no choice may reach over it
            limit = min(limit, self.budget)
        end = bisect.bisect_left(rows, limit, first)
        while first < end:
            alike = units[first : min(end, first + some)] @ query >= self.alike
            if not alike.all():
                return first + int(alike.argmin())
            first, some = first + len(alike), 2 * some
        return first

    def _ask(self, problem: Problem, rows: list[int], asking: list[int]) -> tuple[Tensor, Tensor]:
        """Counts [S, KV] and indices [S, KV, M] of the rows ``asking``, with what leaves the window listed too."""
        asks = problem.q if len(asking) == len(rows) else problem.q[:, asking]
        q = asks.transpose(0, 1).contiguous()
        low, high = self._edges(problem, [rows[row] for row in asking])
        if len(asking) <= self.together:
            return self._pinned(*self.choose(problem, q, low, high), high)
        some = [slice(start, start + self.together) for start in range(0, len(asking), self.together)]
        found = [self._pinned(*self.choose(problem, q[few], low[few], high[few]), high[few]) for few in some]
        return torch.cat([counts for counts, _ in found]), torch.cat(_as_wide(*(indices for _, indices in found)))

    def _remember(self, units: Unit, rows: list[int], asking: list[int], counts: Tensor, indices: Tensor) -> None:
        """The newest choices, instead of any from the first position that chose on."""
        older = [choice for choice in self._choices if choice.position < rows[asking[0]]]
        last = range(max(0, len(asking) - KEPT), len(asking))
        fresh = [Choice(rows[asking[i]], units[asking[i]].copy(), counts[i], indices[i]) for i in last]
        self._choices = [*older, *fresh][-KEPT:]

    def _edges(self, problem: Problem, at: list[int]) -> tuple[Tensor, Tensor]:
        """Key rows between which the queries at these positions choose, [S] each."""
        device = problem.q.device
        if problem.k_positions is None:  # a position is a row: numbers cost a step less than tensors
            sink = min(self.sink, problem.k.shape[1])
            ends = [max(sink, position - self.window + 1) // self.size * self.size for position in at]
            return torch.tensor([sink] * len(at), device=device), torch.tensor(ends, device=device)
        places = torch.tensor(at, device=device)
        low = problem.rows_before(torch.full_like(places, self.sink))
        high = torch.maximum(low, problem.rows_before((places - self.window + 1).clamp(min=0)))
        return low, high // self.size * self.size

    def _pinned(self, counts: Tensor, indices: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Also list the blocks whose keys leave the window before the next choice."""
        first = high // self.size
        more = (self.size + self.refresh - 2) // self.size + 1
        lanes = torch.arange(more, device=indices.device)
        if len(counts) == 1 and not counts.is_cuda and int(counts.min()) == indices.shape[2]:
            return counts + more, torch.cat((indices, (first + lanes).expand(1, counts.shape[1], -1)), dim=2)
        wide = F.pad(indices, (0, more))
        places = counts[:, :, None] + lanes
        return counts + more, wide.scatter(2, places, (first[:, None] + lanes)[:, None].expand_as(places))

    def compute(self, problem: Problem, plan: Plan, prefer: str) -> Answer:
        if not problem.one_row_on_cpu(prefer):
            return super().compute(problem, plan, prefer)
        choice = next((choice for choice in reversed(self._choices) if choice.plan is plan), None)
        if choice is None or not self._gather(problem, choice):
            return super().compute(problem, plan, prefer)
        assert choice.gathered is not None
        keys, values = (x[:, : choice.used] for x in choice.gathered)
        found: Answer = dispatch.run("attend", problem.q, keys, values, problem.base, prefer="cpu")
        return found

    def _gather(self, problem: Problem, choice: Choice) -> bool:
        """Bring the gathered copy up to the newest row; False where key heads see different numbers of keys."""
        if choice.gathered is None:
            asked = problem.k.shape[1] - 1
            rows = self._rows(choice, asked)
            if rows is None:
                return False
            heads, room = torch.arange(len(rows))[:, None], (0, 0, 0, self.refresh)
            choice.gathered = F.pad(problem.k[heads, rows], room), F.pad(problem.v[heads, rows], room)
            choice.used, choice.end = rows.shape[1], asked + 1
        more = problem.k.shape[1] - choice.end
        for held, x in zip(choice.gathered, (problem.k, problem.v), strict=True):
            held[:, choice.used : choice.used + more] = x[:, choice.end :]
        choice.used += more
        choice.end += more
        return True

    def _rows(self, choice: Choice, asked: int) -> Tensor | None:
        """Key rows [KV, M] that a row at ``asked`` sees by this choice: of blocks, sink and window; None where heads differ."""
        near = max(self.sink, asked - self.window + 1)
        listed = (choice.indices[:, : int(choice.counts.max()), None] * self.size + torch.arange(self.size)).flatten(1)
        behind = torch.arange(listed.shape[1])[None] < choice.counts[:, None] * self.size
        chosen = behind & (listed >= self.sink) & (listed < near)
        counts = chosen.sum(dim=1)
        if bool((counts != counts[0]).any()):
            return None
        rows = listed[chosen].view(len(listed), -1)
        seen = torch.cat((torch.arange(min(self.sink, asked + 1)), torch.arange(near, asked + 1)))
        return torch.cat((rows, seen.expand(len(listed), -1)), dim=1)

    def crop(self, length: int) -> None:
        super().crop(length)
        self._choices = [choice for choice in self._choices if choice.position < length]
        for choice in self._choices:
            choice.gathered = choice.gathered if choice.end <= length else None


def _units(q: Tensor) -> Unit:
    """Each row's queries [H, T, D] of all heads as one vector of length one, [T, H * D]."""
    rows: Unit = q.transpose(0, 1).flatten(1).double().cpu().numpy()
    lengths = np.sqrt(rows[0].dot(rows[0])) if len(rows) == 1 else np.sqrt(np.einsum("td,td->t", rows, rows))[:, None]
    found: Unit = rows / np.maximum(lengths, 1e-300)
    return found


def _as_wide(*parts: Tensor) -> list[Tensor]:
    """Lists [..., M], all as wide as the widest; nobody reads what stands behind a count."""
    width = max(part.shape[2] for part in parts)
    return [F.pad(part, (0, width - part.shape[2])) for part in parts]
