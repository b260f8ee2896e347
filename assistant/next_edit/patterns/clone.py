"""What was rewritten in one statement is rewritten in others of its shape: anti-unification with holes.

From ``self.assertEqual(a, b)`` -> ``assert a == b`` follows ``self.assertEqual(x.y, f(1))`` -> ``assert x.y == f(1)``. What is
the same before and after becomes a hole; a hole takes an expression with its brackets closed. One example is enough when
three or more tokens are fixed and few places match; two of one shape need less. One line at a time, any language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from assistant.next_edit.patterns.context import Context, LinePair, Site
from assistant.next_edit.patterns.tokens import (
    KEYWORDS,
    Swap,
    Token,
    is_word,
    line_end,
    line_start,
    openness,
    places,
    swaps,
    tokens,
)
from assistant.next_edit.types import Candidate, Document

MIN_FIXED = 3
MAX_MATCHES = 5  # of a shape with one example
MAX_LINE = 400  # characters
MAX_LINES = 1_000  # that hold a shape's longest word
AROUND = 2  # tokens beside the change that have to be the same
_EXPRESSION = (
    r"((?:[^()\[\]{},;'\"`\n]|\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`|\[[^\[\]\n]*\]|\{[^{}\n]*\}|\((?:[^()\n]|\([^()\n]*\))*\))+?)"
)
_PAIRS = {")": "(", "]": "[", "}": "{"}


class Shape(NamedTuple):
    """A regular expression for what is to be rewritten, and what comes in its place: texts and numbers of holes."""

    pattern: str
    replacement: tuple[str | int, ...]
    fixed: int
    longest: str
    strict: bool


def find(context: Context) -> Iterator[Candidate]:
    shapes: dict[Shape, list[LinePair]] = {}
    for pair in context.line_pairs:
        context.cancel.check()
        for shape in shapes_of(pair.old, pair.new):
            shapes.setdefault(shape, []).append(pair)
    done: set[str] = set()
    seen: set[tuple[str, int]] = set()
    for shape, pairs in sorted(shapes.items(), key=lambda item: (-len(item[1]), -item[0].fixed)):
        context.cancel.check()
        if shape.pattern not in done:
            done.add(shape.pattern)
            for candidate in _matches(context, shape, pairs):
                if (candidate.uri, candidate.start) not in seen:
                    seen.add((candidate.uri, candidate.start))
                    yield candidate


def shapes_of(old: str, new: str) -> Iterator[Shape]:
    """The shapes that one rewritten line is an example of, the more general one last."""
    if len(old) > MAX_LINE or len(new) > MAX_LINE or openness(old) != openness(new):
        return
    a, b = tokens(old), tokens(new)
    changed = swaps(a, b)
    if not changed or sum(s.old_end - s.old for s in changed) == 0:
        return
    first, last = changed[0], changed[-1]
    if not any(is_word(t.text) for t in a[first.old : last.old_end]):
        return
    gone = sum(s.old_end - s.old for s in changed)
    strict = _shape(old, new, a, b, changed, AROUND, strict=True)
    if strict is not None:
        yield strict
    if gone >= MIN_FIXED and len(changed) > 1:
        general = _shape(old, new, a, b, changed, 0, strict=False)
        if general is not None:
            yield general


def _shape(
    old: str, new: str, a: Sequence[Token], b: Sequence[Token], changed: Sequence[Swap], around: int, strict: bool
) -> Shape | None:
    """``strict``: only names that stayed are holes, each one name; else whatever stayed is."""
    first, last = changed[0], changed[-1]
    left = min(around, first.old, first.new)
    right = min(around, len(a) - last.old_end, len(b) - last.new_end)
    lo, hi, new_lo, new_hi = first.old - left, last.old_end + right, first.new - left, last.new_end + right
    if lo >= hi or new_lo >= new_hi:
        return None
    kept = {i for i in range(lo, hi) if not any(s.old <= i < s.old_end for s in changed)}
    holes: dict[str, int] = {}
    parts: list[str] = []
    fixed: list[str] = []
    i = lo
    while i < hi:
        hole = _hole_at(old, a, kept, i, strict) if i in kept else i
        if hole > i:
            parts.append(_hole(holes, old[a[i].start : a[hole - 1].end], strict))
            i = hole
        else:
            fixed.append(a[i].text)
            parts.append(re.escape(a[i].text))
            i += 1
    words = [text for text in fixed if is_word(text) and text not in KEYWORDS]
    if len(fixed) < MIN_FIXED or not words or not holes:
        return None
    gap = new_hi < len(b) and hi < len(a)  # the white space before what stays is the new line's
    written = new[b[new_lo].start : b[new_hi].start if gap else b[new_hi - 1].end]
    replacement = _replacement(written, holes)
    pattern = _joined(parts) + (r"[ \t]*" if gap else "")
    return Shape(pattern, replacement, len(fixed), max(words, key=len), strict)


def _hole_at(old: str, a: Sequence[Token], kept: set[int], i: int, strict: bool) -> int:
    """The token behind the hole that begins at token ``i``, or ``i`` for none: one name, or the longest whole expression."""
    if strict or not _is_hole(a[i].text):
        return i + 1 if strict and _is_hole(a[i].text) else i
    end = i
    while end in kept:
        end += 1
    while end > i and not (_ends(a[end - 1].text) and is_balanced(old[a[i].start : a[end - 1].end])):
        end -= 1
    return end


def _ends(text: str) -> bool:
    return is_word(text) or text[0].isdigit() or text in ")]}'\"`"


def _is_hole(text: str) -> bool:
    return (is_word(text) and text not in KEYWORDS) or text[0].isdigit()


def _hole(holes: dict[str, int], text: str, strict: bool) -> str:
    if text in holes:
        return rf"(?:\{holes[text]})" if holes[text] < 10 else "(?!)"
    holes[text] = len(holes) + 1
    return r"([\w$]+)(?![\w$])" if strict else _EXPRESSION


def _joined(parts: Sequence[str]) -> str:
    """Tokens in a row; words keep their ends."""
    out = []
    for part in parts:
        word = part[0].isalnum() or part[0] in "_$"
        out.append(rf"(?<![\w$]){part}(?![\w$])" if word else part)
    return r"[ \t]*".join(out)


def _replacement(written: str, holes: dict[str, int]) -> tuple[str | int, ...]:
    """The new text with every text of a hole replaced by its number."""
    if not holes:
        return (written,)
    texts = sorted(holes, key=len, reverse=True)
    found: list[str | int] = []
    end = 0
    for match in re.finditer("|".join(rf"(?<![\w$]){re.escape(t)}(?![\w$])" for t in texts), written):
        found.extend((written[end : match.start()], holes[match.group()]))
        end = match.end()
    found.append(written[end:])
    return tuple(part for part in found if part != "")


def _matches(context: Context, shape: Shape, pairs: Sequence[LinePair]) -> Iterator[Candidate]:
    expression = re.compile(shape.pattern)
    found = [(document, sites) for document in context.documents if (sites := _sites(context, document, shape, expression))]
    total = sum(len(sites) for _, sites in found)
    if not total or (len(pairs) < 2 and total > MAX_MATCHES):
        return
    latest = max(pairs, key=lambda pair: pair.order)
    features = {
        "tokens": float(shape.fixed),
        "holes": float(sum(1 for part in shape.replacement if isinstance(part, int))),
        "total": float(total),
        "strict": float(shape.strict),
        "typing": float(context.is_typing(latest.uri, latest.start, latest.start + len(latest.new))),
        "recent": float(latest.order == context.last_order),
    }
    why = f"'{latest.old.strip()[:40]}' was rewritten this way"
    for document, sites in found:
        yield from context.candidates("clone", document, sites, why, len(pairs), features)


def _sites(context: Context, document: Document, shape: Shape, expression: re.Pattern[str]) -> list[Site]:
    text = document.text
    if shape.longest not in text:
        return []
    found = []
    lines = {line_start(text, at) for at in islice(places(text, shape.longest), MAX_LINES + 1)}
    if len(lines) > MAX_LINES:
        return []
    for match in (match for line in sorted(lines) for match in expression.finditer(text, line, line_end(text, line))):
        context.cancel.check()
        if not all(is_balanced(group) for group in match.groups()) or context.is_touched(document, *match.span()):
            continue
        new = "".join(part if isinstance(part, str) else match.group(part) for part in shape.replacement)
        if new != match.group() and context.now(document).is_code(match.start(), match.start() + 1):
            found.append(Site(match.start(), match.end(), new))
    return found


def is_balanced(text: str) -> bool:
    """Whether all brackets of an expression close in it, and no comma stands outside of them."""
    open_: list[str] = []
    quote = ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"`":
            quote = sign
        elif sign in "([{":
            open_.append(sign)
        elif sign in ")]}":
            if not open_ or open_.pop() != _PAIRS[sign]:
                return False
        elif sign in ",;" and not open_:
            return False
    return not open_ and not quote
