"""The common part of policies that choose keys by the query: when to choose, what is remembered, how it becomes block lists.

The query at a position that starts a stretch chooses for the whole stretch; what it chose is remembered by that position. So
a row decoded alone uses the very list it would have used inside a prompt, and choosing costs a row only one part in the
stretch's length. Sink and window are always seen besides. What leaves the window during a stretch is listed too: so within a
stretch nothing seen is ever unseen, and single rows read one gathered copy that grows by the new keys.

Only the newest `KEPT` choices are remembered: after a crop to the middle of an older stretch its next query chooses anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels import dispatch
from kernels.attention.cpu import visible
from kernels.attention.spec import Answer, Blocks, Heads
from kernels.policies.base import Plan, Policy, Problem

KEPT = 16


@dataclass
class Choice:
    """What the query at ``asked`` chose for the stretch from ``position`` on: counts [KV], indices [KV, M].

    ``query`` [H, D] is kept to compare later ones with. ``gathered`` holds the keys and values seen by single rows so far,
    ``used`` of them filled, up to before row ``end``.
    """

    position: int
    asked: int
    query: Tensor
    counts: Tensor
    indices: Tensor
    plan: Plan | None = None
    gathered: tuple[Tensor, Tensor] | None = None
    used: int = 0
    end: int = 0

    def crop(self, length: int) -> None:
        """Forget gathered rows from ``length`` on."""
        self.used -= max(0, self.end - length)
        self.end = min(self.end, length)


@dataclass
class Selecting(Policy):
    """``refresh``: positions a choice holds for (stretches begin at its multiples). ``sink`` and ``window`` are always seen."""

    sink: int = 64
    window: int = 256
    refresh: int = 8
    _choices: list[Choice] = field(default_factory=list, init=False, repr=False)

    @property
    def size(self) -> int:
        """Rows of a block that `choose` names."""
        raise NotImplementedError

    @property
    def budget(self) -> int:
        """Up to this many keys everything would be chosen, so nobody is asked."""
        raise NotImplementedError

    @property
    def _dense_below(self) -> int:
        """The budget, cut to the start of a stretch: no stretch lies on both sides."""
        return self.budget // self.refresh * self.refresh

    def choose(self, problem: Problem, q: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """For query rows q [S, H, D] counts [S, KV] and indices [S, KV, M] of blocks.

        ``low`` and ``high`` [S] are key rows: blocks that begin before ``low`` may be chosen, blocks from ``high`` (a
        multiple of `size`) on are seen anyway.
        """
        raise NotImplementedError

    def plan(self, problem: Problem) -> Plan:
        if problem.base.heads is not None:
            return Plan(problem.base, "the model itself limits this layer to a window")
        if not problem.in_order():
            return Plan(problem.base, "key rows are not in order: dense")
        rows = problem.numbers()
        if rows[-1] < self._dense_below:
            return Plan(problem.base, f"{rows[-1] + 1} positions are inside the budget of {self._dense_below}: dense")
        stretches = self._stretches(problem, rows)
        chosen = self._chosen(problem, rows, stretches)
        if len(rows) > 1:
            return self._listed(problem, chosen, (*(row for row, _ in stretches), len(rows)))
        chosen[0].plan = chosen[0].plan or self._listed(problem, chosen, (0, 1))
        return chosen[0].plan

    def _listed(self, problem: Problem, chosen: list[Choice], starts: tuple[int, ...]) -> Plan:
        width = max(choice.indices.shape[1] for choice in chosen)
        indices = torch.stack([F.pad(choice.indices, (0, width - choice.indices.shape[1])) for choice in chosen])
        blocks = Blocks(self.size, starts, torch.stack([choice.counts for choice in chosen]), indices)
        heads = Heads((False,) * problem.k.shape[0], self.sink, self.window)
        reason = f"{self.name}: {len(chosen)} choices of up to {width} blocks of {self.size}"
        return Plan(replace(problem.base, heads=heads, blocks=blocks), reason)

    def _stretches(self, problem: Problem, rows: list[int]) -> list[tuple[int, int]]:
        """(first row, the position whose query chooses) of each stretch of query rows."""
        found = [(0, rows[0] - rows[0] % self.refresh)]
        for row, position in enumerate(rows):
            begin = position - position % self.refresh
            if begin != found[-1][1]:
                found.append((row, begin))
        return found

    def _chosen(self, problem: Problem, rows: list[int], stretches: list[tuple[int, int]]) -> list[Choice]:
        """Remembered choices where there are some, all the others in one go."""
        if len(stretches) == 1:
            held = next((choice for choice in reversed(self._choices) if choice.position == stretches[0][1]), None)
            if held is not None:
                return [held]
        known = {choice.position: choice for choice in self._choices}
        asking = [(row, position) for row, position in stretches if position not in known]
        if asking:
            fresh = self._ask(problem, rows, asking)
            known.update({choice.position: choice for choice in fresh})
            self._choices = sorted([*self._choices, *fresh], key=lambda choice: choice.position)[-KEPT:]
        return [known[position] for _, position in stretches]

    def _ask(self, problem: Problem, rows: list[int], asking: list[tuple[int, int]]) -> list[Choice]:
        numbers = [row for row, _ in asking]
        asks = problem.q if len(numbers) == problem.q.shape[1] else problem.q[:, numbers]
        q = asks.transpose(0, 1).contiguous()
        low, high = self._edges(problem, [rows[row] for row in numbers])
        counts, indices = self._pinned(*self.choose(problem, q, low, high), high)
        return [Choice(position, rows[row], q[i], counts[i], indices[i]) for i, (row, position) in enumerate(asking)]

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
        if len(counts) == 1 and not counts.is_cuda and counts.tolist() == [[indices.shape[2]] * counts.shape[1]]:
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
            assert choice.plan is not None
            end = torch.tensor([choice.asked])
            seen = visible(choice.plan.spec, problem.k.shape[0], end, torch.arange(choice.asked + 1))[:, 0]
            counts = seen.sum(dim=1)
            if bool((counts != counts[0]).any()):
                return False
            rows, heads = seen.nonzero()[:, 1].view(len(seen), -1), torch.arange(len(seen))[:, None]
            room = (0, 0, 0, self.refresh)
            choice.gathered = F.pad(problem.k[heads, rows], room), F.pad(problem.v[heads, rows], room)
            choice.used, choice.end = int(counts[0]), choice.asked + 1
        more = problem.k.shape[1] - choice.end
        for held, x in zip(choice.gathered, (problem.k, problem.v), strict=True):
            held[:, choice.used : choice.used + more] = x[:, choice.end :]
        choice.used += more
        choice.end += more
        return True

    def crop(self, length: int) -> None:
        super().crop(length)
        self._choices = [choice for choice in self._choices if choice.asked < length]
        for choice in self._choices:
            choice.crop(length)
