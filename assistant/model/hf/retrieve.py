"""A prompt that exceeds its window keeps the lines the model itself looks at (InfiniRetri, arXiv 2502.12962, section 4).

The text above is read window by window: what was kept so far, the window, the question. The lines that the question's rows
look at most are kept and go into the next window. The question is what stands before the cursor, without the word that is
being typed. Each request reads on for a part of its budget; until the end is reached, texts are cut as usual.

Knows a runner, a tokenizer and one text; which part of a prompt is cut, and to how much, is `assistant.model.window`'s.
Differs from the paper: lines in place of sentences, all layers in place of the last, and the newest half of what fits stays.
"""

from __future__ import annotations

import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from assistant.model import window
from assistant.model.hf.runner import HubRunner, HubSlot
from assistant.model.hf.watching import as_logits
from assistant.model.tokenizer import Tokenizing, split_lines
from assistant.types import Part
from kernels.attention.spec import Answer
from kernels.policies.base import Policy, Problem

log = logging.getLogger("sotto.engine")

WINDOW, QUESTION = 1024, 64
"""Tokens of one reading, and of the question among them."""
BEST, WIDTH = 300, 8
"""Tokens that decide which lines are kept, by weights that are smoothed over so many neighbours."""
LEAST = 256
"""A share of less is no use for anything but the newest lines."""
REMEMBERED = 4
_WORD = re.compile(r"\w+\Z")


