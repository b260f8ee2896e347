"""Words that went wrong: one written twice, a misspelling of a known list, two halves of a text with no space between them.

Looks at the comments, docstrings, texts of several words and new names that the change wrote. Knows English and its list only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.misspellings import MEANT
from assistant.review.rules.page import SCRIPT, Page, field
from assistant.review.rules.view import View

if TYPE_CHECKING:
    from tree_sitter import Node

_TWICE = re.compile(
    r"(?<![\w.'\"`<>/\-=+*|&])"
    r"(the|a|an|is|are|to|of|in|on|and|or|for|with|be|it|this|by|from|as|at|if|not|we|will|can|should|has|have|which|when|was|but"
    r"|you|its|our|does|been|into|than|then|because|while|only|also|must|may|where|these|they|all|any)"
    r"[ \t]*(?:\n[ \t]*(?:#+|//+|\*)?)?[ \t]+\1(?![\w'\"`=/\-.(\[<>:|*])"
)
_WORD = re.compile(r"(?<![\w@/.#&\-%:\\$])[A-Za-z][a-z]{3,}(?![\w@/(=\[]|\.\w|-\w|:\w)")
_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_ENDS = re.compile(r"(?:[A-Za-z]{2}|[A-Za-z0-9][,;:.!?)])$")
_BEGINS = re.compile(r"[A-Za-z][a-z']*(?:[ ,.]|$)")
LEAST_WORDS = 4
MOST_MISSPELT = 4
"""In one text; with more it is a list of misspellings."""


def check(view: View) -> Iterator[Problem]:
    page = view.new
    if page is None:
        return
    for node in _texts(view, page):
        yield from _words(view, page, node)
    yield from _names(view, page)
    for one, two in _joints(page):
        if view.is_changed(one) or view.is_changed(two):
            yield from _glued(view, page, one, two)


def _texts(view: View, page: Page) -> Iterator[Node]:
    """Comments, and strings of several words, with a changed line."""
    for node in page.of("comment", "string", "template_string"):
        if view.is_changed(node):
            text = page.src(node)
            if node.type == "comment" or (text.count(" ") >= LEAST_WORDS - 1 and text[:1] not in "bBrR"):
                yield node


def _words(view: View, page: Page, node: Node) -> Iterator[Problem]:
    text = page.src(node)
    for found in _TWICE.finditer(text):
        row = node.start_point[0] + text.count("\n", 0, found.end())
        if ">>>" not in page.lines[row] and _is_written(view, page, row):
            said = f"The word `{found.group(1)}` stands here twice."
            yield Problem(node, said, key=found.group(1), severity="low", confidence=0.93, row=row)
    misspelt = [found for found in _WORD.finditer(text) if found.group().lower() in MEANT]
    for found in misspelt if len(misspelt) <= MOST_MISSPELT else ():
        row = node.start_point[0] + text.count("\n", 0, found.start())
        if _is_written(view, page, row):
            said = f"`{found.group()}` is misspelt: {MEANT[found.group().lower()]}."
            yield Problem(node, said, key=found.group(), severity="low", confidence=0.93, row=row)


def _is_written(view: View, page: Page, row: int) -> bool:
    """Whether a line is new, and moved from nowhere."""
    line = page.lines[row].strip()
    return row in view.changed and not any(line in one.old for one in view.changes.files if one.old is not None)


def _names(view: View, page: Page) -> Iterator[Problem]:
    """New names that have a misspelt part."""
    seen = set()
    for mention in page.table.mentions:
        if mention.kind != "write" or mention.name in seen or len(mention.name) < 4:
            continue
        seen.add(mention.name)
        meant = next((MEANT[part.lower()] for part in _PARTS.findall(mention.name) if part.lower() in MEANT), "")
        if not meant or " " in meant or any(mention.name in one.old for one in view.changes.files if one.old is not None):
            continue
        node = page.root.descendant_for_byte_range(mention.start, mention.end)
        if node is not None and view.is_changed(node):
            said = f"The new name `{mention.name}` has a misspelt word: {meant}."
            yield Problem(node, said, key=mention.name, severity="medium", confidence=0.9)


def _joints(page: Page) -> Iterator[tuple[Node, Node]]:
    """Strings that become one: side by side in Python, added in JavaScript."""
    for whole in page.of("concatenated_string"):
        yield from pairwise([child for child in whole.named_children if child.type == "string"])
    for node in page.of("binary_expression") if page.language in SCRIPT else ():
        left, right = field(node, "left"), field(node, "right")
        if left is None or right is None or page.source.data[left.end_byte : right.start_byte].strip() != b"+":
            continue
        last = field(left, "right") if left.type == "binary_expression" else left
        if last is not None and last.type == right.type == "string":
            yield last, right


def _glued(view: View, page: Page, one: Node, two: Node) -> Iterator[Problem]:
    left, right = page.src(one), page.src(two)
    if one.end_point[0] == two.start_point[0] or left[:1] in "bBrR" or right[:1] in "bBrR" or left.endswith(("'''", '"""')):
        return
    before, after = left.lstrip("fFuU")[1:-1], right.lstrip("fFuU")[1:-1]
    last = before.split()[-1] if before.split() else ""
    is_prose = before.count(" ") >= 2 and after.count(" ") >= 1 and not set("\\/_") & set(last)
    if not is_prose or not _BEGINS.match(after) or not _ENDS.search(before):
        return
    at = two.start_byte + len(right) - len(right.lstrip("fFuU")) + 1
    row = two.start_point[0] if two.start_point[0] in view.changed else one.start_point[0]
    if _is_written(view, page, row):
        yield Problem(
            two,
            f"No space where the text goes on: it reads `{last}{after.split()[0]}`.",
            key=f"{before[-20:]}{after[:20]}",
            evidence=(one,),
            edits=((at, at, " "),),
            severity="medium",
            confidence=0.92,
            row=row,
        )


RULE = Across("wording", "docs", BOTH, check)
