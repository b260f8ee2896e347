"""Block selection: a summary of each block of keys is asked first, and only the best blocks are read (Quest's plan, arXiv
2406.10774).

Each key head has its own list. The query heads of its group vote for it by softmax over the summaries, so that one sure head
outvotes two that look everywhere; for boxes ("minmax") the greatest of their bounds decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from torch import Tensor

from kernels import dispatch
from kernels.policies.base import Problem
from kernels.policies.selecting import Selecting
from kernels.select.reference import MOMENTS, with_spread


@dataclass
class BlockSelect(Selecting):
    """The ``blocks`` best blocks of ``block`` keys; ``summary`` is `MOMENTS` or one of `kernels.select.reference.KINDS`.

    ``parts`` summaries stand for a block: what is short does not vanish in the mean of 64 keys. Their votes are added. The same
    4,096 keys of 20,437 tokens of code keep 0.973 of a toy's attention as 256 blocks of 16 and 0.964 as 64 of 64. 20 blocks of
    64, one mean each, keep 0.9 and lose names defined far up; that is a budget for speed.
    """

    blocks: int = 256
    block: int = 16
    parts: int = 2
    summary: str = MOMENTS
    together: ClassVar[int] = 256
    """Compiled code adds heads and parts up as it goes: a row's scores take 12 KB at 24,576 keys. Torch takes 32 at a time."""
    name: str = field(default="block_select", init=False)
    _summaries: Tensor | None = field(default=None, init=False, repr=False)
    _filled: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.window < self.block:
            raise ValueError(
                f"the window ({self.window}) must hold a whole block ({self.block}): a block is summed up when complete"
            )
        if self.block % self.parts:
            raise ValueError(f"a block of {self.block} keys has no {self.parts} even parts")

    @property
    def size(self) -> int:
        return self.block

    @property
    def budget(self) -> int:
        return self.window + self.blocks * self.block

    def choose(self, problem: Problem, q: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        first, end = low // self.block, high // self.block
        summary = self._summed(problem.k, problem.k.shape[1] // self.block)  # its number needs no word from a GPU
        among = first * self.parts, end * self.parts
        if self.summary == "minmax":
            scores = dispatch.run("score", q, summary, *among, self.summary)
            scores = scores.view(*scores.shape[:2], -1, self.parts).amax(dim=3)
        else:
            scale = problem.base.scale or q.shape[2] ** -0.5
            asking = with_spread(q, scale) if self.summary == MOMENTS else q
            scores = dispatch.run("vote", asking, summary, *among, scale, self.parts)
        counts, indices = dispatch.run("select", scores, self.blocks)
        return counts, indices

    def _summed(self, k: Tensor, blocks: int) -> Tensor:
        """Summaries of the first ``blocks`` blocks; those of complete blocks never change, so each is made once."""
        if blocks > self._filled:
            complete = k[:, self._filled * self.block : blocks * self.block]
            of = dispatch.module("score", "cpu")
            fresh = of.summarise(complete, self.block // self.parts, self.summary)
            if self.summary != "minmax":
                fresh = of.kept(fresh, self._summaries)
            self._summaries = self._with_room(fresh, blocks * self.parts)
            self._summaries[:, self._filled * self.parts : blocks * self.parts] = fresh
            self._filled = blocks
        assert self._summaries is not None
        return self._summaries[:, : blocks * self.parts]

    def _with_room(self, like: Tensor, rows: int) -> Tensor:
        held = self._summaries
        if held is not None and held.shape[1] >= rows:
            return held
        wider = like.new_empty(like.shape[0], max(64, 2 * rows), like.shape[2])
        if held is not None:
            wider[:, : self._filled * self.parts] = held[:, : self._filled * self.parts]
        return wider

    def crop(self, length: int) -> None:
        """Blocks that reach behind ``length`` will hold other keys."""
        super().crop(length)
        self._filled = min(self._filled, length // self.block)
