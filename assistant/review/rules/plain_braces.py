"""A text that was meant to show a value and shows the braces: ``"no {name}"`` without the ``f``, ``${name}`` in plain quotes.

Only where the name is a variable of the function around. In Python the text has to be an exception's, a log's, a printed or an
asserted one: elsewhere it may be a template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Problem, local
from assistant.review.rules.page import SCRIPT, Page, around, field

if TYPE_CHECKING:
    from tree_sitter import Node

_PLACE = re.compile(r"(?<!\{)\{([A-Za-z_]\w*)(?:\.\w+|\[\w+\]|\(\))*(?:![rsa])?(?::[^{}\n]*)?\}(?!\})")
_SCRIPT_PLACE = re.compile(r"\$\{([A-Za-z_]\w*)(?:\.\w+)*\}")
_SPEAKS = re.compile(
    r"(?:^|\.)(?:[A-Z]\w*(?:Error|Exception|Warning)|debug|info|warning|warn|error|exception|critical|print|fail|echo|secho|exit)$"
)
_OUTER = frozenset(("argument_list", "assert_statement", "call", "binary_operator", "attribute", "subscript"))
MOST_ARGUMENTS = 2


def check(page: Page) -> Iterator[Problem]:
    places = _SCRIPT_PLACE if page.language in SCRIPT else _PLACE
    for string in page.of("string"):
        text = page.src(string)
        names = [found.group(1) for found in places.finditer(text)] if "{" in text and text[0] in "'\"" else []
        if not names or not (page.language in SCRIPT or _is_said(page, string)) or not _are_variables(page, string, names):
            continue
        script = page.language in SCRIPT
        cure = "it needs backquotes" if script else "the f in front of it is missing"
        yield Problem(
            string,
            f"This text shows {'$' if script else ''}{{{names[0]}}} as it stands: {cure}.",
            edits=() if script else ((string.start_byte, string.start_byte, "f"),),
            severity="high",
            confidence=0.9,
        )


def _is_said(page: Page, string: Node) -> bool:
    """Whether a text goes as it is to somebody who reads it."""
    holder = around(string, _OUTER)
    if holder is None or holder.type not in ("argument_list", "assert_statement"):
        return False
    if holder.type == "assert_statement":
        return True
    return _SPEAKS.search(page.src(field(holder.parent, "function"))) is not None and holder.named_child_count <= MOST_ARGUMENTS


def _are_variables(page: Page, string: Node, names: list[str]) -> bool:
    function = page.function_at(string)
    if function is None:
        return False
    start, end = function.node.start_byte, function.node.end_byte
    bound = {m.name for m in page.mentions_in(start, end) if m.kind == "write"}
    return all(name in bound for name in names)


RULE = local("plain-braces", "bug", BOTH, check)
