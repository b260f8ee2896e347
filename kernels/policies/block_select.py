"""Block selection: a summary of each block of keys is asked first, and only the best blocks are read (Quest's plan, arXiv
2406.10774).

Each key head has its own list; the query heads of its group share it, by the greatest of their scores.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from kernels import dispatch
from kernels.policies.base import Problem
from kernels.policies.selecting import Selecting


@dataclass
class BlockSelect(Selecting):
    """The ``blocks`` best blocks of ``block`` keys; ``summary`` is one of `kernels.select.reference.KINDS`."""

    blocks: int = 20
    least: int = 8192
    block: int = 64
    summary: str = "mean"
    name: str = field(default="block_select", init=False)
    _summaries: Tensor | None = field(default=None, init=False, repr=False)
    _filled: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.window < self.block:
            raise ValueError(
                f"the window ({self.window}) must hold a whole block ({self.block}): a block is summed up when complete"
            )

    @property
    def size(self) -> int:
        return self.block

    @property
    def budget(self) -> int:
        return self.window + self.blocks * self.block

    def choose(self, problem: Problem, q: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        first, end = low // self.block, high // self.block
        scores = dispatch.run("score", q, self._summed(problem.k, int(end.max())), first, end, self.summary)
        counts, indices = dispatch.run("select", scores, self.blocks)
        return counts, indices

    def _summed(self, k: Tensor, blocks: int) -> Tensor:
        """Summaries of the first ``blocks`` blocks; those of complete blocks never change, so each is made once."""
        if blocks > self._filled:
            fresh = dispatch.module("score", "cpu").summarise(
                k[:, self._filled * self.block : blocks * self.block], self.block, self.summary
            )
            self._summaries = self._with_room(fresh, blocks)
            self._summaries[:, self._filled : blocks] = fresh
            self._filled = blocks
        assert self._summaries is not None
        return self._summaries[:, :blocks]

    def _with_room(self, like: Tensor, blocks: int) -> Tensor:
        held = self._summaries
        if held is not None and held.shape[1] >= blocks:
            return held
        wider = like.new_empty(like.shape[0], max(64, 2 * blocks), like.shape[2])
        if held is not None:
            wider[:, : self._filled] = held[:, : self._filled]
        return wider

    def crop(self, length: int) -> None:
        """Blocks that reach behind ``length`` will hold other keys."""
        super().crop(length)
        self._filled = min(self._filled, length // self.block)
