"""A comment or docstring that still has the name of a variable, parameter or attribute that the change renamed or took away.

Only names with an underscore or a capital inside that the old file bound and that no code of the project has any more. Texts
that tell of the past are left alone. Functions and classes are ``stale_name``'s.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.page import WORDS, Page, field, page_of
from assistant.review.rules.stale_name import PAST, comments_of, is_telling
from assistant.review.rules.view import View
from assistant.workspace import languages

_NAMES = (
    "identifier",
    "property_identifier",
    "type_identifier",
    "shorthand_property_identifier",
    "shorthand_property_identifier_pattern",
    "private_property_identifier",
)
MOST_FILES = 12


def check(view: View) -> Iterator[Problem]:
    old, new = view.old, view.new
    if old is None or new is None or new.root.has_error:
        return
    texts = list(comments_of(new))
    told = Counter(word for node in texts for word in WORDS.findall(new.src(node)) if is_telling(word))
    gone = {name for name, count in told.items() if new.words[name] == count and old.words[name] > count}
    gone &= _bound(old) if gone else set()
    for name in sorted(gone):
        word = re.compile(rf"(?<![\w.\-/]){re.escape(name)}(?![\w\-/])")
        node = next((node for node in texts if word.search(new.src(node))), None)
        if node is None:
            continue
        view.cancel.check()
        lines = new.src(node).split("\n")
        at = next(i for i, line in enumerate(lines) if word.search(line))
        if (
            lines[at].lstrip().startswith((">>>", "..."))
            or any(PAST.search(line) for line in lines[max(0, at - 1) : at + 2])
            or _lives(view, name)
        ):
            continue
        yield Problem(
            node,
            f"This still tells of `{name}`, which the change took out of the code here.",
            key=name,
            severity="medium",
            confidence=0.87,
            row=node.start_point[0] + at,
        )


def _names(page: Page) -> set[str]:
    return {page.src(node) for node in page.of(*_NAMES)}


def _bound(page: Page) -> set[str]:
    """Variables, parameters, and attributes that a method sets."""
    found = {mention.name for mention in page.table.mentions if mention.kind == "write"}
    for node in page.of("assignment"):
        left = field(node, "left")
        if left is not None and left.type == "attribute" and page.src(field(left, "object")) == "self":
            found.add(page.src(field(left, "attribute")))
    return found - {one.name for one in page.functions} - set(page.classes)


def _lives(view: View, name: str) -> bool:
    """Whether code elsewhere has the name, or it stands where nobody can tell code from text."""
    for path in view.project.naming(name, MOST_FILES) if view.project.complete else [""]:
        if path == view.path:
            continue
        language = languages.language_of(path)
        text = view.project.read(path)
        page = page_of(text, language) if text is not None and language in BOTH else None
        if page is None or name in _names(page):
            return True
    return False


RULE = Across("stale-mention", "docs", BOTH, check)
