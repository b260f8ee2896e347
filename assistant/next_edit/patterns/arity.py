"""A function returns one value more or fewer in its tuple: where its result is taken apart, so is one name. Python.

By the callee's name; only results that were taken apart into as many names as there were values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.next_edit.patterns.calls import arguments_at
from assistant.next_edit.patterns.context import Context, Site
from assistant.next_edit.patterns.signatures import FUNCTIONS, name_of
from assistant.next_edit.patterns.tokens import is_word
from assistant.next_edit.patterns.trees import Parsed
from assistant.next_edit.types import Candidate, Document

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_CALLS = 60


def find(context: Context) -> Iterator[Candidate]:
    for edit in context.edits:
        context.cancel.check()
        document = context.scene.find(edit.uri)
        if document is None or "," not in edit.removed + edit.inserted:
            continue
        now, before = context.now(document), context.before(document)
        if now.language != "python":
            continue
        here, there = _returned(now, edit.start, edit.end), _returned(before, edit.old_start, edit.old_end)
        if here is None or there is None or here[0] != there[0]:
            continue
        for other in context.documents:
            yield from _unpacked(context, other, here[0], there[1], here[1], edit.order == context.last_order)


def _returned(parsed: Parsed, start: int, end: int) -> tuple[str, list[str]] | None:
    """The function around a ``return`` and the values that it returns."""
    node = parsed.node(max(0, start - (start == end)), end)  # what was added at a line's end touches the statement before
    while node is not None and node.type != "return_statement":
        node = node.parent
    if node is None or node.has_error or not node.named_children:
        return None
    value = node.named_children[0]
    values = value.named_children if value.type in ("expression_list", "tuple") else [value]
    function: Node | None = node
    while function is not None and function.type not in FUNCTIONS:
        function = function.parent
    return (name_of(parsed, function), [parsed.of(v) for v in values]) if function is not None else None


def _unpacked(
    context: Context, document: Document, name: str, old: list[str], new: list[str], recent: bool
) -> Iterator[Candidate]:
    if name not in document.text or abs(len(old) - len(new)) != 1 or min(len(old), len(new)) < 2:
        return
    longer, shorter = (new, old) if len(new) > len(old) else (old, new)
    at = next((i for i, (a, b) in enumerate(zip(longer, shorter, strict=False)) if a != b), len(shorter))
    if longer[:at] + longer[at + 1 :] != shorter:
        return
    now = context.now(document)
    sites = []
    for place in now.words(name)[:MAX_CALLS]:
        context.cancel.check()
        arguments = arguments_at(now, place, len(name))
        names = _targets(arguments.parent) if arguments is not None else None
        if names is None or len(names) != len(old):
            continue
        written = [now.of(n) for n in names]
        if longer is old:
            del written[at]
        elif is_word(longer[at]):
            written.insert(at, longer[at])
        else:
            continue
        sites.append(Site(now.span(names[0])[0], now.span(names[-1])[1], ", ".join(written)))
    features = {"added": float(longer is new), "recent": float(recent)}
    yield from context.candidates("arity", document, sites, f"'{name}' returns {len(new)} values now", 1, features)


def _targets(call: Node | None) -> list[Node] | None:
    """The names that a call's result is taken apart into."""
    here = call
    if here is not None and here.parent is not None and here.parent.type == "await":
        here = here.parent
    parent = here.parent if here is not None else None
    if parent is None or parent.type != "assignment" or parent.child_by_field_name("right") != here:
        return None
    left = parent.child_by_field_name("left")
    return list(left.named_children) if left is not None and left.type in ("pattern_list", "tuple_pattern") else None
