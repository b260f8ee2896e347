"""A comment or docstring that still tells of a function or class that the change took away or renamed.

Only names that no code of the project has any more, told as code (in backquotes or with brackets) or long enough to be nothing
else. Texts that tell of the past are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.page import Page, page_of
from assistant.review.rules.view import View
from assistant.workspace import languages
from assistant.workspace.grammar.python import docstring

if TYPE_CHECKING:
    from tree_sitter import Node

MOST_FILES, MOST_NAMES = 12, 8
LEAST_NAME = 7
PAST = re.compile(
    r"formerly|histor|renamed|\bwas\b|\bold\b|deprecat|version(?:changed|added|removed)|remov|used to|previous|no longer"
    r"|instead|replac|legacy|backport|before|since|until|moved|https?://|compat|lower than|older|earlier|support",
    re.IGNORECASE,
)


def check(view: View) -> Iterator[Problem]:
    old, new = view.old, view.new
    if old is None or new is None or view.is_test or not view.project.complete:
        return
    left = {function.name for function in new.functions} | set(new.classes)
    names = {f.name: f.name for f in old.functions if f.name not in left} | {n: n for n in old.classes if n not in left}
    for name in [name for name in names if is_telling(name)][:MOST_NAMES]:
        view.cancel.check()
        yield from _told(view, name)


def is_telling(name: str) -> bool:
    """Whether a name is no word of a language."""
    return (
        len(name) >= LEAST_NAME
        and ("_" in name.strip("_") or re.search(r"[a-z][A-Z]", name) is not None)
        and not name.startswith("test")
    )


def _told(view: View, name: str) -> Iterator[Problem]:
    found: list[Problem] = []
    paths = list(view.project.naming(name, MOST_FILES + 1))
    if len(paths) > MOST_FILES:
        return
    word = re.compile(rf"(?<![\w.\-/]){re.escape(name)}(?![\w\-/])")
    for path in paths:
        language = languages.language_of(path)
        text = view.project.read(path)
        page = page_of(text, language) if text is not None and language in BOTH else None
        if page is None:
            return  # it may live on where we cannot read
        if any(page.src(node) == name for node in page.of("identifier", "property_identifier", "type_identifier")):
            return
        texts = list(comments_of(page))
        if any(name in page.src(node) and node not in texts for node in page.of("string", "template_string")):
            return  # a name in a string may be asked for
        found += [_problem(view, page, path, node, name, word) for node in texts if _is_present(page.src(node), word)]
    yield from found[:2]


def comments_of(page: Page) -> Iterator[Node]:
    yield from page.of("comment")
    for function in page.functions:
        text = docstring(function.body) if page.language == "python" else None
        if text is not None:
            yield text
    for cls in page.of("class_definition"):
        text = docstring(cls.child_by_field_name("body"))
        if text is not None:
            yield text


def _is_present(text: str, word: re.Pattern[str]) -> bool:
    return any(word.search(line) and not PAST.search(line) for line in text.split("\n"))


def _problem(view: View, page: Page, path: str, node: Node, name: str, word: re.Pattern[str]) -> Problem:
    lines = page.src(node).split("\n")
    at = next(i for i, line in enumerate(lines) if word.search(line) and not PAST.search(line))
    kind = "comment" if node.type == "comment" else "docstring"
    return Problem(
        node,
        f"This {kind} still tells of `{name}`, which this change takes out of {view.path}, and no code has that name any more.",
        key=f"{path}:{name}",
        severity="medium",
        confidence=0.85,
        path=path,
        page=page,
        row=node.start_point[0] + at,
    )


RULE = Across("stale-name", "docs", BOTH, check)
