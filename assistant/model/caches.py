"""The workspace's and the open file's n-gram caches round one tokenizer: text goes in by key, better probabilities come out.

Knows texts, keys and the mixture; does not know the engine, requests or where texts come from. Taking a text in costs nothing
at once: slices of work tokenise and sort while nobody waits.
"""

from __future__ import annotations

import logging
import math
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from assistant.model.memory import give_back_memory
from assistant.model.mixture import LEAST, Floats, Mixture, softmax
from assistant.model.ngram_blocks import DEEPEST
from assistant.model.ngrams import LIMIT, NOTHING, Match, NgramModel, Slice, draft, sliced
from assistant.model.quick import Quick
from assistant.model.sampling import Sampler
from assistant.model.tokenizer import CodeTokenizer, split_lines
from assistant.types import OpenFile
from assistant.wire import nearby

log = logging.getLogger("sotto.ngrams")

SLICE_CHARACTERS = 2_500
"""Text tokenised in one slice of work: 1.2 ms, in which the tokenizer lets no other thread run."""
WAITING = 32_000_000
"""Characters that may wait to be tokenised, in a quarter of the memory; about what `LIMIT` tokens spell."""
UNTIDY = 1_000_000
"""Characters taken in after which memory is given back to the system once all work is done."""
LONGEST_LINE = 1_000


class Hole:
    """The caches as one request sees them: the workspace without the open file, the file above and below the cursor.

    Good for one request: what it has looked up does not change.
    """

    def __init__(
        self,
        mixture: Mixture,
        workspace: NgramModel | None,
        file: NgramModel | None,
        closing: int | None,
        key: str = "",
        quick: Quick | None = None,
    ) -> None:
        self._mixture = mixture
        self._models = (workspace, file)
        self._closing = closing
        self._key = key
        self._found: dict[tuple[int, ...], tuple[Match, Match]] = {}
        self._quick = quick
        self._laid = (quick.lay(workspace, key), quick.lay(file)) if quick is not None else (None, None)

    def look_up(self, context: Sequence[int]) -> tuple[Match, Match]:
        """What the workspace and the file say after the last tokens of ``context``. Remembered: drafts are verified next."""
        last = tuple(context[-DEEPEST:])
        if (found := self._found.get(last)) is None:
            found = self._found[last] = self._look_up(last)
        return found

    def _look_up(self, last: tuple[int, ...]) -> tuple[Match, Match]:
        if self._quick is not None:
            newest_first = self._quick.tokens(last)
            return self._quick.look_up(self._laid[0], newest_first), self._quick.look_up(self._laid[1], newest_first)
        workspace, file = self._models
        first = workspace.look_up(last, self._key) if workspace is not None else NOTHING
        return first, file.look_up(last) if file is not None else NOTHING

    def mix(self, probs: Floats, context: Sequence[int]) -> Floats:
        """The model's probabilities [V] after ``context`` -> the mixed ones; the same array when no cache has a match."""
        return self._mixture.mix(probs, self.look_up(context), self._closing)

    def choose(self, logits: Floats, allowed: Floats, context: Sequence[int]) -> tuple[int, float]:
        """The likeliest token of the mixture after ``context``, among those that are ``allowed`` (zero, or minus infinity), and
        the logarithm of its probability: what `mix` makes is not written out.
        """
        matches = self.look_up(context)
        if self._quick is not None:
            return self._quick.choose(logits, allowed, self._mixture, matches, self._closing)
        if not any(matches):
            return Sampler().choose(logits + allowed)
        mixed = self._mixture.mix(softmax(logits + allowed), matches, self._closing)
        token = int(mixed.argmax())
        return token, math.log(max(float(mixed[token]), LEAST))

    def draft(self, context: Sequence[int], most: int) -> list[int]:
        """Up to ``most`` tokens that probably follow, to be verified against the mixed probabilities."""
        return draft(self.look_up, context, most)


class _Side:
    """The tokens of one side of the open file, kept from one key to the next: only what is new is tokenised."""

    def __init__(self, tokenizer: CodeTokenizer) -> None:
        self._tokenizer = tokenizer
        self._text = ""
        self._ids = np.zeros(0, np.uint32)

    def encode(self, text: str) -> NDArray[np.uint32]:
        """Ids of ``text``; whole lines from before are not done again."""
        if text == self._text:
            return self._ids
        if not (self._text.endswith("\n") and text.startswith(self._text)):
            self._text, self._ids = "", self._ids[:0]
        if text:
            new = np.asarray(self._tokenizer.encode(text[len(self._text) :]), np.uint32)
            self._text, self._ids = text, np.concatenate((self._ids, new))
        return self._ids


