"""Which words of code go with a word of a question: "remove" with del, pop and unlink.

Three sources, the strongest wins: a table mined from docstring-function pairs of published packages (``related.json``), a
few pairs by hand, and what the workspace's own docstrings say. Rewrites the question only; the index stays as the code
is. Knows nothing of ranking.

``python -m assistant.workspace.related OUT FOLDER...`` makes the table from folders of source.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.workspace.words import prose, stem

if TYPE_CHECKING:
    from assistant.workspace.store import Store

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
    found: dict[str, dict[str, float]] = json.loads(Path(__file__).with_name("related.json").read_text("utf-8"))
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
    table: dict[tuple[str, str], float] = {}
    for _ in range(ROUNDS):
        table = _round(kept, table)
    return _strongest(table)


def _round(pairs: list[tuple[list[str], list[str]]], table: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    share: dict[tuple[str, str], float] = defaultdict(float)
    total: dict[str, float] = defaultdict(float)
    for words, code in pairs:
        for word in words:
            weights = [table.get((word, c), 0.0) for c in code] if table else [1.0] * len(code)
            whole = sum(weights)
            for c, weight in zip(code, weights, strict=True):
                if whole and weight > 1e-3 * whole:
                    share[word, c] += weight / whole
                    total[c] += weight / whole
    return {pair: amount / total[pair[1]] for pair, amount in share.items() if amount > 1e-5 * total[pair[1]]}


def _strongest(table: dict[tuple[str, str], float]) -> dict[str, dict[str, float]]:
    result: dict[str, dict[str, float]] = defaultdict(dict)
    for (word, c), probability in sorted(table.items(), key=lambda item: -item[1]):
        if c != _NOTHING and probability >= MIN_PROBABILITY and (word == c or len(result[word]) < MAX_RELATED):
            result[word][c] = round(probability, 3)
    return dict(result)


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


def main(out: str, folders: Sequence[str]) -> None:
    """Mine the source below ``folders`` (one package each) and write the table."""
    from assistant.config import Config
    from assistant.workspace.record import record
    from assistant.workspace.symbols import MODULE
    from assistant.workspace.walk import decode, walk

    pairs: list[Pair] = []
    for folder in folders:
        mined = 0
        for path, _ in walk([folder], Config()):
            text = decode(Path(path).read_bytes())
            made = record(path, text) if text and "test" not in path.lower() else None
            for piece in made.pieces if made is not None else ():
                doc = made.symbols.definitions[piece.chunk.owner].docstring if made and piece.chunk.owner != MODULE else ""
                first = doc.split("\n\n")[0]
                if piece.chunk.kind == "function" and len(first.split()) >= 3 and piece.title and mined < _MAX_PER_PACKAGE:
                    mined += 1
                    code = f"{piece.title} {piece.near} {piece.body}".split()
                    pairs.append((list(dict.fromkeys(prose(first)))[:15], list(dict.fromkeys(code))))
    Path(out).write_text(json.dumps(mine(pairs), separators=(",", ":"), sort_keys=True) + "\n", "utf-8")


_MAX_PER_PACKAGE = 1_500  # so that none of them is the table

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
