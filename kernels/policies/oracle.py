"""What a policy must answer: dense attention under the mask it says it used. Slow, float64, for tests and for the bench."""

from __future__ import annotations

import torch

from kernels.attention.reference import masked, merge
from kernels.attention.spec import Answer
from kernels.policies.base import Explanation, Problem


def answer(problem: Problem, explained: Explanation) -> Answer:
    """Attention over ``explained.seen``, plus one mean key for the rows that were pooled."""
    q, k, v = (x.double() for x in (problem.q, problem.k, problem.v))
    base = problem.base
    found = masked(q, k, v, explained.seen, base)
    if explained.pooled is None:
        return found
    group, scale = q.shape[0] // k.shape[0], base.scale or q.shape[2] ** -0.5
    outs, lses = torch.zeros_like(found.out), torch.full_like(found.lse, -torch.inf)
    for h in range(q.shape[0]):
        for t in range(q.shape[1]):
            rows = explained.pooled[h // group, t]
            if bool(rows.any()):
                logit = q[h, t] @ k[h // group, rows].mean(dim=0) * scale
                logit = base.softcap * torch.tanh(logit / base.softcap) if base.softcap else logit
                outs[h, t], lses[h, t] = v[h // group, rows].mean(dim=0), logit + torch.log(rows.sum().double())
    return merge(torch.stack((found.out, outs)), torch.stack((found.lse, lses)))
