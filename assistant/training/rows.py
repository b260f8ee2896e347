"""Turn encoded documents into training rows: whole-line pieces with a path header, half of them as fill-in-the-middle.

Knows token ids and, for cuts inside a line, the tokenizer. Does not know models. Rows are a function of (seed, epoch, block)
alone, so a run resumes at any row without a saved stream, and every epoch cuts the text elsewhere.

Layouts: document ``<|file|>path \\n text <|end|>``; suffix first ``<|fim_prefix|><|fim_suffix|> suffix <|fim_middle|> prefix
middle <|end|>`` (Bavarian et al., arXiv 2207.14255; prefix and middle tokenised as one, so that the cursor is no token
border); prefix first ``<|fim_prefix|> prefix <|fim_suffix|> suffix <|fim_middle|> middle <|end|>``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from assistant.training.corpus import Document
from assistant.training.edit_examples import Mixer
from assistant.training.sources import CorpusError
from assistant.training.tokenizer import END, FILE, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX

Ids = NDArray[np.uint16]
_Wanted = tuple[int, int, int, float]  # epoch, block, length of the rows, share of edit examples
BLOCK_DOCUMENTS = 256
FIM_SHARE, SUFFIX_FIRST_SHARE, PATH_SHARE = 0.5, 0.8, 0.8
SUFFIX_SHARE = 0.25  # of the context, the most a suffix takes at inference too
MIN_FIM_ROOM, MIN_HEADER_ROOM = 128, 64
CLOSERS = ")]}:,\"'"


def encode(docs: Iterable[Document], tokenizer: Tokenizer, out: Path) -> int:
    """Write ``docs`` to ``out``: tokens.bin (uint16), bounds.npy and paths.json; returns the number of tokens."""
    out.mkdir(parents=True, exist_ok=True)
    bounds, paths, batch = [0], [], list[Document]()
    with (out / "tokens.bin").open("wb") as file:

        def flush() -> None:
            for doc, encoding in zip(batch, tokenizer.encode_batch_fast([d.text for d in batch]), strict=True):
                ids = np.asarray(encoding.ids, dtype=np.uint16)
                ids.tofile(file)
                bounds.append(bounds[-1] + len(ids))
                paths.append(doc.path)
            batch.clear()

        for doc in docs:
            batch.append(doc)
            if len(batch) == 256:
                flush()
        flush()
    np.save(out / "bounds.npy", np.asarray(bounds, dtype=np.int64))
    (out / "paths.json").write_text(json.dumps(paths), encoding="utf-8")
    return bounds[-1]


class TokenStore:
    """The encoded corpus on disk, read through a memory map."""

    def __init__(self, folder: Path) -> None:
        self.tokens: Ids = np.memmap(folder / "tokens.bin", dtype=np.uint16, mode="r")
        self.bounds: NDArray[np.int64] = np.load(folder / "bounds.npy")
        self.paths: list[str] = json.loads((folder / "paths.json").read_text(encoding="utf-8"))

    def __len__(self) -> int:
        return len(self.paths)

    def document(self, index: int) -> Ids:
        return np.asarray(self.tokens[self.bounds[index] : self.bounds[index + 1]])


@dataclass
class Position:
    """Where the next row comes from; all that a checkpoint keeps of the data."""

    epoch: int = 0
    block: int = 0
    row: int = 0


class Rows:
    """An endless stream of rows of ``length`` + 1 tokens, with an exact place in it.

    ``edits`` holds encoded examples of the edit format; they come in once `set_edits` gives them a share.
    """

    def __init__(
        self,
        store: TokenStore,
        tokenizer: Tokenizer,
        length: int,
        seed: int,
        fim: float = FIM_SHARE,
        edits: TokenStore | None = None,
    ) -> None:
        self.store, self.tokenizer, self.seed, self.fim, self.edits = store, tokenizer, seed, fim, edits
        self.length = length
        self.edit_share = 0.0
        self.position = Position()
        self._block: Ids | None = None
        self._maker = ThreadPoolExecutor(1, "rows")
        self._ahead: tuple[_Wanted, Future[Ids]] | None = None

    def next(self, count: int) -> Ids:
        """The next ``count`` rows [count, length + 1]. Raises `CorpusError` where all documents together fill none."""
        out: list[Ids] = []
        barren = 0
        while len(out) < count:
            block = self._current()
            if self.position.row >= len(block):
                barren = 0 if len(block) else barren + 1
                if barren * BLOCK_DOCUMENTS >= len(self.store):
                    raise CorpusError(f"the corpus is too small to fill one row of {self.length} tokens; add packages to it")
                self._advance()
                continue
            out.append(block[self.position.row])
            self.position.row += 1
        return np.stack(out)

    def set_length(self, length: int) -> None:
        """Go on with rows of another length, from the next block of documents."""
        if length != self.length:
            self.length = length
            self._advance()

    def set_edits(self, share: float) -> None:
        """Go on with ``share`` of the tokens in edit examples, from the next block of documents."""
        if share != self.edit_share:
            self.edit_share = share
            self._advance()

    def state(self) -> dict[str, Any]:
        return {**vars(self.position), "length": self.length, "edits": self.edit_share}

    def restore(self, state: dict[str, Any]) -> None:
        self.length = int(state["length"])
        self.edit_share = float(state.get("edits", 0.0))
        self.position = Position(int(state["epoch"]), int(state["block"]), int(state["row"]))
        self._block = None

    def _advance(self) -> None:
        epoch, block = self._after(self.position.epoch, self.position.block)
        self.position = Position(epoch, block, 0)
        self._block = None

    def _current(self) -> Ids:
        """The rows of this position's block; the next block is made meanwhile, so that a GPU does not wait for it."""
        if self._block is None:
            epoch, block = self.position.epoch, self.position.block
            self._block = self._taken((epoch, block, self.length, self.edit_share))
            ahead = (*self._after(epoch, block), self.length, self.edit_share)
            self._ahead = ahead, self._maker.submit(self._build, *ahead)
        return self._block

    def _taken(self, wanted: _Wanted) -> Ids:
        if self._ahead is not None and self._ahead[0] == wanted:
            return self._ahead[1].result()
        return self._build(*wanted)

    def _after(self, epoch: int, block: int) -> tuple[int, int]:
        last = block + 1 >= -(-len(self.store) // BLOCK_DOCUMENTS)
        return (epoch + 1, 0) if last else (epoch, block + 1)

    def _build(self, epoch: int, block: int, length: int, edit_share: float) -> Ids:
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.store))
        rng = np.random.default_rng([self.seed, epoch, block])
        chosen = order[block * BLOCK_DOCUMENTS : (block + 1) * BLOCK_DOCUMENTS]
        documents = ((self.store.paths[i], self.store.document(i)) for i in chosen)
        mixer = Mixer(self.edits, edit_share)
        made = list(Cutter(self.tokenizer, length, self.fim).rows(documents, rng, mixer))
        return rng.permutation(np.stack(made)) if made else np.zeros((0, length + 1), np.uint16)


