"""RazorAttention (arXiv 2407.15891): Duo's two kinds of heads, and in the streaming ones one key that stands for all dropped
keys.

The compensation key is the mean of the dropped keys, its value the mean of their values, its weight their number. It is a
running mean by position: row t's stands for exactly the keys that row t does not see, so chunks do not matter. A mean of
rotated keys that lie far apart is a blunt thing; ``compensate=False`` shows what it is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from kernels.policies.base import Plan, Pool, Problem
from kernels.policies.streaming import Duo


@dataclass
class Razor(Duo):
    """``full``: the retrieval heads, one flag a key head; the others see ``sink``, ``window`` and the compensation key.

    The paper's window is 4,000 keys or a fifth of the text. 2,048 keep 0.98 of attention on 20,437 tokens of code, with half of
    a toy's heads full and the compensation key not counted.
    """

    sink: int = 4
    window: int = 2048
    compensate: bool = True
    name: str = field(default="razor", init=False)
    _sums: tuple[int, Tensor] | None = field(default=None, init=False, repr=False)
    """The row before which keys and values are summed, from the sink on, and the sum [2, KV, D] in float32 or better."""
    _streams: Tensor | None = field(default=None, init=False, repr=False)

    def plan(self, problem: Problem) -> Plan:
        if not problem.in_order():
            return Plan(problem.base, "key rows are not in order: dense")
        plan = super().plan(problem)
        if not self.compensate or plan.spec.heads is None or problem.base.heads is not None:
            return plan
        return Plan(plan.spec, plan.reason + " and a mean of the rest", self._pool(problem))

    def _pool(self, problem: Problem) -> Pool:
        """Prefix sums of keys and values over the dropped rows, at each query row."""
        if problem.q.shape[1] == 1 and problem.q_positions is None and problem.k_positions is None:
            return self._newest(problem)
        device = problem.k.device
        first = int(problem.rows_before(torch.tensor([self.sink], device=device))[0])
        ends = problem.rows_before((problem.rows() - self.window + 1).clamp(min=0)).clamp(min=first)
        low, high = int(ends[0]), int(ends[-1])
        start, sums = self._prefix(problem, first, low)
        entering = torch.stack((problem.k[:, start:high], problem.v[:, start:high])).to(sums.dtype)
        running = torch.cat((sums[:, :, None], entering), dim=2).cumsum(dim=2)
        self._sums = (high, running[:, :, high - start])
        keys, values = running[:, :, ends - start]
        streams = ~torch.tensor(self.full, device=device)[:, None]
        count = torch.where(streams, ends - first, 0)
        most = count.clamp(min=1)[..., None]
        return Pool(keys / most, values / most, count, first)

    def _newest(self, problem: Problem) -> Pool:
        """The same for a plain decode step, at which one row more is dropped."""
        end = problem.k.shape[1] - self.window
        start, sums = self._prefix(problem, self.sink, end)
        if end - start == 1:
            sums = sums + torch.stack((problem.k[:, start], problem.v[:, start]))
        elif start < end:
            sums = sums + torch.stack([x[:, start:end].sum(dim=1, dtype=sums.dtype) for x in (problem.k, problem.v)])
        self._sums = (end, sums)
        keys, values = (sums / (end - self.sink))[:, :, None]
        return Pool(keys, values, self._streaming(problem.k.device) * (end - self.sink), self.sink)

    def _streaming(self, device: torch.device) -> Tensor:
        """A number [KV, 1] for each key head: 1 where it streams."""
        if self._streams is None or self._streams.device != device:
            self._streams = torch.tensor([[0 if full else 1] for full in self.full], device=device)
        return self._streams

    def _prefix(self, problem: Problem, first: int, until: int) -> tuple[int, Tensor]:
        """The sum of rows ``first`` to some row that is not behind ``until``: the remembered one where it fits, else anew."""
        if self._sums is not None and self._sums[0] <= until:
            return self._sums
        exact = torch.promote_types(problem.k.dtype, torch.float32)
        return until, torch.stack([x[:, first:until].sum(dim=1, dtype=exact) for x in (problem.k, problem.v)])

    def crop(self, length: int) -> None:
        """Sums of rows before ``length`` stay right; longer ones are made anew at the next call."""
        super().crop(length)
        if self._sums is not None and self._sums[0] > length:
            self._sums = None
