"""The workspace's and the open file's n-gram caches round one tokenizer: text goes in by key, better probabilities come out.

Knows texts, keys and the mixture; does not know the engine, requests or where texts come from. Taking a text in costs nothing
at once: `work` tokenises and sorts in slices while nobody waits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np

from assistant.model.mixture import Floats, Mixture
from assistant.model.ngrams import NOTHING, Match, NgramModel, draft
from assistant.model.tokenizer import CodeTokenizer, split_lines

ABOVE, BELOW = 40_000, 20_000
"""Characters of the open file round the cursor that its cache holds: 1 ms a request to tokenise, 13 ms the first time."""
SLICE_CHARACTERS = 50_000
"""Text tokenised in one slice of work, some 20 ms."""
LONGEST_LINE = 1_000


class Hole:
    """The caches as one request sees them: the workspace without the open file, the file above and below the cursor."""

    def __init__(self, mixture: Mixture, workspace: NgramModel | None, file: NgramModel | None, closing: int | None) -> None:
        self._mixture = mixture
        self._models = (workspace, file)
        self._closing = closing

    def look_up(self, context: Sequence[int]) -> tuple[Match, Match]:
        """What the workspace and the file say after the last tokens of ``context``."""
        first, second = (model.look_up(context) if model is not None else NOTHING for model in self._models)
        return first, second

    def mix(self, probs: Floats, context: Sequence[int]) -> Floats:
        """The model's probabilities [V] after ``context`` -> the mixed ones; the same array when no cache has a match."""
        return self._mixture.mix(probs, self.look_up(context), self._closing)

    def draft(self, context: Sequence[int], most: int) -> list[int]:
        """Up to ``most`` tokens that probably follow, to be verified against the mixed probabilities."""
        return draft([model for model in self._models if model is not None], context, most)


class Caches:
    """All documents of a workspace. A request for one of them takes it out; the next one for another puts it back."""

    def __init__(self, tokenizer: CodeTokenizer, vocab_size: int, mixture: Mixture) -> None:
        self._tokenizer, self._vocab_size, self._mixture = tokenizer, vocab_size, mixture
        self.workspace = NgramModel(vocab_size)
        self._waiting: OrderedDict[str, str] = OrderedDict()
        self._taking: tuple[str, Iterator[None]] | None = None  # the document being tokenised
        self._open: tuple[str, str] | None = None  # the last request's document and its text

    def put(self, key: str, text: str) -> None:
        """Take a document in, or its new text. It counts once `work` has got to it; the newest is done first."""
        if self._open is not None and self._open[0] == key:
            return  # its requests carry what is newer
        self._stop_waiting(key)
        self._waiting[key] = text

    def drop(self, key: str) -> None:
        """Forget a document; nothing happens when there is none."""
        self._stop_waiting(key)
        self.workspace.remove(key)
        if self._open is not None and self._open[0] == key:
            self._open = None

    def work(self) -> bool:
        """One slice of tokenising or sorting, at most some 40 ms; True while there is more to do."""
        if self._taking is None and self._waiting:
            key, text = self._waiting.popitem()
            self._taking = key, self._tokenise(key, text)
        for _ in self._taking[1] if self._taking else ():
            return True
        self._taking = None
        return self.workspace.work() or bool(self._waiting)

    def enter(self, key: str, above: str, below: str) -> Hole:
        """The caches for one request: ``above`` and ``below`` are the open file's text round the cursor."""
        if self._open is not None and self._open[0] != key:
            left, self._open = self._open, None
            self.put(*left)
        self._stop_waiting(key)
        self.workspace.remove(key)
        self._open = key, above + below
        file, suffix = NgramModel(self._vocab_size), self._tokenizer.encode(_lines_to(below[:BELOW]))
        file.add("above", self._tokenizer.heal(above[-ABOVE:])[0])
        file.add("below", suffix)
        return Hole(self._mixture, self.workspace if len(self.workspace) else None, file, suffix[0] if suffix else None)

    def _stop_waiting(self, key: str) -> None:
        self._waiting.pop(key, None)
        if self._taking is not None and self._taking[0] == key:
            self._taking = None

    def _tokenise(self, key: str, text: str) -> Iterator[None]:
        pieces = [np.zeros(0, np.uint32)]
        for piece in _pieces(text):
            # Not `encode`: it remembers lines, and those of the open file must not be pushed out.
            pieces.append(np.asarray(self._tokenizer._encode_line_uncached(piece), np.uint32))
            yield
        self.workspace.add(key, np.concatenate(pieces))


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
