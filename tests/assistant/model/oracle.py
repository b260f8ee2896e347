"""The engine's oracle: rerun the whole `Transformer` for every token, constrain by brute force, take the likeliest."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from assistant.model.tokenizer import CodeTokenizer
from assistant.model.transformer import Transformer
from assistant.types import Part


@dataclass(frozen=True)
class Expected:
    """``ids`` are all tokens after the prompt, those that respell the tail included; ``ended`` by the end token."""

    text: str
    ids: list[int]
    logprobs: list[float]
    ended: bool


def prompt(parts: tuple[Part, ...], tokenizer: CodeTokenizer, heal: bool) -> tuple[list[int], bytes]:
    """A prompt that fits, encoded part by part."""
    ids: list[int] = []
    tail = ""
    for index, part in enumerate(parts):
        if part.special:
            ids.append(tokenizer.specials[part.special])
        elif heal and index == len(parts) - 1:
            kept, tail = tokenizer.heal(part.text)
            ids += kept
        else:
            ids += tokenizer.encode(part.text)
    return ids or [tokenizer.specials["end"]], tail.encode("utf-8", "replace")


def allowed(tokenizer: CodeTokenizer, tail: bytes, vocab: int) -> torch.Tensor:
    """[V] which tokens may come next: those that spell the tail or go on from it; without one any text, or the end."""
    mask = torch.zeros(vocab, dtype=torch.bool)
    for token, spelled in enumerate(tokenizer.token_bytes):
        if spelled:
            mask[token] = spelled.startswith(tail) or tail.startswith(spelled)
    if not tail:
        mask[tokenizer.specials["end"]] = True
    return mask


@torch.no_grad()
def greedy(model: Transformer, tokenizer: CodeTokenizer, ids: list[int], tail: bytes, count: int) -> Expected:
    """At most ``count`` tokens that show something after ``tail``."""
    new: list[int] = []
    logprobs: list[float] = []
    rest, shown = tail, b""
    while count > 0:
        logits = model(torch.tensor([ids + new]))[0, -1]
        logits = logits.masked_fill(~allowed(tokenizer, rest, len(logits)), -torch.inf)
        token = int(logits.argmax())
        if token == tokenizer.specials["end"]:
            return Expected(_text(shown), new, logprobs, ended=True)
        new.append(token)
        spelled = tokenizer.token_bytes[token]
        beyond = spelled[min(len(spelled), len(rest)) :]
        rest, shown = rest[len(spelled) :], shown + beyond
        if beyond:
            logprobs.append(float(torch.log_softmax(logits, 0)[token]))
            count -= 1
    return Expected(_text(shown), new, logprobs, ended=False)


def _text(shown: bytes) -> str:
    """Invalid bytes as U+FFFD; half a character at the end is dropped."""
    for cut in range(4):
        try:
            shown[len(shown) - cut - 1 :].decode() if shown else ""
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":
                return shown[: len(shown) - cut - 1].decode("utf-8", "replace")
    return shown.decode("utf-8", "replace")