class Caches:
    """All documents of a workspace. A request for one of them does not see its copy there: it brings its own.

    A document that only requests bring is not kept: half-typed lines of four scratch files silenced a fifth.
    """

    def __init__(self, tokenizer: CodeTokenizer, vocab_size: int, mixture: Mixture) -> None:
        self._tokenizer, self._vocab_size, self.mixture = tokenizer, vocab_size, mixture
        self.workspace = NgramModel(vocab_size)
        self._waiting: OrderedDict[str, tuple[int, bytes]] = OrderedDict()  # characters, and the text compressed
        self._waiting_characters = 0
        self._untidy = 0
        self._taking: tuple[str, Iterator[Slice]] | None = None  # the document being tokenised
        self._above, self._below = _Side(tokenizer), _Side(tokenizer)
        self._full = False

    def fresh(self) -> Caches:
        """Empty ones of the same kind, for another workspace."""
        return Caches(self._tokenizer, self._vocab_size, self.mixture)

    def release(self) -> None:
        """Give back what the next request makes again; what was put in stays."""
        self._above, self._below = _Side(self._tokenizer), _Side(self._tokenizer)

    def put(self, key: str, text: str) -> None:
        """Take a document in, or its new text. It counts once it was worked on; the newest is done first."""
        self._wait(key, text)

    def drop(self, key: str) -> None:
        """Forget a document; nothing happens when there is none."""
        self._stop_waiting(key)
        self.workspace.remove(key)

    @property
    def waiting(self) -> int:
        """Documents that were put in and do not count yet."""
        return len(self._waiting) + (self._taking is not None)

    def next_slice(self) -> Slice | None:
        """The next slice of tokenising or sorting, see `ngrams.Slice`; None when there is nothing to do."""
        while True:
            if self._taking is None and self._waiting:
                key, (size, packed) = self._waiting.popitem()
                self._waiting_characters -= size
                self._untidy += size
                self._taking = key, self._take(key, packed)
            for piece in self._taking[1] if self._taking else ():
                return piece
            self._taking = None
            if (sorting := self.workspace.next_slice()) is not None:
                return sorting
            if not self._waiting:
                return self._tidy_up()

    def _tidy_up(self) -> Slice | None:
        if self._untidy < UNTIDY:
            return None
        self._untidy = 0
        return give_back_memory

    def work(self) -> bool:
        """Do one slice; False when there was none to do."""
        piece = self.next_slice()
        if piece is not None:
            piece()
        return piece is not None

    def enter(self, file: OpenFile, quick: Quick | None = None) -> Hole:
        """The caches for one request with its open file round the cursor, looked up by ``quick`` where it is compiled."""
        file = nearby(file)
        line = file.above.rfind("\n") + 1
        typed = np.asarray(self._tokenizer.heal(file.above[line:])[0], np.uint32)
        below = self._below.encode(_lines_to(file.below))
        model = NgramModel(self._vocab_size)
        model.add("above", np.concatenate((self._above.encode(file.above[:line]), typed)))
        model.add("below", below)
        workspace = self.workspace if len(self.workspace) else None
        return Hole(self.mixture, workspace, model, int(below[0]) if len(below) else None, file.key, quick)

    def _wait(self, key: str, text: str) -> None:
        self._stop_waiting(key)
        if self._waiting_characters + len(text) > WAITING:
            self.workspace.remove(key)
            self._say_full()
            return
        self._waiting[key] = len(text), zlib.compress(text.encode("utf-8", "replace"), 1)
        self._waiting_characters += len(text)

    def _stop_waiting(self, key: str) -> None:
        self._waiting_characters -= self._waiting.pop(key, (0, b""))[0]
        if self._taking is not None and self._taking[0] == key:
            self._taking = None

    def _take(self, key: str, packed: bytes) -> Iterator[Slice]:
        ids = [np.zeros(0, np.uint32)]
        yield from sliced(self._tokenise(packed, ids))
        if not self.workspace.add(key, np.concatenate(ids)):
            self._say_full()

    def _tokenise(self, packed: bytes, ids: list[NDArray[np.uint32]]) -> Iterator[None]:
        """In another thread. Not with `encode`: it remembers lines, and those of the open file must not be pushed out."""
        for piece in _pieces(zlib.decompress(packed).decode()):
            ids.append(np.asarray(self._tokenizer.encode_afresh(piece), np.uint32))
            yield

    def _say_full(self) -> None:
        if not self._full:
            self._full = True
            log.warning("the workspace's n-gram cache is full (%d million tokens): further files are left out", LIMIT // 10**6)


def _pieces(text: str) -> Iterator[str]:
    """Whole lines of about `SLICE_CHARACTERS` together; what a line has beyond `LONGEST_LINE` is data, and left out."""
    lines, size = list[str](), 0
    for line in split_lines(text):
        kept = line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + "\n"
        lines.append(kept)
        size += len(kept)
        if size >= SLICE_CHARACTERS:
            yield "".join(lines)
            lines, size = [], 0
    if lines:
        yield "".join(lines)


def _lines_to(text: str) -> str:
    """Whole lines, where there is more than one: half a name at the cut would be tokens that stand nowhere."""
    return text[: text.rfind("\n") + 1] or text
