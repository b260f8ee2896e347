"""The rounds of the race: everyone runs the same tokens in turn, so that a slow moment hits all; medians of the rounds.

Knows racers and token ids. Does not know commands or tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from assistant import edit_format
from assistant.model.engine import Engine
from assistant.model.exit_drafts import ExitDrafts
from assistant.model.exits import STOP
from assistant.model.race.runners import Racer, median
from assistant.model.race.shapes import Entry
from assistant.types import GenerateRequest, OpenFile, Part

NEW = 24
WARMING = 600
"""Tokens of a prompt that nobody is timed with: all of one behind 512 others, a part of a longer one's minute."""
CHARACTERS = 1700
"""About 512 tokens of Python."""
LINES, REWRITTEN = 8, 96
EDIT_ABOVE = 100
"""Tokens between an edit above the cursor and the cursor."""
KINDS = ("prefill", "decode_plain", "keystroke_warm", "keystroke_ten", "edit_above")


@dataclass
class Times:
    """Seconds of each kind, one for each round."""

    name: str
    seconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.name}
        for kind, values in self.seconds.items():
            if values:
                ordered = sorted(1000 * value for value in values)
                found[kind] = {"median_ms": median(ordered), "min_ms": ordered[0], "max_ms": ordered[-1]}
        return found


def race(racers: Sequence[Racer], prompts: Sequence[Sequence[int]], say: Callable[[str], None]) -> list[Times]:
    """Every prompt by everyone, in turn. A run before that is not counted: of so much of the first prompt as warms up."""
    times = [Times(racer.name) for racer in racers]
    for number, ids in enumerate([prompts[0][:WARMING], *prompts]):
        for racer, found in zip(racers, times, strict=True):
            say(f"{racer.name}: {len(ids)} tokens, round {number} of {len(prompts)}")
            for kind, seconds in _one(racer, list(ids)):
                if number:
                    found.seconds[kind].append(seconds)
    return times


def _one(racer: Racer, ids: list[int]) -> Iterator[tuple[str, float]]:
    """Ten tokens are held back to be typed. One typed character is one more token of the prompt."""
    head, tail = ids[:-10], ids[-10:]
    yield "prefill", racer.first(head)
    yield "decode_plain", racer.more(NEW) / NEW
    racer.settle(head)
    yield "keystroke_warm", racer.typed([*head, tail[0]], NEW)
    yield "keystroke_ten", racer.typed(ids, NEW)
    at = max(1, len(ids) - EDIT_ABOVE)
    yield "edit_above", racer.typed([*ids[:at], ids[at] ^ 1, *ids[at + 1 :]], NEW)


@dataclass(frozen=True)
class Place:
    """A cursor in real code: the file's text around it."""

    path: str
    above: str
    below: str


def drafted(entry: Entry, runner: Any, places: Sequence[Place]) -> dict[str, Any]:
    """Milliseconds a token and tokens a pass: with no drafts; with one from the model's last exit at every pass, whatever that
    gains; and of the engine as shipped, which mixes the n-gram caches in and drafts from whichever source pays.
    """
    passes = [0]

    def count() -> None:
        passes[0] += 1

    engines = {name: Engine(entry.source, runner=runner, count_step=count) for name in ("plain", "exit", "ngram")}
    engines["plain"].exit_drafts = None
    if engines["exit"].exit_drafts is None:
        del engines["exit"]
    else:
        engines["exit"].exit_drafts = ExitDrafts(runner, entry.source.config, always=1)
    rows: dict[str, list[tuple[float, int, int]]] = {name: [] for name in engines}
    for place in places:
        for name, engine in engines.items():
            file = OpenFile(place.path, place.above, place.below) if name == "ngram" else None
            rows[name].append(_continued(engine, passes, place, file))
    return {name: _per_token(found) for name, found in rows.items()}


