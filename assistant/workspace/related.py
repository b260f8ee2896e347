"""Which words of code go with a word of a question: "remove" with del, pop and unlink.

Three sources, the strongest wins: a table mined from docstring-function pairs of published packages (``related.json``), a
few pairs by hand, and what the workspace's own docstrings say. Rewrites the question only; the index stays as the code
is. Knows nothing of ranking.

``python -m assistant.workspace.related OUT FOLDER...`` mines such a table from folders of source, one package each: the same
bytes for the same folders in any order. The shipped one names the packages it was made of; three minutes of one core.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.workspace.words import prose, stem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistant.workspace.store import Store

    Floats = NDArray[np.float64]
    Cells = NDArray[np.int64]

Table = Mapping[str, Mapping[str, float]]
"""For a stem of a question, stems of code with the probability that code holding the one is described by the other."""

Pair = tuple[Sequence[str], Sequence[str]]
"""The distinct stems of a description, and of the code it describes."""

ROUNDS = 5
MIN_PROBABILITY = 0.03
MAX_RELATED = 10
SELF = 0.6
"""The probability that code with a word is described by the same word, where nothing better is known; about the median."""

_MAX_CODE = 40
_MIN_PAIRS = 15  # a word seen less often has no statistics
_MAX_OWN = 3_000  # pairs of a workspace: two seconds of a low-priority process
_BATCH = 2_000
_NOTHING = ""  # stands in every piece of code and takes the words that nothing explains

_BY_HAND = """
allocate: reserve acquire / append: add push extend / authenticate: auth login credential token / begin: start open
enter / build: make create construct compile / calculate: compute calc / change: update set modify mutate / check: is
has validate verify / close: shutdown stop exit / combine: merge join concat / compare: eq diff cmp / configuration:
config cfg settings options / connect: conn open dial / convert: to from as cast / copy: clone dup / count: num len size
/ create: make new build init / decode: loads unpack parse / delete: del remove rm unlink drop / directory: dir folder
path / display: show print render / download: fetch get retrieve / encode: dumps pack serialize / error: exc exception
err fail / execute: run exec call invoke / fetch: get load read / find: search lookup locate get / folder: dir directory
/ generate: gen make yield / initialize: init setup / iterate: iter each walk for / length: len size / list: ls
enumerate / load: read open / maximum: max / message: msg / minimum: min / number: num count n / obtain: get /
parameter: param arg kwarg / parse: loads read / password: pwd passwd secret / print: show display write echo / random:
rand rng / read: load open get / reference: ref / register: add subscribe / remove: del delete pop discard rm unlink /
repeat: retry loop / replace: sub swap / request: req / response: resp res / retrieve: get fetch / return: get / save:
write dump store persist / send: post emit dispatch publish / source: src / sort: order sorted / split: partition /
start: begin run open / stop: close shutdown cancel kill / string: str text / temporary: tmp temp / test: is check
assert / transform: convert map to / update: set refresh patch / verify: check validate / wait: sleep join poll / write:
save dump put
"""


@cache
def by_hand() -> Table:
    entries = (entry.split(":") for entry in " ".join(_BY_HAND.split()).split("/") if entry.strip())
    return {stem(word.strip()): {stem(other): 0.1 for other in others.split()} for word, others in entries}


@cache
def shipped() -> Table:
    """The table that comes with the program."""
    found: dict[str, dict[str, float]] = json.loads(Path(__file__).with_name("related.json").read_text("utf-8"))["table"]
    return found


def combined(*tables: Table) -> Table:
    """The larger probability where several tables speak."""
    result: dict[str, dict[str, float]] = {}
    for table in tables:
        for word, others in table.items():
            known = result.setdefault(word, {})
            for other, probability in others.items():
                known[other] = max(known.get(other, 0.0), probability)
    return result


def mine(pairs: Iterable[Pair], min_pairs: int = _MIN_PAIRS) -> dict[str, dict[str, float]]:
    """The table that explains descriptions by code best: expectation maximisation of IBM's translation model 1."""
    kept = [(list(words), list(code)[:_MAX_CODE]) for words, code in pairs]
    frequent = {word for word, n in Counter(word for words, _ in kept for word in words).items() if n >= min_pairs}
    usual = {word for word, n in Counter(word for _, code in kept for word in code).items() if n >= min_pairs}
    kept = [([w for w in words if w in frequent], [c for c in code if c in usual] + [_NOTHING]) for words, code in kept]
    return _strongest(*_expect(kept)) if kept else {}


