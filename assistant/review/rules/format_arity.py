"""Texts with holes and the wrong number of values: ``%``, ``str.format``, logging, an f-string without its f.

Reads literals only, and constants of the module that are told as they are.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import PYTHON, Problem, local
from assistant.review.rules.page import Page, bare, field, within

if TYPE_CHECKING:
    from tree_sitter import Node

_PERCENT = re.compile(r"%(?:\((\w+)\))?[#0\- +]*(\*|\d+)?(?:\.(\*|\d+))?[hlL]?([diouxXeEfFgGcrsa%])")
_LOGS = frozenset(("debug", "info", "warning", "warn", "error", "exception", "critical"))
_HOLE = re.compile(r"(?<!\{)\{([A-Za-z_]\w*)((?:\.\w+|\[\w+\])*)(?:![rsa])?(?::[^{}]*)?\}(?!\})")
_TOLD = frozenset(
    (
        "print",
        "ValueError",
        "TypeError",
        "RuntimeError",
        "KeyError",
        "AssertionError",
        "NotImplementedError",
        "OSError",
        "Exception",
    )
)


def check(page: Page) -> Iterator[Problem]:
    for node in page.of("binary_operator"):
        yield from _percent(page, node)
    for call in page.of("call"):
        function = field(call, "function")
        method = page.src(field(function, "attribute"))
        if method == "format":
            yield from _format(page, call, field(function, "object"))
        elif method in _LOGS and "log" in page.src(field(function, "object")).lower():
            yield from _logged(page, call)
        yield from _no_f(page, call, page.src(function))


def literal(page: Page, node: Node | None) -> str | None:
    """The text of a plain string literal, escapes left as they are; ``None`` for anything else."""
    if node is None:
        return None
    if node.type == "concatenated_string":
        parts = [literal(page, child) for child in node.named_children if child.type != "comment"]
        return None if None in parts else "".join(part or "" for part in parts)
    if node.type != "string":
        return None
    start = page.src(node.children[0]) if node.child_count else ""
    if any(letter in start.lower() for letter in "fbt"):
        return None
    return "".join(page.src(child) for child in node.named_children if child.type == "string_content")


def _holes(text: str) -> tuple[int, set[str]] | None:
    """How many values ``%`` takes, and the names it takes instead; ``None`` where it mixes them."""
    count, names = 0, set()
    if text.count("%") != sum(1 + (found.group(4) == "%") for found in _PERCENT.finditer(text)):
        return None
    for found in _PERCENT.finditer(text):
        name, width, precision, kind = found.groups()
        if kind == "%":
            continue
        count += (width == "*") + (precision == "*") + (name is None)
        if name is not None:
            names.add(name)
    return None if count and names else (count, names)


def _percent(page: Page, node: Node) -> Iterator[Problem]:
    if page.src(field(node, "operator")) != "%":
        return
    text, right = literal(page, field(node, "left")), field(node, "right")
    holes = _holes(text) if text is not None else None
    if holes is None or right is None:
        return
    count, names = holes
    if right.type == "tuple" and not names:
        if within(right, "list_splat"):
            return
        given = sum(child.type != "comment" for child in right.named_children)
        if given != count:
            yield _problem(node, f"The text takes {count} value{'s' * (count != 1)} and gets {given}: `%` raises TypeError.")
    elif right.type in ("string", "integer", "float", "concatenated_string") and not names and count != 1:
        yield _problem(node, f"The text takes {count} values and gets one: `%` raises TypeError.")
    elif right.type == "dictionary" and names and not within(right, "dictionary_splat"):
        keys = {literal(page, field(pair, "key")) for pair in right.named_children if pair.type == "pair"}
        lacking = sorted(names - {key or "" for key in keys})
        if lacking and None not in keys:
            yield _problem(node, f"The text takes `{lacking[0]}`, which the dict does not have: `%` raises KeyError.")


def _problem(node: Node, message: str) -> Problem:
    return Problem(node, message, severity="high", confidence=0.95)


def arguments_of(page: Page, call: Node) -> tuple[list[Node], set[str]] | None:
    """Places and keywords; ``None`` where stars bring unknown ones."""
    holder = field(call, "arguments")
    if holder is None or holder.type != "argument_list":
        return None
    places, keywords = [], set()
    for child in holder.named_children:
        if child.type in ("list_splat", "dictionary_splat"):
            return None
        if child.type == "keyword_argument":
            keywords.add(page.src(field(child, "name")))
        elif child.type != "comment":
            places.append(child)
    return places, keywords


def _format(page: Page, call: Node, receiver: Node | None) -> Iterator[Problem]:
    text, given = literal(page, receiver), arguments_of(page, call)
    if text is None or given is None or "\\" in text:
        return
    try:
        fields = [
            name for _, name, spec, _ in string.Formatter().parse(text) if name is not None for name in (name, *_nested(spec))
        ]
    except ValueError:
        yield _problem(call, "The text has a single brace or an unfinished field: format() raises ValueError.")
        return
    heads = [re.split(r"[.\[]", name)[0] for name in fields]
    auto = sum(head == "" for head in heads)
    need = max([auto, *(int(head) + 1 for head in heads if head.isdigit())], default=0)
    places, keywords = given
    lacking = sorted({head for head in heads if head and not head.isdigit()} - keywords)
    if need > len(places):
        yield _problem(
            call, f"The text takes {need} value{'s' * (need != 1)} by place and gets {len(places)}: format() raises IndexError."
        )
    elif lacking:
        yield _problem(call, f"The text takes `{lacking[0]}`, which is not given: format() raises KeyError.")
    elif len(places) > need:
        yield Problem(
            call,
            f"format() gets {len(places)} values and the text uses {need}: one is left out.",
            severity="medium",
            confidence=0.8,
        )


def _nested(spec: str | None) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(spec or "") if name is not None]


def _logged(page: Page, call: Node) -> Iterator[Problem]:
    given = arguments_of(page, call)
    text = literal(page, given[0][0]) if given is not None and given[0] else None
    holes = _holes(text) if text is not None else None
    if holes is None or given is None or holes[1]:
        return
    places = given[0][1:]
    if len(places) == 1 and places[0].type not in ("string", "integer", "attribute", "call", "subscript", "identifier"):
        return
    if (
        len(places) == 1
        and holes[0] != 1
        and places[0].type in ("identifier", "attribute", "call", "subscript")
        and holes[0] > 1
    ):
        return  # may be a dict or a tuple
    if places and len(places) != holes[0]:
        yield Problem(
            call,
            f"The message takes {holes[0]} value{'s' * (holes[0] != 1)} and gets {len(places)}: "
            "logging prints an error in its place.",
            severity="high",
            confidence=0.93,
        )


def _no_f(page: Page, call: Node, name: str) -> Iterator[Problem]:
    """A text for people that has ``{name}`` in it, where name is a variable here."""
    last = name.rpartition(".")[2]
    if last not in _TOLD and last not in _LOGS and not last.endswith(("Error", "Exception")):
        return
    function, given = page.function_at(call), arguments_of(page, call)
    if given is not None and len(given[0]) == 1 and given[0][0].type == "identifier":
        yield from _constant(page, given[0][0])
    if function is None or given is None or len(given[0]) != 1 or given[0][0].type != "string":
        return
    text = literal(page, given[0][0])
    found = _HOLE.search(text) if text else None
    if found is None or text is None or "{{" in text:
        return
    names = {
        m.name
        for m in page.table.mentions
        if m.kind == "write" and function.node.start_byte <= m.start < function.node.end_byte
    }
    if found.group(1) in names | {"self"} and not (found.group(1) == "self" and not found.group(2)):
        at = given[0][0].start_byte
        yield Problem(
            given[0][0],
            f"`{found.group(0)}` is printed as it stands: the string has no `f` in front.",
            edits=((at, at, "f"),),
            severity="high",
            confidence=0.93,
        )


def _constant(page: Page, node: Node) -> Iterator[Problem]:
    """A constant of the module that is a text with named holes, told as it is."""
    name = page.src(node)
    if page.writes[name] != 1 or (
        f"{name}.format" not in page.text.replace(" ", "") and not name.isupper() and "message" not in name
    ):
        return
    for assignment in page.of("assignment"):
        if (
            page.src(field(assignment, "left")) == name
            and assignment.parent is not None
            and assignment.parent.parent == page.root
        ):
            text = literal(page, bare(field(assignment, "right")))
            hole = _HOLE.search(text) if text and "{{" not in text else None
            if hole is not None:
                yield Problem(
                    node,
                    f"{name} has the hole `{hole.group(0)}` in it and is told as it is: `.format(...)` is missing.",
                    evidence=(assignment,),
                    severity="high",
                    confidence=0.88,
                )


RULE = local("format-arity", "bug", PYTHON, check)
