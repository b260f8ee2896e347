"""Which stretches of the open documents are worth asking the model about: near the cursor, and where the changed words stand.

Knows words and lines, nothing of syntax: it must cost little and serve every language.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from assistant.edit_format import REGION_LINES
from assistant.next_edit.told import Stretch, history, line_of, lines_of, stretch
from assistant.next_edit.types import Document, Scene

WORD = re.compile(r"[^\W\d]\w{2,}")
COMMON = 12
"""A changed word on more lines than this of a document points nowhere."""
GONE, CAME = 2.0, 1.0
"""What a line weighs for a word that the last changes took away, and for one that they brought."""
NEAR, FAR = 1, 1
"""Stretches around the cursor and elsewhere: each costs a prefill of some 400 tokens. Seven found hardly more than two do."""
MOST_LINES = 20_000


def changed_words(scene: Scene) -> dict[str, float]:
    """The words that the last changes took or brought, with their weights."""
    words: dict[str, float] = {}
    for hunk in history(scene):
        old, new = set(WORD.findall(hunk.old)), set(WORD.findall(hunk.new))
        words.update({word: CAME for word in new - old if word not in words})
        words.update({word: GONE for word in old - new})
    return words


def stretches(scene: Scene, near: int = NEAR, far: int = FAR) -> list[Stretch]:
    """At most ``near`` stretches around the cursor and ``far`` elsewhere, apart from each other, the likeliest first."""
    lines = lines_of(scene.document)
    if len(lines) > MOST_LINES:
        near, far = 1, 0
    cursor = line_of(scene.document.text, scene.offset)
    found: list[Stretch] = []
    for middle in (cursor, cursor + REGION_LINES, cursor - REGION_LINES)[:near]:
        _add(found, stretch(scene.document, lines, middle) if -REGION_LINES < middle < len(lines) + REGION_LINES else None)
    words = changed_words(scene)
    for document, middle in _nominated(scene, words) if words and far else ():
        if len(found) >= near + far:
            break
        inside = any(one.document is document and one.first <= middle < one.last for one in found)
        _add(found, None if inside else stretch(document, lines_of(document), middle))
    return found


def _add(found: list[Stretch], one: Stretch | None) -> None:
    """Append a stretch that overlaps none of those found by more than half."""
    if one is None or one.first == one.last:
        return
    for other in found:
        if (
            other.document is one.document
            and min(other.last, one.last) - max(other.first, one.first) > (one.last - one.first) / 2
        ):
            return
    found.append(one)


def _nominated(scene: Scene, words: dict[str, float]) -> Iterator[tuple[Document, int]]:
    """Lines where changed words stand, those that weigh most first, the current document's before the others'."""
    rated = []
    for index, document in enumerate((scene.document, *scene.others)):
        lines = lines_of(document)
        if len(lines) <= MOST_LINES:
            rated += [(weight - 0.5 * bool(index), -index, -number) for number, weight in _weights(lines, words).items()]
    documents = (scene.document, *scene.others)
    for _, index, number in sorted(rated, reverse=True):
        yield documents[-index], -number


def _weights(lines: Sequence[str], words: dict[str, float]) -> dict[int, float]:
    """Each line that holds changed words, and what they weigh together."""
    held: Counter[str] = Counter()
    where: list[tuple[int, set[str]]] = []
    for number, line in enumerate(lines):
        if any(word in line for word in words) and (here := words.keys() & set(WORD.findall(line))):
            where.append((number, here))
            held.update(here)
    rated = {number: sum(words[word] for word in here if held[word] <= COMMON) for number, here in where}
    return {number: weight for number, weight in rated.items() if weight > 0}