class Cutter:
    """Cuts documents into pieces that fill rows exactly; no padding, every token of the text used once."""

    def __init__(self, tokenizer: Tokenizer, length: int, fim: float = FIM_SHARE) -> None:
        self.tokenizer, self.length, self.fim = tokenizer, length, fim
        self.newline = tokenizer.encode("\n").ids[0]

    def ids(self, text: str) -> Ids:
        return np.asarray(self.tokenizer.encode(text).ids, dtype=np.uint16)

    def rows(self, documents: Iterable[tuple[str, Ids]], rng: np.random.Generator, mixer: Mixer | None = None) -> Iterator[Ids]:
        """Rows [length + 1] of documents and ``mixer``'s examples; what does not fill the last one is dropped."""
        mixer = mixer or Mixer(None, 0.0)
        row: list[Ids] = []
        room = self.length + 1
        for path, tokens in documents:
            header = np.concatenate((_ids(FILE), self.ids(path + "\n")))
            at = 0
            while at < len(tokens):
                piece = mixer.take(room, rng)
                if piece is None:
                    piece, at = self.piece(tokens, at, header, room, rng)
                    mixer.count(len(piece))
                row.append(piece)
                room -= len(piece)
                if room == 0:
                    yield np.concatenate(row)
                    row, room = [], self.length + 1

    def piece(self, tokens: Ids, at: int, header: Ids, room: int, rng: np.random.Generator) -> tuple[Ids, int]:
        """One piece of at most ``room`` tokens starting at token ``at`` of the document, and where the next one starts."""
        with_path = rng.random() < PATH_SHARE and room >= max(MIN_HEADER_ROOM, 2 * len(header))
        lead = header if with_path else header[:0]
        if room >= MIN_FIM_ROOM and rng.random() < self.fim:
            made = self._middle(tokens, at, room - len(lead) - 4, rng)
            if made is not None and len(lead) + len(made[0]) <= room:  # a line cut in two may take more tokens than it had
                return np.concatenate((lead, made[0])), made[1]
        return self._plain(tokens, at, lead, room)

    def _plain(self, tokens: Ids, at: int, lead: Ids, room: int) -> tuple[Ids, int]:
        text = tokens[at : at + room - len(lead)]
        end = at + len(text)
        if end == len(tokens) and len(lead) + len(text) < room:
            return np.concatenate((lead, text, _ids(END))), end
        if end < len(tokens) and (breaks := np.flatnonzero(text == self.newline)).size and breaks[-1] > len(text) // 2:
            # The next piece starts at a line, as prompts do; the few tokens of the cut line are seen twice.
            return np.concatenate((lead, text)), at + int(breaks[-1]) + 1
        return np.concatenate((lead, text)), end

    def _middle(self, tokens: Ids, at: int, budget: int, rng: np.random.Generator) -> tuple[Ids, int] | None:
        """A fill-in-the-middle piece of at most ``budget`` + 4 tokens, or None where the text offers no line to cut."""
        if rng.random() < 0.3:
            budget = int(rng.integers(64, budget + 1)) if budget > 64 else budget
        window = tokens[at : at + budget]
        starts = np.flatnonzero(window == self.newline) + 1
        starts = np.concatenate(([0], starts[starts < len(window)]))
        if len(starts) < 3:
            return None
        wanted = 0 if rng.random() < 0.1 else int(rng.integers(0, int(SUFFIX_SHARE * self.length) + 1))
        cut = max(0, len(window) - wanted - int(rng.integers(0, 24)))
        line = max(1, int(np.searchsorted(starts, cut, side="right")) - 2)
        end = self._span_end(window, starts, line, rng.random() if wanted else 0.3, rng)
        if end is None:
            return None
        begin, before, after = end
        following = int(np.searchsorted(starts, begin, side="right"))
        rest_at = int(starts[following]) if following < len(starts) else len(window)
        # Splitting a line may cost tokens: the suffix gives them back.
        spare = budget - begin - len(before) - len(after)
        take = max(0, min(wanted - len(after), spare, len(window) - rest_at))
        if spare < 0:
            return None
        suffix = np.concatenate((after, window[rest_at : rest_at + take])) if wanted else after[:0]
        head = np.concatenate((window[:begin], before))
        rest = at + rest_at + (take if wanted else 0)
        if rng.random() >= SUFFIX_FIRST_SHARE:
            piece = self._prefix_first(window[:begin], before, suffix, rng)
            if len(piece) <= budget + 4:
                return piece, rest
        return np.concatenate((_ids(FIM_PREFIX, FIM_SUFFIX), suffix, _ids(FIM_MIDDLE), head, _ids(END))), rest

    def _prefix_first(self, above: Ids, before: Ids, suffix: Ids, rng: np.random.Generator) -> Ids:
        text = self.tokenizer.decode(before.tolist(), skip_special_tokens=False)
        cut = int(rng.integers(0, len(text) + 1))
        prefix, middle = np.concatenate((above, self.ids(text[:cut]))), self.ids(text[cut:])
        return np.concatenate((_ids(FIM_PREFIX), prefix, _ids(FIM_SUFFIX), suffix, _ids(FIM_MIDDLE), middle, _ids(END)))

    def _span_end(
        self, window: Ids, starts: NDArray[np.intp], line: int, kind: float, rng: np.random.Generator
    ) -> tuple[int, Ids, Ids] | None:
        """Where the middle ends: (first token of that line, the line up to the end, the rest of the line with its newline).

        Half of the time the end of a line of code (a third of these leave closing brackets to the suffix), a quarter the end
        of an indented block, a quarter anywhere: ``kind`` in 0 .. 1 chooses.
        """
        if 0.5 <= kind < 0.75:
            line = self._block_end(window, starts, line)
        begin = int(starts[line])
        stop = int(starts[line + 1]) if line + 1 < len(starts) else len(window)
        text = self.tokenizer.decode(window[begin:stop].tolist(), skip_special_tokens=False)
        bare = text.rstrip("\n")
        if not bare.strip():
            return None
        if kind >= 0.75:
            cut = int(rng.integers(1, len(bare) + 1))
        elif kind < 0.17:
            cut = len(bare.rstrip(CLOSERS)) or len(bare)
        else:
            cut = len(bare)
        if cut == len(bare) and text != bare:
            return begin, window[begin : stop - 1], window[stop - 1 : stop]
        return begin, self.ids(text[:cut]), self.ids(text[cut:])

    def _block_end(self, window: Ids, starts: NDArray[np.intp], line: int) -> int:
        """The last line of the indented block that ``line`` lies in, at most 20 lines on."""
        depth = None
        last = line
        for number in range(line, min(line + 20, len(starts) - 1)):
            text = self.tokenizer.decode(window[starts[number] : starts[number + 1]].tolist(), skip_special_tokens=False)
            indent = len(text) - len(text.lstrip())
            if not text.strip():
                continue
            if depth is not None and indent < depth:
                break
            depth = indent if depth is None else depth
            last = number
        return last


def _ids(*ids: int) -> Ids:
    return np.asarray(ids, dtype=np.uint16)