def _expect(pairs: Sequence[Pair]) -> tuple[Cells, Floats, list[str], list[str]]:
    """The probabilities after `ROUNDS` of the words and codes that stand in one pair, their cells (word * len(codes) + code,
    ascending), and all words and codes. Time and memory (4 bytes) grow with what stands in pairs, not with the whole table.
    """
    import numpy as np

    words = sorted({word for described, _ in pairs for word in described})
    codes = sorted({c for _, code in pairs for c in code})
    row, column = {word: i * len(codes) for i, word in enumerate(words)}, {c: i for i, c in enumerate(codes)}
    batches = []
    for at in range(0, len(pairs), _BATCH):
        batch = [
            ([row[w] for w in described], [column[c] for c in code]) for described, code in pairs[at : at + _BATCH] if described
        ]
        if batch:
            grids = [np.add.outer(np.array(described), np.array(code)).ravel() for described, code in batch]
            sizes = np.concatenate([np.full(len(described), len(code)) for described, code in batch])
            batches.append((np.concatenate(grids), sizes))
    cells = np.unique(np.concatenate([np.unique(grid) for grid, _ in batches])) if batches else np.zeros(0, np.int64)
    placed = [(np.searchsorted(cells, grid).astype(np.int32), sizes) for grid, sizes in batches]
    code_of, table = cells % max(1, len(codes)), np.ones(len(cells))
    for _ in range(ROUNDS):
        share = np.zeros_like(table)
        for places, sizes in placed:
            weights = table[places]
            whole = np.repeat(np.add.reduceat(weights, np.concatenate(([0], sizes.cumsum()[:-1]))), sizes)
            weights[weights <= 1e-3 * whole] = 0.0
            share += np.bincount(places, weights / np.where(whole > 0, whole, 1.0), len(table))
        total = np.bincount(code_of, share, len(codes))
        table = share / np.where(total > 0, total, 1.0)[code_of]
        table[table <= 1e-5] = 0.0
    return cells, table, words, codes


def _strongest(cells: Cells, table: Floats, words: Sequence[str], codes: Sequence[str]) -> dict[str, dict[str, float]]:
    likely = [(int(cells[i]) // len(codes), -float(table[i]), codes[cells[i] % len(codes)]) for i in _likely(table)]
    result: dict[str, dict[str, float]] = {}
    for row, p, c in sorted(likely):
        known = result.setdefault(words[row], {})
        if c != _NOTHING and (words[row] == c or len(known) < MAX_RELATED):
            known[c] = round(-p, 3)
    return {word: others for word, others in result.items() if others}


def _likely(table: Floats) -> list[int]:
    found: list[int] = (table >= MIN_PROBABILITY).nonzero()[0].tolist()
    return found


def learn(store: Store) -> None:
    """Mine the workspace's own docstrings, if it has grown or shrunk by a tenth since the last time."""
    count, before = store.count(), int(store.meta("related_files") or 0)
    if abs(count - before) * 10 < before or not store.has_text:
        return
    sql = "SELECT doc, title, near, body FROM words WHERE doc != '' ORDER BY rowid LIMIT ?"
    table = mine(_pairs(store.query(sql, (_MAX_OWN,))))
    store.set_meta("related", json.dumps(table))
    store.set_meta("related_files", str(count))


def _pairs(found: Iterable[Sequence[str]]) -> Iterator[Pair]:
    for doc, *code in found:
        yield list(dict.fromkeys(doc.split()))[:15], list(dict.fromkeys(" ".join(code).split()))


def learned(store: Store) -> Table:
    """What `learn` found."""
    text = store.meta("related")
    found: dict[str, dict[str, float]] = json.loads(text) if text else {}
    return found


def described(folder: str) -> Iterator[Pair]:
    """What the documented functions below ``folder`` say of themselves, in an order that no file name decides."""
    from assistant.config import Config
    from assistant.workspace.record import record
    from assistant.workspace.symbols import MODULE
    from assistant.workspace.walk import decode, walk

    root = os.path.realpath(folder)
    paths = {os.path.relpath(path, root): path for path, _ in walk([root], Config())}
    for name in sorted(paths, key=lambda name: zlib.crc32(name.encode("utf-8", "surrogatepass"))):
        if "test" in name.lower():
            continue
        path = paths[name]
        made = record(path, decode(Path(path).read_bytes()) or "")
        for piece in made.pieces:
            doc = made.symbols.definitions[piece.chunk.owner].docstring if piece.chunk.owner != MODULE else ""
            first = doc.split("\n\n")[0]
            if piece.chunk.kind == "function" and len(first.split()) >= 3 and piece.title:
                code = f"{piece.title} {piece.near} {piece.body}".split()
                yield list(dict.fromkeys(prose(first)))[:15], list(dict.fromkeys(code))


def main(out: str, folders: Sequence[str]) -> None:
    """Mine the source below ``folders`` (one package each) and write the table with the folders' names. Says how far it is."""
    named = {Path(folder).resolve().name: folder for folder in folders}
    pairs: list[Pair] = []
    for i, name in enumerate(sorted(named), start=1):
        pairs += islice(described(named[name]), _MAX_PER_PACKAGE)
        sys.stderr.write(f"\r{i} of {len(named)} packages, {len(pairs):,} functions")
    sys.stderr.write("\nlooking for what belongs together ...\n")
    made = {"sources": sorted(named), "table": mine(pairs)}
    Path(out).write_text(json.dumps(made, separators=(",", ":"), sort_keys=True) + "\n", "utf-8")


_MAX_PER_PACKAGE = 1_500  # so that none of them is the table

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
