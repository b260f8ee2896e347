"""An attribute, method, property or field that got another name in one place gets it in the others.

``self.x`` within its class is sure; other receivers only where no other class of the file has a member of that name.
Python and JavaScript/TypeScript. Types are not known: ``receiver`` and ``own`` tell the ranker how sure it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from assistant.next_edit.patterns.context import Context, Site, Swapped
from assistant.next_edit.patterns.rename import is_rename
from assistant.next_edit.patterns.trees import Parsed
from assistant.next_edit.types import Candidate, Document

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_SITES = 80
_CLASSES = ("class_definition", "class_declaration", "class", "abstract_class_declaration", "interface_declaration")
_SELF = ("self", "cls", "this")


class Member(NamedTuple):
    """A name that belongs to something: ``kind`` is ``get``, ``assigned``, ``method``, ``field``, ``key`` or ``keyword``."""

    kind: str
    receiver: str
    owner: tuple[int, int] | None

    @property
    def is_own(self) -> bool:
        return self.receiver in _SELF or self.kind in ("method", "field")


def find(context: Context) -> Iterator[Candidate]:
    done: set[tuple[str, str, str]] = set()
    for swap in context.swapped:
        context.cancel.check()
        document = context.scene.find(swap.uri)
        if document is None or (swap.uri, swap.old, swap.new) in done or not is_rename(context, swap):
            continue
        was = member(context.before(document), swap.old_start, len(swap.old))
        if was is None:
            continue
        done.add((swap.uri, swap.old, swap.new))
        if not _is_begun(context, document, swap, was):
            continue
        for other in context.documents:
            yield from _renamed(context, other, swap, was)


def _is_begun(context: Context, document: Document, swap: Swapped, was: Member) -> bool:
    """Whether a member was renamed, not another one used in one place: declared there, or the new name is new, or twice."""
    if was.kind in ("method", "field", "assigned"):
        return True
    if sum(1 for s in context.swapped if (s.old, s.new) == (swap.old, swap.new)) > 1:
        return True
    return was.is_own and not context.before(document).words(swap.new)


def member(parsed: Parsed, offset: int, length: int) -> Member | None:
    """What a name at a place is a member of; ``None`` for a variable or anything else."""
    node = parsed.node(offset, offset + length)
    parent = node.parent if node is not None else None
    if node is None or parent is None:
        return None
    kind, receiver = _kind(parsed, node, parent)
    return Member(kind, receiver, _owner(node)) if kind else None


def _kind(parsed: Parsed, node: Node, parent: Node) -> tuple[str, str]:
    if parent.type == "attribute" and parent.child_by_field_name("attribute") == node:
        return _got(parent), parsed.of(parent.child_by_field_name("object"))
    if parent.type == "member_expression" and parent.child_by_field_name("property") == node:
        return _got(parent), parsed.of(parent.child_by_field_name("object"))
    if parent.type == "keyword_argument" and parent.child_by_field_name("name") == node:
        return "keyword", ""
    if node.type in ("property_identifier", "private_property_identifier"):
        kind = "method" if parent.type.startswith(("method", "abstract_method")) else "key"
        return ("field" if parent.type.endswith(("field_definition", "property_signature")) else kind), ""
    if node.type != "identifier":
        return "", ""
    block = parent.parent if parent.type in ("function_definition", "assignment") else None
    if parent.type == "function_definition" and block is not None and block.type == "decorated_definition":
        block = block.parent
    elif parent.type == "assignment" and block is not None:
        block = block.parent  # the expression statement's
    field = "name" if parent.type == "function_definition" else "left"
    if (
        block is None
        or block.parent is None
        or block.parent.type != "class_definition"
        or parent.child_by_field_name(field) != node
    ):
        return "", ""
    return ("method" if field == "name" else "field"), ""


def _got(attribute: Node) -> str:
    around = attribute.parent
    is_target = around is not None and around.type in ("assignment", "assignment_expression")
    return "assigned" if is_target and around is not None and around.child_by_field_name("left") == attribute else "get"


def _owner(node: Node) -> tuple[int, int] | None:
    here: Node | None = node
    while here is not None:
        if here.type in _CLASSES:
            return here.start_byte, here.end_byte
        here = here.parent
    return None


def _renamed(context: Context, document: Document, swap: Swapped, was: Member) -> Iterator[Candidate]:
    if swap.old not in document.text:
        return
    now = context.now(document)
    words = now.words(swap.old)
    if now.tree is None or not 0 < len(words) <= MAX_SITES:
        return
    same_file = document.uri == swap.uri
    found: list[tuple[int, Member]] = []
    for at in words:
        context.cancel.check()
        here = member(now, at, len(swap.old))
        if here is not None and not context.is_typing(document.uri, at, at + len(swap.old)):
            found.append((at, here))
    own_class = _class_of(context, document, swap, was) if same_file else None
    rivals = {m.owner for _, m in found if m.kind in ("method", "field") and m.owner != own_class}
    support = sum(1 for s in context.swapped if (s.old, s.new) == (swap.old, swap.new))
    groups: dict[tuple[bool, bool], list[Site]] = {}
    for at, here in found:
        own = here.is_own and here.owner == own_class and same_file
        if (was.kind == "keyword") != (here.kind == "keyword") or (here.is_own and not own):
            continue
        if was.is_own and not own and rivals:
            continue
        groups.setdefault((own, here.receiver == was.receiver), []).append(Site(at, at + len(swap.old), swap.new))
    for (own, receiver), sites in groups.items():
        features = {
            "own": float(own),
            "was_own": float(was.is_own),
            "receiver": float(receiver),
            "binding": float(was.kind in ("method", "field", "assigned")),
            "key": float(was.kind == "key"),
            "keyword": float(was.kind == "keyword"),
            "same_file": float(same_file),
            "taken": float(bool(context.before(document).words(swap.new))),
            "kept": swap.kept,
            "typing": float(context.is_typing(swap.uri, swap.start, swap.start + len(swap.new))),
            "recent": float(swap.order == context.last_order),
        }
        why = f"'{swap.old}' was renamed to '{swap.new}'"
        yield from context.candidates("attribute", document, sites, why, support, features)


def _class_of(context: Context, document: Document, swap: Swapped, was: Member) -> tuple[int, int] | None:
    """The class today that the edited name stands in."""
    now = member(context.now(document), swap.start, len(swap.new))
    return now.owner if now is not None else None
