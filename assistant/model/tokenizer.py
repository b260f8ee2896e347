"""Text to token ids and back, and token healing: which tokens may spell a text that was taken back.

Knows a `tokenizers` file of byte-level BPE whose tokens never cross a newline. Does not know prompts, models or sampling.
Two rules of that tokenizer carry the work: lines are independent, so each is encoded once and remembered; and splitting
into pieces (words, runs of spaces, ...) never looks ahead, so more text can change only the last piece of the last line.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

MOST_TAKEN_BACK = 8
"""Tokens healing takes back at most: each costs a decode step, and only a 20-letter name or a long rule of dashes has more."""

LINES_REMEMBERED = 4096


class TokenizerError(ValueError):
    """The file is no tokenizer, or not one of the kind this program needs."""


def byte_of() -> dict[str, int]:
    """Byte-level BPE writes each byte as a printable character: itself where it is one, else the next free one from U+0100."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    table = {chr(b): b for b in printable}
    rest = (b for b in range(256) if b not in printable)
    return table | {chr(256 + i): b for i, b in enumerate(rest)}


class Tokenizing(Protocol):
    """What prompts and answers need of a tokenizer: `CodeTokenizer`, and `hf.tokenizer.HubTokenizer` for other checkpoints.

    ``specials`` maps a special token's name to its id; ``token_bytes`` has each id's bytes, empty for special tokens.
    """

    specials: dict[str, int]
    token_bytes: list[bytes]

    @property
    def compatible(self) -> Callable[[bytes], list[int]]:
        """See `Spellings.compatible`."""

    def encode(self, text: str) -> list[int]:
        """Ids of ``text`` as plain text."""

    def heal(self, text: str) -> tuple[list[int], str]:
        """The ids that stand, and the tail of the text that the first new tokens must spell."""


class Spellings:
    """Which tokens can spell a text, by the bytes of each; those without bytes spell nothing."""

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        self.ids = {spelled: i for i, spelled in enumerate(token_bytes) if spelled}
        self.sorted = sorted(self.ids)
        self._longest = max(map(len, self.sorted), default=0)

    def compatible(self, tail: bytes) -> list[int]:
        """Ids that can come next when ``tail`` must be spelled first: prefixes of it, and tokens that it is a prefix of."""
        shorter = (tail[:n] for n in range(1, min(len(tail), self._longest + 1)))
        found = [self.ids[spelled] for spelled in shorter if spelled in self.ids]
        start = bisect_left(self.sorted, tail)
        stop = bisect_left(self.sorted, _after_all(tail)) if _after_all(tail) else len(self.sorted)
        return found + [self.ids[spelled] for spelled in self.sorted[start:stop]]


class CodeTokenizer:
    """The tokenizer of our own models."""

    def __init__(self, path: Path, special_tokens: Mapping[str, str]) -> None:
        """Read tokenizer.json; ``special_tokens`` is name -> spelling. Raises `TokenizerError`."""
        try:
            self._library = Tokenizer.from_file(str(path))
        except Exception as error:
            raise TokenizerError(f"it cannot be read: {error}") from error
        self._library.encode_special_tokens = True  # a document that spells "<|end|>" is plain text
        self.vocab_size: int = self._library.get_vocab_size()
        self.specials = {name: self._id_of(spelling) for name, spelling in special_tokens.items()}
        added = self._library.get_added_tokens_decoder()
        self.token_bytes = [b"" if i in added else self._bytes_of(i) for i in range(self.vocab_size)]
        self._spellings = Spellings(self.token_bytes)
        self.compatible = self._spellings.compatible
        self._check()
        self._encode_line = lru_cache(maxsize=LINES_REMEMBERED)(self.encode_afresh)

    def encode(self, text: str) -> list[int]:
        """Ids of ``text`` as plain text, never a special one. A lone surrogate (no UTF-8 has it) is read as ``?``."""
        return [token for line in split_lines(text) for token in self._encode_line(line)]

    def heal(self, text: str) -> tuple[list[int], str]:
        """Take back what more text could retokenize: the ids that stand, and the text's tail that is to be respelled.

        That is the last piece, whole, because BPE may cut a longer word quite differently ("retur" is ret+ur, "return" one
        token); none after a newline or a digit, which end a piece; at most `MOST_TAKEN_BACK` tokens.
        """
        if not text or text[-1] == "\n" or unicodedata.category(text[-1])[0] == "N":
            return self.encode(text), ""
        start = text.rfind("\n") + 1
        start += self._last_piece(clean(text[start:]))
        taken = self._encode_line(text[start:])
        stay = max(0, len(taken) - MOST_TAKEN_BACK)
        while stay and 0x80 <= self.token_bytes[taken[stay]][0] < 0xC0:  # not inside a character
            stay -= 1
        kept = self.encode(text[:start]) + list(taken[:stay])
        return kept, text[start + len(b"".join(self.token_bytes[i] for i in taken[:stay]).decode("utf-8")) :]

    def encode_afresh(self, line: str) -> tuple[int, ...]:
        """`encode` of text that will not come again: nothing of it is remembered."""
        return tuple(self._library.encode(clean(line), add_special_tokens=False).ids)

    def _last_piece(self, line: str) -> int:
        """Where the last piece of a line starts, in characters."""
        start: int = self._library.pre_tokenizer.pre_tokenize_str(line)[-1][1][0]
        return start

    def _id_of(self, spelling: str) -> int:
        token = self._library.token_to_id(spelling)
        if token is None:
            raise TokenizerError(f"it has no token {spelling}")
        return int(token)

    def _bytes_of(self, token: int) -> bytes:
        try:
            return bytes(BYTE_OF[character] for character in self._library.id_to_token(token) or "")
        except KeyError as error:
            raise TokenizerError(f"token {token} is not byte-level BPE") from error

    def _check(self) -> None:
        if any(bytes([b]) not in self._spellings.ids for b in range(256)):
            raise TokenizerError("some byte has no token of its own")
        if any(b"\n" in spelled and spelled != b"\n" for spelled in self._spellings.sorted):
            raise TokenizerError("some token crosses a newline")


BYTE_OF = byte_of()


def clean(text: str) -> str:
    """Lone surrogates replaced, one character for one."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def split_lines(text: str) -> Iterator[str]:
    """Lines with their newline; unlike `str.splitlines`, only the newline splits (a form feed does not)."""
    start = 0
    while start < len(text):
        stop = text.find("\n", start) + 1 or len(text)
        yield text[start:stop]
        start = stop


def _after_all(prefix: bytes) -> bytes:
    """The first byte string after all that begin with ``prefix``; empty when there is none."""
    body = prefix.rstrip(b"\xff")
    return body[:-1] + bytes([body[-1] + 1]) if body else b""
