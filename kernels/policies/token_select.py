"""TokenSelect (arXiv 2411.02886): every head votes for single keys by softmax, the votes are added, the keys with most are
read.

A choice is used again while queries stay alike (cosine of all heads' queries together), at most ``refresh`` positions. Query
head h votes on the keys of key head h // G; the released code takes h % KV, which mixes heads in grouped models.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor
from torch.nn import functional as F

from kernels import dispatch
from kernels.policies.base import Problem
from kernels.policies.selecting import Selecting


@dataclass
class TokenSelect(Selecting):
    """``tokens`` keys; ``alike``: the cosine from which a choice is used again; ``pool``: width of a maximum over neighbours
    (odd).

    With half the keys one of 18 names far up was lost in 20,480 tokens of code (mass kept 0.91), with 2,048 none (0.957).
    ``per_head``: each key head chooses for itself; else one list serves the layer, as in the paper.
    """

    tokens: int = 2048
    alike: float = 0.9
    pool: int = 1
    per_head: bool = True
    refresh: int = 64
    name: str = field(default="token_select", init=False)

    @property
    def size(self) -> int:
        return 1

    @property
    def budget(self) -> int:
        return self.window + self.tokens

    def _stretches(self, problem: Problem, rows: list[int]) -> list[tuple[int, int]]:
        """A stretch ends where a query differs from the one that chose; rows are walked in order, so chunks do not matter."""
        queries = problem.q.transpose(0, 1).flatten(1).float()
        earlier = [choice for choice in self._choices if choice.position <= rows[0]]
        found: list[tuple[int, int]] = []
        row = 0
        if earlier:
            row = self._unlike(queries, rows, 0, earlier[-1].query.flatten().float(), earlier[-1].position)
            if row:
                found.append((0, earlier[-1].position))
        while row < len(rows):
            found.append((row, rows[row]))
            row = self._unlike(queries, rows, row + 1, queries[row], rows[row])
        return found

    def _unlike(self, queries: Tensor, rows: list[int], first: int, query: Tensor, position: int) -> int:
        """The first row from ``first`` on that must choose anew."""
        end = first
        limit = position + self.refresh
        if position < self._dense_below:  # below the budget nothing is asked, so no choice may reach over it
            limit = min(limit, self._dense_below)
        while end < len(rows) and rows[end] < limit:
            end += 1
        unlike = (F.cosine_similarity(queries[first:end], query[None], dim=1) < self.alike).nonzero()
        return first + int(unlike[0]) if len(unlike) else end

    def choose(self, problem: Problem, q: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        scale = problem.base.scale or q.shape[2] ** -0.5
        votes = dispatch.run("vote", q, problem.k[:, : int(high.max())], low, high, scale)
        if not self.per_head:
            votes = votes.sum(dim=1, keepdim=True).expand_as(votes)
        if self.pool > 1:
            pooled = F.max_pool1d(votes, self.pool, stride=1, padding=self.pool // 2)
            votes = pooled + 1e-3 * votes  # neighbours share their greatest vote: the own one decides among them
        counts, indices = dispatch.run("select", votes.contiguous(), self.tokens)
        return counts, indices
