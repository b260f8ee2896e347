"""Lines that were added, or rewritten as a block, where lines of the same shape stand elsewhere. Any language.

What the new lines stand between, or replace, is looked for with the names, numbers and strings that are its own put in place
of the first one's; the new lines follow. A block need not be the same word for word: how much of it is, the ranker is told.
Single lines that became single lines are `line_repeat`'s and `clone`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from assistant.next_edit.patterns.context import Context, Site
from assistant.next_edit.patterns.tokens import KEYWORDS, is_word, openness
from assistant.next_edit.types import Candidate, Document

NAME = "block_repeat"
MAX_BLOCKS = 6  # of the history, the latest
MAX_OLD, MAX_NEW = 10, 12  # lines
MAX_SITES, FIRST = 8, 2  # of one block in one document, and how many are said: of the third best 1 in 200 was right
MAX_LINE = 300
MIN_SIGNS = 4  # tokens of the lines that are looked for
LIKE = 0.75  # of their tokens are the same; below, 15 of 10,000 were right
MAX_HOLES = 2  # names, numbers and strings that differ
_SIGN = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`|[^\W\d][\w$]*|\d[\w.]*|[^\w\s]")
# Each takes its sign to the end: words that may be split anywhere make a line of prose take for ever.
_HOLES = {"word": r"[^\W\d][\w$]*(?![\w$])", "number": r"\d[\w.]*(?![\w.])", "string": r"(?:\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`)"}


class _Block(NamedTuple):
    """``old``, lines of the base, became ``new`` between ``above`` and ``below``; all without their indentation's first part.

    ``wanted`` are the lines to look for: the old ones, or where there are none the neighbours; ``at`` of them come before.
    """

    uri: str
    wanted: tuple[str, ...]
    at: int
    size: int
    new: tuple[str, ...]
    start: int
    end: int
    order: int


def find(context: Context) -> Iterator[Candidate]:
    blocks = [block for document in context.documents for block in _blocks(context, document)]
    blocks = sorted(blocks, key=lambda block: -block.order)
    done: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
    for block in blocks[:MAX_BLOCKS]:
        kind = block.wanted, block.new
        if kind in done:
            continue
        done.add(kind)
        shape = [_kinds(line) for line in block.new]
        support = sum([_kinds(line) for line in other.new] == shape for other in blocks)
        for document in context.documents:
            context.cancel.check()
            yield from _repeated(context, document, block, support)


def _blocks(context: Context, document: Document) -> Iterator[_Block]:
    """The changes of a document in whole lines; those that touch are one."""
    edits = sorted(context.edits_of(document.uri), key=lambda edit: edit.start)
    if not edits:
        return
    base, text = edits[0].base.split("\n"), edits[0].text.split("\n")
    spans: list[tuple[int, int, int, int, int]] = []
    for edit in edits:
        first, last = _rows(edit.base, edit.old_start, edit.old_end), _rows(edit.text, edit.start, edit.end)
        grows = (not edit.removed or edit.removed.endswith("\n")) and (not edit.inserted or edit.inserted.endswith("\n"))
        whole = grows and first[2] and last[2]
        old, new = (first[0], first[1] + (not whole)), (last[0], last[1] + (not whole))
        if spans and old[0] <= spans[-1][1] and new[0] <= spans[-1][3]:
            before = spans.pop()
            old, new = (before[0], max(before[1], old[1])), (before[2], max(before[3], new[1]))
            spans.append((*old, *new, max(before[4], edit.order)))
        else:
            spans.append((*old, *new, edit.order))
    for start, end, new_start, new_end, order in spans:
        block = _block(document.uri, base[start:end], text, new_start, new_end, order)
        if block is not None:
            yield block


def _rows(text: str, start: int, end: int) -> tuple[int, int, bool]:
    """The lines of a stretch: first, last, and whether the first is whole."""
    first = text.count("\n", 0, start)
    return first, first + text.count("\n", start, end), start == 0 or text[start - 1] == "\n"


def _block(uri: str, old: Sequence[str], text: Sequence[str], start: int, end: int, order: int) -> _Block | None:
    new = text[start:end]
    if not any(line.strip() for line in new) or len(old) > MAX_OLD or len(new) > MAX_NEW or len(old) == len(new) == 1:
        return None
    if openness("\n".join(old)) != openness("\n".join(new)):
        return None
    if old:
        wanted, at = tuple(old), 0
    else:
        above, below = text[max(0, start - 1) : start], text[end : end + 1]
        at = len(above)
        wanted = (*above, *below)
    if sum(len(_SIGN.findall(line)) for line in wanted) < MIN_SIGNS or any(len(line) > MAX_LINE for line in (*wanted, *new)):
        return None
    return _Block(uri, wanted, at, len(old), tuple(new), start, end, order)


def _repeated(context: Context, document: Document, block: _Block, support: int) -> Iterator[Candidate]:
    text = document.text
    lines, starts = text.split("\n"), [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    sites: list[tuple[float, dict[str, float], Site]] = []
    for row in _places(text, block.wanted):
        context.cancel.check()
        found = _fits(block.wanted, lines[row : row + len(block.wanted)])
        if found is None or (document.uri == block.uri and block.start - 1 <= row <= block.end):
            continue
        like, names = found
        first = row + block.at
        last = first + block.size
        here = Site(starts[first], min(len(text), starts[last]), "")
        if last >= len(lines) or context.is_touched(document, here.start - 1, here.end + 1):
            continue
        new = _written(block, lines[row : row + len(block.wanted)], names)
        around = [line.strip() for line in lines[max(0, first - len(new)) : last + len(new)]]
        if block.size == 0 and all(line.strip() in around for line in new):
            continue
        numbers = {"like": like, "holes": float(len(names))}
        sites.append((like, numbers, here._replace(text="".join(line + "\n" for line in new))))
    if len(sites) > MAX_SITES:
        return
    sites.sort(key=lambda site: -site[0])
    for rank, (_, numbers, site) in enumerate(sites[:FIRST]):
        features = {
            **numbers,
            "rank": float(rank),
            "sites": float(len(sites)),
            "size": float(block.size),
            "grown": float(len(block.new) - block.size),
            "signs": float(sum(len(_SIGN.findall(line)) for line in block.wanted)),
            "same_file": float(block.uri == document.uri),
            "recent": float(block.order == context.last_order),
        }
        why = "the same lines were changed this way" if block.size else "the same lines were added in such a place"
        yield from context.candidates(NAME, document, [site], why, support, features)


def _places(text: str, wanted: Sequence[str]) -> Iterator[int]:
    """The rows where lines of this shape may begin, told by the one that says most."""
    counts = [len(_SIGN.findall(line)) for line in wanted]
    at = counts.index(max(counts))
    signs = _SIGN.findall(wanted[at])
    parts = []
    for number, sign in enumerate(signs):
        fixed = sign in KEYWORDS or _kind(sign) == "" or (number == 0 and is_word(sign))
        parts.append(re.escape(sign) if fixed else _HOLES[_kind(sign)])
    row = end = 0
    for match in re.finditer(r"^[ \t]*" + r"[ \t]*".join(parts) + r"[ \t]*\r?$", text, re.MULTILINE):
        row += text.count("\n", end, match.start())
        end = match.start()
        if row >= at:
            yield row - at


def _fits(wanted: Sequence[str], found: Sequence[str]) -> tuple[float, dict[str, str]] | None:
    """How alike two blocks of lines are, 0 to 1, and what stands for what; ``None`` if they are not alike."""
    names: dict[str, str] = {}
    same = every = 0
    if len(found) < len(wanted):
        return None
    for a, b in zip(wanted, found, strict=True):
        one, other = _SIGN.findall(a), _SIGN.findall(b)
        if [*map(_key, one)] != [*map(_key, other)]:
            return None
        if any(names.setdefault(x, y) != y for x, y in zip(one, other, strict=True)):
            return None
        same += sum(x == y for x, y in zip(one, other, strict=True))
        every += len(one)
    others = {x: y for x, y in names.items() if x != y}
    return (same / every, others) if same >= LIKE * every and len(others) <= MAX_HOLES else None


def _written(block: _Block, found: Sequence[str], names: dict[str, str]) -> list[str]:
    """The new lines with the names of this place, moved to its indentation."""
    shift = next(((a, b) for a, b in zip(block.wanted, found, strict=False) if a.strip() and b.strip()), ("", ""))
    old, new = (line[: len(line) - len(line.lstrip())] for line in shift)
    written = []
    for line in block.new:
        said = "".join(names.get(piece, piece) for piece in re.split(f"({_SIGN.pattern})", line)) if names else line
        written.append(new + said[len(old) :] if said.startswith(old) and old != new else said)
    return written


def _kind(sign: str) -> str:
    if sign[0] in "\"'`":
        return "string" if len(sign) > 1 else ""
    return "word" if is_word(sign) else "number" if sign[0].isdigit() else ""


def _key(sign: str) -> str:
    return sign if sign in KEYWORDS else _kind(sign) or sign


def _kinds(line: str) -> list[str]:
    return [_key(sign) for sign in _SIGN.findall(line)]
