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
    if explained.calmed is not None:
        return _calmed(problem, explained, found)
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


def _calmed(problem: Problem, explained: Explanation, dense: Answer) -> Answer:
    """Every weight spelled out: ``share`` of it where a key is calmed, else its part of what is left over."""
    assert explained.calmed is not None
    group, scale, base = (
        problem.q.shape[0] // problem.k.shape[0],
        problem.base.scale or problem.q.shape[2] ** -0.5,
        problem.base,
    )
    out = torch.zeros_like(dense.out)
    for h in range(problem.q.shape[0]):
        logits = problem.q[h].double() @ problem.k[h // group].double().T * scale
        logits = base.softcap * torch.tanh(logits / base.softcap) if base.softcap else logits
        weights = torch.exp(logits - dense.lse[h][:, None]).masked_fill(~explained.seen[h // group], 0.0)
        calmed = explained.calmed[h // group]
        taken = (weights * calmed).sum(dim=1, keepdim=True)
        raised = (1 - explained.share * taken) / (1 - taken)
        out[h] = torch.where(calmed, weights * explained.share, weights * raised) @ problem.v[h // group].double()
    return Answer(out, dense.lse)