@dataclass
class Asked(Policy):
    """Dense attention that notes how much the rows from ``first`` on look at each key before it, heads summed."""

    first: int = 0
    name: str = field(default="asked", init=False)
    weights: Tensor | None = field(default=None, init=False)

    def attend(self, problem: Problem, prefer: str = "") -> Answer:
        found = super().attend(problem, prefer)
        rows = problem.rows()
        asking = rows >= self.first
        if bool(asking.any()):
            more = self._weights(problem, asking, found.lse[:, asking])
            held = self.weights
            self.weights = more if held is None else more + F.pad(held, (0, len(more) - len(held)))
        return found

    def _weights(self, problem: Problem, asking: Tensor, lse: Tensor) -> Tensor:
        """[first] the smoothed weights of the keys, each row counting as much as it looks at the question itself."""
        group = problem.q.shape[0] // len(problem.k)
        keys = problem.k.repeat_interleave(group, dim=0).float()
        logits = as_logits(problem.q[:, asking].float() @ keys.transpose(1, 2), problem)
        later = problem.held()[None, :] > problem.rows()[asking][:, None]
        weights = torch.exp(logits - lse.float()[:, :, None]).masked_fill(later, 0.0).sum(dim=0)
        own = weights[:, self.first :].sum(dim=1, keepdim=True)
        smooth = F.avg_pool1d(weights[:, None, : self.first], WIDTH, 1, WIDTH // 2)[:, 0, : self.first]
        return (smooth * own).sum(dim=0).cpu()


@dataclass
class Scan:
    """How far one text was read for one question: lines before ``at``, of which ``kept`` (line -> weight) count."""

    lines: list[list[int]]
    at: int = 0
    kept: dict[int, float] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.at >= len(self.lines)


@dataclass(frozen=True)
class Kept:
    """The lines of a text that was cut, which of them stand in the prompt, and why."""

    lines: tuple[str, ...]
    stands: tuple[bool, ...]
    reason: str

    @property
    def text(self) -> str:
        return "".join(line for line, stands in zip(self.lines, self.stands, strict=True) if stands)


class Retriever:
    """For one engine. ``begin``: the tokens that a text begins with. Times are those of ``clock``, in seconds."""

    def __init__(
        self, runner: HubRunner, begin: Sequence[int], context: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._runner, self._begin, self._clock = runner, list(begin), clock
        self._window = min(WINDOW, context)
        self._scans: OrderedDict[tuple[int, str], Scan] = OrderedDict()
        self._cancelled: Callable[[], bool] = bool
        self._until, self._last = 0.0, ""
        self._kept: Kept | None = None

    def begin(self, last: str, seconds: float, cancelled: Callable[[], bool]) -> None:
        """Another request, whose prompt ends with the text ``last``; so long it may read."""
        self._last, self._until, self._cancelled = last, self._clock() + seconds, cancelled

    def cut(self, part: Part, tokenizer: Tokenizing, share: int) -> str:
        """What survives of ``part`` in ``share`` tokens: the lines found and the newest, or as usual until they are found."""
        if part.keep != "end" or share < LEAST:
            return window.cut(part, tokenizer, share)
        newest = window.cut(part, tokenizer, share // 2)
        above = part.text[: len(part.text) - len(newest)]
        asked = question(newest if part.text == self._last else newest + self._last)
        scan = self._scan(above, asked, tokenizer)
        if not scan.done:
            newest, chosen = window.cut(part, tokenizer, share), set[int]()
            above, reason = part.text[: len(part.text) - len(newest)], f"{scan.at} of {len(scan.lines)} lines above are read"
        else:
            room = share - len(tokenizer.encode(newest)) - 8  # where lines meet, a token or two more may be needed
            chosen = self._fitting(scan, room)
            reason = f"{len(chosen)} of {len(scan.lines)} lines above stand in the prompt"
        log.info("infini_retri: %s", reason)
        old, new = tuple(split_lines(above)), tuple(split_lines(newest))
        self._kept = Kept((*old, *new), (*(i in chosen for i in range(len(old))), *(True for _ in new)), reason)
        return self._kept.text

    def explain(self) -> Kept:
        """What became of the text that was cut last: dense attention on the lines that stand gives the same answer.

        ValueError before the first.
        """
        if self._kept is None:
            raise ValueError("nothing was cut yet: ask for a text that exceeds the window")
        return self._kept

    def _scan(self, above: str, asked: str, tokenizer: Tokenizing) -> Scan:
        """Read on until the end or until the time is up. Raises `Cancelled`; whole windows count all the same."""
        key = hash(above), asked
        scan = self._scans.get(key) or Scan([tokenizer.encode(line) for line in split_lines(above)])
        self._scans[key] = scan
        self._scans.move_to_end(key)
        while len(self._scans) > REMEMBERED:
            self._scans.popitem(last=False)
        ids = tokenizer.encode(asked)[-QUESTION:]
        while not scan.done and ids and self._clock() < self._until:
            self._read(scan, ids)
        return scan

    def _read(self, scan: Scan, asked: Sequence[int]) -> None:
        """One window: what is kept, as many further lines as fit, the question."""
        room = self._window - len(asked) - len(self._begin)
        numbers = sorted(scan.kept)
        used = sum(len(scan.lines[i]) for i in numbers)
        end = scan.at
        while end < len(scan.lines) and (end == scan.at or used + len(scan.lines[end]) <= room):
            used += len(scan.lines[end])
            end += 1
        numbers += range(scan.at, end)
        owner = [i for i in numbers for _ in scan.lines[i]][:room]
        text = [token for i in numbers for token in scan.lines[i]][:room]
        weights = self._weights([*self._begin, *text, *asked], len(asked))[len(self._begin) :]
        best = weights.topk(min(BEST, room // 2, len(weights))).indices.tolist()
        kept: dict[int, float] = {}
        for place in best:
            kept[owner[place]] = max(kept.get(owner[place], 0.0), float(weights[place]))
        scan.kept = self._smaller(scan, kept, room // 2)
        scan.at = end

    def _smaller(self, scan: Scan, kept: dict[int, float], room: int) -> dict[int, float]:
        """The best lines that take ``room`` tokens together: a window must always read something new."""
        taken: dict[int, float] = {}
        for i in sorted(kept, key=lambda i: -kept[i]):
            if len(scan.lines[i]) <= room:
                taken[i] = kept[i]
                room -= len(scan.lines[i])
        return taken

    def _fitting(self, scan: Scan, room: int) -> set[int]:
        return set(self._smaller(scan, scan.kept, room))

    def _weights(self, ids: Sequence[int], asked: int) -> Tensor:
        """[tokens before the question] how much it looks at each, over all layers."""
        slot = self._runner.context("dense")
        assert isinstance(slot, HubSlot)
        watched = [Asked(first=len(ids) - asked) for _ in slot.layers]
        for layer, policy in zip(slot.layers, watched, strict=True):
            layer.policy = policy
        self._runner.logits(ids, slot, self._cancelled)
        return torch.stack([policy.weights for policy in watched if policy.weights is not None]).sum(dim=0)


def question(text: str) -> str:
    """The end of a text without the word that is being typed: it stays while a word grows."""
    return text[: len(text) - len(found[0])] if (found := _WORD.search(text)) else text
