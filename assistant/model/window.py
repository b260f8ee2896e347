"""Fit a prompt into the model's context: which text is cut when it is too long, and where.

Knows prompt parts and a tokenizer. The cut is coarse and at line starts: it must stay where it is while the user types, or
every key would shift all tokens and nothing of the KV cache could be reused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assistant.model.tokenizer import MOST_TAKEN_BACK, Tokenizing, split_lines
from assistant.types import EngineError, Part

log = logging.getLogger("sotto.engine")


@dataclass(frozen=True)
class Prompt:
    """``ids`` to run, never none; ``tail`` is the text that healing took back and the first new tokens must spell."""

    ids: list[int]
    tail: str


def fit(
    parts: Sequence[Part],
    tokenizer: Tokenizing,
    room: int,
    heal: bool,
    start: int,
    shorten: Callable[[Part, Tokenizing, int], str] | None = None,
) -> Prompt:
    """Encode ``parts`` in at most ``room`` tokens, cutting those whose ``keep`` allows it; only the last part heals.

    ``start`` is the token an empty prompt begins with; ``shorten`` may cut texts in place of `cut`. Raises `EngineError` for a
    special token that the model lacks, or when the parts that must stay whole do not fit.
    """
    flexible = [i for i, part in enumerate(parts) if part.text and not part.special and part.keep != "all"]
    fixed = {i: _fixed(part, tokenizer) for i, part in enumerate(parts) if i not in flexible}
    left = room - sum(map(len, fixed.values()))
    if left < 0:
        raise EngineError(f"the prompt's fixed parts take {room - left} tokens, but only {room} fit: shorten them")
    needs = [_count(parts[i], tokenizer, left + 1) for i in flexible]
    shares = dict(zip(flexible, _shares(needs, left), strict=True))
    texts = {
        i: parts[i].text if need <= shares[i] else (shorten or cut)(parts[i], tokenizer, shares[i])
        for i, need in zip(flexible, needs, strict=True)
    }
    ids: list[int] = []
    tail = ""
    for i, part in enumerate(parts):
        encoded = fixed.get(i)
        if i == len(parts) - 1 and heal and not part.special:
            encoded, tail = tokenizer.heal(texts.get(i, part.text))
        elif encoded is None:
            encoded = tokenizer.encode(texts[i])
        ids += _clip(encoded, part.keep, shares.get(i, len(encoded)))
    return Prompt(ids or [start], tail)


def _fixed(part: Part, tokenizer: Tokenizing) -> list[int]:
    if not part.special:
        return tokenizer.encode(part.text)
    if part.special not in tokenizer.specials:
        raise EngineError(f"this model has no special token called {part.special}")
    return [tokenizer.specials[part.special]]


def _clip(ids: list[int], keep: str, most: int) -> list[int]:
    if len(ids) <= most:
        return ids
    return ids[:most] if keep == "start" else ids[len(ids) - most :]


def _shares(needs: Sequence[int], room: int) -> list[int]:
    """Divide ``room`` among texts that need so many tokens; the last, which the model continues, weighs double.

    Who needs less than its share leaves the rest to the others, in steps of an eighth of the room, so that a text growing
    key by key does not move another one's cut each time.
    """
    if sum(needs) <= room:
        return list(needs)
    step = max(1, room // 8)
    coarse = [min(room, -(-need // step) * step) for need in needs]
    weights = [2 if i == len(needs) - 1 else 1 for i in range(len(needs))]
    shares = [0] * len(needs)
    open_ = set(range(len(needs)))
    while open_:
        total = sum(weights[i] for i in open_)
        content = {i for i in open_ if coarse[i] <= room * weights[i] // total}
        for i in content or open_:
            shares[i] = coarse[i] if content else room * weights[i] // total
        room -= sum(shares[i] for i in content)
        open_ = open_ - content if content else set()
    return shares


def _count(part: Part, tokenizer: Tokenizing, cap: int) -> int:
    """Tokens of a text, counted no further than ``cap``: a huge file costs no more than a full context."""
    count = 0
    for start, stop in _segments(part.text, cap):
        count += len(tokenizer.encode(part.text[start:stop]))
        if count >= cap + MOST_TAKEN_BACK:  # a segment may begin inside a word, and count a token or two too many
            return cap
    return min(cap, len(tokenizer.encode(part.text)))


def cut(part: Part, tokenizer: Tokenizing, share: int) -> str:
    """What survives of a text in ``share`` tokens; `_clip` takes the rest where even one line or one character is too much."""
    kept = _kept(part, tokenizer, share)
    _tell(share, part.keep, len(kept) if part.keep == "start" else len(part.text) - len(kept))
    return kept


@lru_cache(maxsize=256)
def _tell(share: int, keep: str, place: int) -> None:
    """Once for each cut, which holds still while the user types."""
    side = "behind" if keep == "start" else "before"
    log.info("a text is longer than its %d tokens of the window: what stands %s character %d is left out", share, side, place)


def _kept(part: Part, tokenizer: Tokenizing, share: int) -> str:
    if part.keep == "start":
        return _first_lines(part.text, tokenizer, share)
    # A quarter of the share in ordinary code at a time, less where tokens are short (digits, CJK): half must be used.
    for step in (share, share // 4, share // 16, 1):
        kept, used = _last_segments(part.text, tokenizer, share, max(1, step))
        if used >= share // 2:
            break
    return part.text[len(part.text) - kept :]


def _first_lines(text: str, tokenizer: Tokenizing, share: int) -> str:
    kept = count = 0
    for line in split_lines(text):
        line = line[: share * 32 + 1]  # more characters than any share of tokens spells
        count += len(tokenizer.encode(line))
        if count > share:
            return text[: kept or len(line)]
        kept += len(line)
    return text


def _last_segments(text: str, tokenizer: Tokenizing, share: int, step: int) -> tuple[int, int]:
    """How many characters of the text's end fit in ``share`` tokens when it is cut between segments, and their tokens."""
    kept = used = 0
    for start, stop in _segments(text, step):
        count = len(tokenizer.encode(text[start:stop]))
        if used + count > share:
            return kept, used
        kept, used = len(text) - start, used + count
    return kept, share


def _segments(text: str, step: int) -> Iterator[tuple[int, int]]:
    """(start, stop) pieces of a text from its end to its beginning: the places where its start may be cut.

    They lie at multiples of ``step`` characters from the beginning, moved to the next line start where the piece has one.
    As many characters as the share has tokens is about a quarter of what the share spells (3.6 characters a token).
    """
    stop = len(text)
    for mark in range((len(text) - 1) // step * step, -1, -step):
        newline = text.find("\n", mark - 1, mark + step) if mark else -1
        start = newline + 1 if newline >= 0 else mark
        if start < stop:
            yield start, stop
            stop = start
