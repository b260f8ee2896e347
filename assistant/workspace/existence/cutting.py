"""What is left of a suggestion before a name that cannot exist: its whole lines, or the rest of the word under the cursor.

Of 119 objections to the shipped model outside of training, that word was right in 7 of the 11 that have one; another first word
in 2 of 4, and more of the line in 3 of 28. Text only: whether the name exists is judged elsewhere.
"""

from __future__ import annotations

import re

from assistant.workspace.brackets import scan

LEAST_LETTERS = 3
"""A shorter word is not worth its place."""

_FIRST = re.compile(r"\w+")


def before(text: str, at: int, language: str, is_begun: bool) -> str:
    """The part of ``text`` before ``at`` that can be shown without the rest; "" where that is nothing. ``is_begun``: a word
    stands before it already.
    """
    line = text.rfind("\n", 0, at)
    while line > 0:
        if text[:line].strip() and not scan(text[:line], language).stack:
            return text[:line]
        line = text.rfind("\n", 0, line)
    first = _FIRST.match(text) if is_begun else None
    return first.group() if first and LEAST_LETTERS <= first.end() <= at else ""
