"""The same line, word for word, that the user changed in one place, is changed in the others the same way. Any language."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.next_edit.patterns.context import Context, LinePair, Site
from assistant.next_edit.patterns.tokens import likeness, openness, tokens
from assistant.next_edit.types import Candidate, Document

NAME = "line_repeat"
MIN_TOKENS = 3
LIKE = 0.2  # of the tokens are kept; a line that was replaced by another thing says nothing of its likes


def find(context: Context) -> Iterator[Candidate]:
    seen: set[str] = set()
    for pair in context.line_pairs:
        context.cancel.check()
        old = pair.old.strip()
        signs = tokens(old)
        if old in seen or old == pair.new.strip() or len(signs) < MIN_TOKENS or openness(old) != openness(pair.new):
            continue
        seen.add(old)
        like = likeness(signs, tokens(pair.new))
        rivals = {p.new.strip() for p in context.line_pairs if p.old.strip() == old}
        support = sum(1 for p in context.line_pairs if (p.old.strip(), p.new.strip()) == (old, pair.new.strip()))
        if like < LIKE and support < 2:
            continue
        for document in context.documents:
            yield from _repeated(context, document, pair, support, {"rivals": float(len(rivals)), "like": like})


def _repeated(context: Context, document: Document, pair: LinePair, support: int, known: dict[str, float]) -> list[Candidate]:
    old, new = pair.old.strip(), pair.new.strip()
    sites = []
    if old in document.text:
        for found in re.finditer(rf"^[ \t]*({re.escape(old)})[ \t]*\r?$", document.text, re.MULTILINE):
            if not context.is_touched(document, found.start(1), found.end(1)):
                sites.append(Site(found.start(1), found.end(1), new))
    if not sites:
        return []
    features = {
        "tokens": float(len(tokens(old))),
        **known,
        "typing": float(context.is_typing(pair.uri, pair.start, pair.start + len(pair.new))),
        "recent": float(pair.order == context.last_order),
        "exact": 1.0,
    }
    return context.candidates(NAME, document, sites, f"the same line was changed to '{new[:40]}'", support, features)