def _continued(engine: Engine, passes: list[int], place: Place, file: OpenFile | None) -> tuple[float, int, int]:
    """Milliseconds of decoding, new tokens, passes after the prefill."""
    text = place.above[-CHARACTERS:]
    request = GenerateRequest((Part(text=text, keep="end"),), NEW, budget_ms=60_000, file=file)
    engine.forget()
    last, tokens, before = 0.0, 0, 0
    for chunk in engine.generate(request):
        before = before or passes[0]
        last, tokens = chunk.decode_ms, tokens + len(chunk.logprobs)
    return last, tokens, passes[0] - before


def _per_token(rows: Sequence[tuple[float, int, int]]) -> dict[str, float]:
    tokens, passes = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return {
        "ms_per_token": median([ms / count for ms, count, _ in rows if count > 1] or [0.0]),
        "tokens_per_pass": tokens / max(1, passes),
    }


def copied(entry: Entry, runner: Any, places: Sequence[Place]) -> dict[str, float]:
    """Next-edit style: the `LINES` lines above each cursor are written again after a change elsewhere, with the old text as the
    draft and without. Milliseconds of decoding a token; ``same`` counts the answers that are equal, which all must be.
    """
    engine = Engine(entry.source, runner=runner)
    rows: dict[str, list[float]] = {"plain": [], "drafted": []}
    same = 0
    for place in places:
        lines = edit_format.split_lines(place.above)[-LINES:]
        region = edit_format.Region(place.path, lines)
        history = [edit_format.Hunk(place.path, lines[0], lines[0].replace("(", "(self, ", 1))]
        parts = (*edit_format.render(history, region), *edit_format.render_question(region, range(len(lines))))
        texts = []
        for name, draft in (("plain", ""), ("drafted", "".join(lines))):
            chunks = list(engine.generate(GenerateRequest(parts, REWRITTEN, heal=False, budget_ms=60_000, draft=draft)))
            texts.append("".join(chunk.text for chunk in chunks))
            rows[name].append(chunks[-1].decode_ms / max(1, sum(len(chunk.logprobs) for chunk in chunks)))
        same += texts[0] == texts[1]
    return {"plain_ms": median(rows["plain"]), "drafted_ms": median(rows["drafted"]), "same": same, "n": len(places)}


@torch.inference_mode()
def agreement(entry: Entry, prompts: Sequence[Sequence[int]]) -> dict[str, float]:
    """How often each exit's likeliest token is the last layer's, over all positions of the prompts."""
    model, exits = entry.source.transformer(), entry.source.config.exits
    same, total = dict.fromkeys(exits, 0), 0
    for ids in prompts:
        hidden, kept = model.hidden(torch.tensor([list(ids)]), exits)
        best = model.logits(hidden).argmax(-1)
        total += best.numel()
        for depth in exits:
            same[depth] += int((model.logits(kept[depth]).argmax(-1) == best).sum())
    return {f"exit_{depth}": count / max(1, total) for depth, count in same.items()}


@torch.inference_mode()
def stopping(entry: Entry, prompts: Sequence[Sequence[int]], least: float) -> dict[str, float] | None:
    """The Stop head at the positions where its probability is above ``least``: how often the likeliest token is wrong there
    (``precision``), which share of all wrong ones that is, and which share of the right ones it would take away too.
    """
    head, model = entry.source.stop_head, entry.source.transformer()
    if head is None:
        return None
    stopped = wrong = both = total = 0
    weight, bias = torch.from_numpy(head.weight), torch.from_numpy(head.bias)
    for ids in prompts:
        stream = model.norm(model.hidden(torch.tensor([list(ids)]))[0])[0, :-1]
        stop = (stream @ weight.T + bias).softmax(-1)[:, STOP] > least
        missed = (stream @ model.embed.weight.T).argmax(-1) != torch.tensor(list(ids[1:]))
        stopped, wrong = stopped + int(stop.sum()), wrong + int(missed.sum())
        both, total = both + int((stop & missed).sum()), total + len(missed)
    return {
        "threshold": least,
        "precision": both / max(1, stopped),
        "wrong_stopped": both / max(1, wrong),
        "right_stopped": (stopped - both) / max(1, total - wrong),
        "n": total,
    }
