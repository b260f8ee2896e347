"""A docstring that the change made false: it describes a parameter that is gone, or a default that is another now.

Reads Sphinx fields, Google and NumPy sections, and JSDoc. What the old signature did not have either is an old problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Edit, Problem
from assistant.review.rules.page import Function, Page, field
from assistant.review.rules.view import Pair, View
from assistant.workspace.grammar.python import docstring

if TYPE_CHECKING:
    from tree_sitter import Node

_DEFAULT = re.compile(r"\b[Dd]efault(?:s? to|s?:| is| value is|s?)?:?\s*[`'\"*]{0,2}([\w.\-]+)[`'\"*]{0,2}")


def check(view: View) -> Iterator[Problem]:
    for pair in view.pairs:
        view.cancel.check()
        text = text_of(pair.after, pair.new)
        if text is None:
            continue
        yield from _gone(pair, text)
        if pair.after.language == "python":
            yield from _defaults(pair, text)


def text_of(page: Page, function: Function) -> Node | None:
    """The docstring, or the JSDoc comment directly above."""
    if page.language == "python":
        return docstring(function.body)
    above = function.outer.prev_named_sibling
    return above if above is not None and above.type == "comment" and page.src(above).startswith("/**") else None


def described(page: Page, text: Node, name: str) -> re.Match[bytes] | None:
    """Where a docstring describes a parameter."""
    word = re.escape(name).encode()
    data = page.source.data[text.start_byte : text.end_byte]
    forms = (
        rb":(?:param|parameter|arg|argument|key|keyword|type)\b[^:\n]*?\s(" + word + rb")\s*:",
        rb"@param\s+(?:\{[^}]*\}\s+)?\[?(" + word + rb")\b",
        rb"^[ \t]+\*{0,2}(" + word + rb")(?:[ \t]*\([^)\n]*\))?[ \t]*:[ \t\n]",
        rb"^[ \t]*(" + word + rb")[ \t]*:[ \t]*[^\n]*\n[ \t]+\S",
    )
    for i, form in enumerate(forms):
        found = re.search(form, data, re.MULTILINE)
        if found is not None and (i < 2 or _is_in_parameters(data[: found.start()])):
            return found
    return None


def _is_in_parameters(before: bytes) -> bool:
    """Whether the last heading above is one of parameters."""
    headings = re.findall(rb"^[ \t]*(\w[\w ]{2,30})(?::[ \t]*$|[ \t]*\n[ \t]*-{3,})", before, re.MULTILINE)
    return bool(headings) and headings[-1].strip().lower() in (
        b"args",
        b"arguments",
        b"parameters",
        b"params",
        b"keyword args",
        b"other parameters",
        b"keyword arguments",
    )


def _gone(pair: Pair, text: Node) -> Iterator[Problem]:
    before, after = pair.old.names, pair.new.names
    gone = [name for name in before if name not in after]
    come = [name for name in after if name not in before]
    if any(p.kind == "star_star" for p in pair.new.parameters) or "arguments" in pair.after.src(pair.new.body):
        return  # what is told of may still come in
    for name in gone:
        found = described(pair.after, text, name)
        if found is None:
            continue
        start, end = text.start_byte + found.start(1), text.start_byte + found.end(1)
        node = pair.after.root.descendant_for_byte_range(start, end) or text
        renamed = come[0] if len(gone) == len(come) == 1 and _same_place(pair, name, come[0]) else ""
        said = f"is called {renamed} now" if renamed else "is gone"
        edits: tuple[Edit, ...] = ((start, end, renamed),) if renamed else ()
        header = field(pair.new.node, "parameters") or pair.new.node
        yield Problem(
            node,
            f"The docstring still describes {name}, a parameter of {pair.new.name} that {said} with this change.",
            key=f"{pair.new.qualified}:{name}",
            evidence=(header,),
            edits=edits,
            severity="medium",
            confidence=0.88,
            row=pair.after.source.data.count(b"\n", 0, start),
        )


def _same_place(pair: Pair, was: str, now: str) -> bool:
    return pair.old.names.index(was) == pair.new.names.index(now) and len(pair.old.names) == len(pair.new.names)


def _defaults(pair: Pair, text: Node) -> Iterator[Problem]:
    """``(default 5)`` of a parameter whose default was 5."""
    before, after = _values(pair.before, pair.old), _values(pair.after, pair.new)
    for name, now in after.items():
        was = before.get(name)
        if was is None or was == now or len(was) > 40:
            continue
        found = described(pair.after, text, name)
        if found is None:
            continue
        data = pair.after.source.data[text.start_byte : text.end_byte]
        stop = re.compile(rb"\n[ \t]*(?::\w|\n|\w+[ \t]*(?:\([^)\n]*\))?[ \t]*:[ \t\n]|@)").search(data, found.end())
        part = data[found.end() : stop.start() if stop else len(data)].decode("utf-8", "replace")
        told = _DEFAULT.search(part)
        if told is None or told.group(1).strip(".") != was.strip("'\""):
            continue
        start = text.start_byte + found.end() + len(part[: told.start(1)].encode())
        end = start + len(told.group(1).strip(".").encode())
        node = pair.after.root.descendant_for_byte_range(start, end) or text
        plain = now.strip("'\"")
        yield Problem(
            node,
            f"The docstring says that {name} defaults to {was}; with this change it is {now}.",
            key=f"{pair.new.qualified}:{name}={was}",
            evidence=(field(pair.new.node, "parameters") or pair.new.node,),
            edits=((start, end, plain),) if re.fullmatch(r"[\w.\-]+", plain) else (),
            severity="medium",
            confidence=0.9,
            row=pair.after.source.data.count(b"\n", 0, start),
        )


def _values(page: Page, function: Function) -> dict[str, str]:
    parameters = field(function.node, "parameters")
    found = {}
    for child in parameters.named_children if parameters is not None else ():
        value = field(child, "value")
        if value is not None:
            found[page.src(field(child, "name"))] = page.src(value)
    return found


RULE = Across("stale-docstring", "docs", BOTH, check)
