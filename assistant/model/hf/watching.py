"""A policy that is watched: from where on it looks away from anything, how much of dense attention it keeps, how long it takes.

Wraps the policy of one layer. What is kept is the share of dense attention's probability, for the same queries and keys, on
the keys of the mask that the policy explains; a mean key that stands for many counts as none of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.attention.cpu import visible
from kernels.attention.spec import Answer
from kernels.policies.base import Policy, Problem

EVERY = 61
"""Every so many rows of a pass are looked at: dense attention for all of them would cost more than the pass."""


@dataclass
class Watching(Policy):
    """``inner`` answers; `attend` notes. ``kept`` has a tensor [H, rows] for each pass in which ``inner`` looked away."""

    inner: Policy = field(default_factory=Policy)
    name: str = field(default="watching", init=False)
    noting: bool = field(default=True, init=False)
    acts_from: int | None = field(default=None, init=False)
    kept: list[Tensor] = field(default_factory=list, init=False)
    read: list[float] = field(default_factory=list, init=False)
    seconds: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []}, init=False)
    """CPU seconds of each call, apart for single rows (True) and for several."""

    def attend(self, problem: Problem, prefer: str = "") -> Answer:
        begun = time.process_time()
        found = self.inner.attend(problem, prefer)
        self.seconds[problem.q.shape[1] == 1].append(time.process_time() - begun)
        if self.noting:
            self._note(problem)
        return found

    def _note(self, problem: Problem) -> None:
        acting = [used for used, plan in self.inner._last if plan.spec is not used.base or plan.calm is not None]
        if not acting:
            return
        first = int(acting[0].rows()[0])
        self.acts_from = first if self.acts_from is None else min(first, self.acts_from)
        rows = torch.arange(problem.q.shape[1] - 1, -1, -EVERY)
        rows = rows[problem.rows()[rows] >= first]
        seen = self._seen(problem)[:, rows]
        self.read.append(float(seen.sum(dim=2).float().mean()))
        self.kept.append(_kept(problem, rows, seen))

    def _seen(self, problem: Problem) -> Tensor:
        """The mask of `explain`, [KV, T, N], in whole-tensor steps."""
        kv, keys = len(problem.k), problem.k.shape[1]
        masks = [visible(plan.spec, kv, used.rows(), used.held()).expand(kv, -1, -1) for used, plan in self.inner._last]
        return torch.cat([F.pad(mask, (0, keys - mask.shape[2])) for mask in masks], dim=1)

    @property
    def reason(self) -> str:
        return self.inner.reason

    def crop(self, length: int) -> None:
        self.inner.crop(length)


def as_logits(products: Tensor, problem: Problem) -> Tensor:
    """Products of queries and keys, scaled and capped as the model itself does."""
    logits = products * (problem.base.scale or problem.q.shape[2] ** -0.5)
    cap = problem.base.softcap
    return cap * torch.tanh(logits / cap) if cap else logits


def _kept(problem: Problem, rows: Tensor, seen: Tensor) -> Tensor:
    """[H, rows]: dense attention's probability on ``seen`` [KV, rows, N]."""
    group = problem.q.shape[0] // problem.k.shape[0]
    allowed = visible(problem.base, problem.k.shape[0], problem.rows()[rows], problem.held()).expand(len(problem.k), -1, -1)
    keys = problem.k.repeat_interleave(group, dim=0).float()
    logits = as_logits(problem.q[:, rows].float() @ keys.transpose(1, 2), problem)
    logits = logits.masked_fill(~allowed.repeat_interleave(group, dim=0), -torch.inf)
    return (torch.softmax(logits, dim=2) * seen.repeat_interleave(group, dim=0)).sum(dim=2)
