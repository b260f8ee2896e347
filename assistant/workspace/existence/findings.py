"""What in a suggestion cannot exist: names, attributes, imports, keywords, numbers of arguments.

One walk over the nodes that the suggestion wrote; each check answers a `Finding` or nothing. Whatever else the file says of
a name (it is written elsewhere, asked for by ``hasattr``, a string spells it) is evidence that it exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.workspace.existence import known
from assistant.workspace.existence.calls import misfit
from assistant.workspace.existence.infer import Infer, Part
from assistant.workspace.existence.unwritten import Unwritten
from assistant.workspace.existence.values import ClassValue, InstanceValue, Missing, ModuleValue
from assistant.workspace.grammar.scope_table import Scope

if TYPE_CHECKING:
    from tree_sitter import Node


_BINDERS = frozenset(
    (
        *("function_definition", "class_definition", "aliased_import", "dotted_name", "global_statement", "nonlocal_statement"),
        *("parameters", "lambda_parameters", "typed_parameter", "list_splat_pattern", "dictionary_splat_pattern"),
        *("pattern_list", "tuple_pattern", "list_pattern", "splat_pattern", "case_pattern", "as_pattern_target"),
        "delete_statement",
    )
)
_BINDING_FIELDS = {
    "assignment": "left",
    "augmented_assignment": "left",
    "for_statement": "left",
    "for_in_clause": "left",
    "named_expression": "name",
    "default_parameter": "name",
    "typed_default_parameter": "name",
}
_MEMBER = re.compile(rb"\.\s*([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Finding:
    """A name that cannot exist. ``kind``: ``name``, ``attribute``, ``self`` (an attribute of the class around), ``import``,
    ``keyword`` or ``arity``. ``start``/``end``: bytes of the page. ``names``: what exists in its place. ``ahead``: it is called
    at the end of what is written: who works from the top down writes it next.
    """

    kind: str
    name: str
    start: int
    end: int
    where: str = ""
    names: frozenset[str] = frozenset()
    ahead: bool = False


class Findings:
    """Looks through one page. ``unwritten`` knows the attributes that nobody has written; without it an unknown receiver may
    have any.
    """

    def __init__(self, infer: Infer, unwritten: Unwritten | None = None) -> None:
        self._infer, self._unwritten = infer, unwritten
        self._page, self._resolver = infer.page, infer.resolver
        self._source = infer.page.source
        self._broken = infer.page.root.has_error
        self._words: frozenset[bytes] | None = None

    def all(self) -> Iterator[Finding]:
        """Everything wrong, in no order."""
        parts = self._infer.parts()
        nodes = [(node, part) for part in parts for node in self._nodes(part.node)]
        self._infer.written = frozenset(self._writes(node for node, _ in nodes))
        for part in parts:
            yield from self._names(part)
        for node, part in nodes:
            if node.type == "attribute":
                yield from self._attribute(node, part)
            elif node.type == "call" and not node.has_error:
                yield from self._call(node, part)
            elif node.type in ("import_from_statement", "import_statement") and not node.has_error:
                yield from self._import(node)

    def _nodes(self, top: Node) -> Iterator[Node]:
        pending = [top]
        while pending:
            node = pending.pop()
            if self._page.covers(node):
                if node.type == "ERROR":
                    continue
                yield node
                pending.extend(node.named_children)

    def _writes(self, nodes: Iterable[Node]) -> Iterator[str]:
        for node in nodes:
            if node.type == "attribute" and _is_target(node):
                yield self._source.of(node.child_by_field_name("attribute"))

    # -- names

    def _names(self, part: Part) -> Iterator[Finding]:
        low, high = self._page.hole
        for mention in part.table.mentions:
            if mention.kind != "read" or mention.start >= high or mention.end <= low:
                continue
            name = mention.name
            if part.table.resolve(mention.scope, name, mention.space) is None and not self._is_known(name, mention.scope, part):
                node = self._page.root.descendant_for_byte_range(mention.start, mention.end)
                if node is None or (_is_unfinished(node) and not self._is_surely_read(node)):
                    continue
                last = not self._page.source.data[part.node.end_byte :].strip()
                visible = frozenset(self._visible(mention.scope, part))
                yield Finding("name", name, mention.start, mention.end, "the file", visible, last and _is_callee(node))

    def _is_surely_read(self, node: Node) -> bool:
        """Whether a name in a statement that does not parse is read whatever becomes of it: called or looked into, not behind
        ``def``, and the only mention of it in the file.
        """
        data, start, end = self._source.data, node.start_byte, node.end_byte
        before, after = data[max(0, start - 12) : start].split(), data[end : end + 1]
        if after not in (b"(", b".") or (before and before[-1] in (b"def", b"class", b"import", b"as")):
            return False
        return len(re.findall(rb"\b" + re.escape(data[start:end]) + rb"\b", data)) == 1

    def _visible(self, scope: Scope, part: Part) -> Iterator[str]:
        here: Scope | None = scope
        while here is not None:
            if here.kind != "class" or here is scope:
                yield from here.bound
            here = here.parent
        yield from self._page.outline.members
        yield from known.NAMES

    def _is_known(self, name: str, scope: Scope, part: Part) -> bool:
        outline = self._page.outline
        if name in outline.members or name in known.NAMES or not name.strip("_"):
            return True
        if outline.dynamic or name in known.OLD_NAMES or name in known.IMPORTABLE:
            return True
        if self._is_used_unbound(name):
            return True
        if part.cls is not None and scope.parent is None and name in part.cls.members:
            return True
        if self._broken and name.encode() in self._other_words():
            return True
        return self._is_starred(name)

    def _is_used_unbound(self, name: str) -> bool:
        """Whether the user reads the name elsewhere in the file and nothing there binds it: who does that knows where it comes
        from (a template, a notebook's kernel, a sketch of a few lines).
        """
        if name.encode() not in self._other_words():
            return False
        low, high = self._page.hole
        places = re.finditer(rb"\b" + re.escape(name.encode()) + rb"\b", self._source.data)
        found = (self._page.root.descendant_for_byte_range(*m.span()) for m in places if m.end() <= low or m.start() >= high)
        nodes = [node for node in found if node is not None and node.type == "identifier"]
        return not any(map(_is_bound, nodes)) and any(map(_is_read, nodes))

    def _is_starred(self, name: str) -> bool:
        """Whether a star import brings the name, or may."""
        if not self._page.outline.stars:
            return False
        return not isinstance(self._resolver.in_module(self._resolver.here, name), Missing)

    def _other_words(self) -> frozenset[bytes]:
        if self._words is None:
            self._words = frozenset(re.findall(rb"\w+", self._page.rest))
        return self._words

    # -- attributes

    def _attribute(self, node: Node, part: Part) -> Iterator[Finding]:
        name, receiver = node.child_by_field_name("attribute"), node.child_by_field_name("object")
        if name is None or receiver is None or not self._page.covers(name) or node.has_error or _is_target(node):
            return
        value = self._infer.value(receiver, part)
        text = self._source.of(name)
        answer = self._resolver.member(value, text)
        if isinstance(answer, Missing) and not self._is_evident(self._source.of(receiver), text):
            kind = "self" if self._source.of(receiver) in ("self", "cls") else "attribute"
            where = _describe(value)
            ahead = kind == "self" and _is_callee(node) and self._is_last_method(node)
            yield Finding(kind, text, name.start_byte, name.end_byte, where, answer.names, ahead)
        elif answer is None and self._resolver.is_open(value) and self._is_strange(text, receiver, value is not None):
            others = frozenset(word.decode() for word in _MEMBER.findall(self._page.rest))
            yield Finding("attribute", text, name.start_byte, name.end_byte, "", others)

    def _is_strange(self, name: str, receiver: Node, is_class: bool) -> bool:
        text = self._source.of(receiver)
        return self._unwritten is not None and self._unwritten.is_strange(name, text, self._page.rest, is_class)

    def _is_last_method(self, node: Node) -> bool:
        """Whether no method follows in the class around."""
        here = node.parent
        while here is not None and here.type != "class_definition":
            here = here.parent
        end = here.end_byte if here is not None else 0
        return re.search(rb"\n[ \t]*(?:async[ \t]+)?def\b", self._source.data[self._page.hole[1] : end]) is None

    def _is_evident(self, receiver: str, name: str) -> bool:
        """Whether the rest of the file shows that the attribute exists."""
        word = re.escape(name.encode())
        short = re.escape(receiver.encode()) if len(receiver) < 80 else b"\0"
        spelled = (
            rb"[\"']"
            + word
            + rb"[\"']|\."
            + word
            + rb"\s*(?::[^=\n]*)?=(?!=)|(?<![\w.])"
            + short
            + rb"\s*\.\s*"
            + word
            + rb"\b"
        )
        return re.search(spelled, self._page.rest) is not None or (self._broken and name.encode() in self._other_words())

    # -- calls

    def _call(self, node: Node, part: Part) -> Iterator[Finding]:
        arguments, callee = node.child_by_field_name("arguments"), node.child_by_field_name("function")
        if arguments is None or callee is None or arguments.type != "argument_list" or not self._page.covers(arguments):
            return
        value = self._infer.value(callee, part)
        wrong = misfit(self._resolver, value, arguments, self._source)
        if wrong is None:
            return
        start, end = (
            (wrong.node.start_byte, wrong.node.end_byte) if wrong.node is not None else (callee.start_byte, callee.end_byte)
        )
        if wrong.node is None or self._page.covers(wrong.node):
            yield Finding(wrong.kind, wrong.name, start, end, self._source.of(callee)[:80], wrong.names)

    # -- imports

    def _import(self, node: Node) -> Iterator[Finding]:
        module = node.child_by_field_name("module_name")
        if node.type == "import_from_statement" and module is not None:
            written = "".join(self._source.of(module).split())
            name = written.lstrip(".")
            level = len(written) - len(name)
            if self._page.covers(module):
                yield from self._module(module, name, level)
            origin = self._resolver.module(name, level)
            if isinstance(origin, ModuleValue):
                for child in node.children_by_field_name("name"):
                    yield from self._imported(child, origin)
            return
        for child in node.children_by_field_name("name"):
            dotted = child.child_by_field_name("name") if child.type == "aliased_import" else child
            if dotted is not None and self._page.covers(dotted):
                yield from self._module(dotted, "".join(self._source.of(dotted).split()), 0)

    def _module(self, node: Node, name: str, level: int) -> Iterator[Finding]:
        answer = self._resolver.module(name, level) if name else None
        if isinstance(answer, Missing):
            last = name.rpartition(".")[2]
            end = node.end_byte
            yield Finding("import", last, end - len(last.encode()), end, name, answer.names)

    def _imported(self, node: Node, origin: ModuleValue) -> Iterator[Finding]:
        name = node.child_by_field_name("name") if node.type == "aliased_import" else node
        if name is None or not self._page.covers(name) or origin.space is self._resolver.here:
            return
        text = self._source.of(name)
        answer = self._resolver.in_module(origin.space, text)
        if isinstance(answer, Missing):
            yield Finding("import", text, name.start_byte, name.end_byte, origin.space.name, answer.names)


def _is_bound(node: Node) -> bool:
    """Whether an identifier is given a meaning where it stands."""
    parent = node.parent
    if parent is None or parent.type in _BINDERS:
        return parent is not None
    return parent.type in _BINDING_FIELDS and parent.child_by_field_name(_BINDING_FIELDS[parent.type]) == node


def _is_read(node: Node) -> bool:
    """Whether an identifier is a name by itself: no attribute, no keyword."""
    parent = node.parent
    if parent is None or parent.type in ("attribute", "keyword_argument"):
        return parent is not None and parent.named_children[0 if parent.type == "attribute" else -1] == node
    return parent.type != "ERROR"


def _is_target(node: Node) -> bool:
    """Whether an attribute is assigned or deleted here."""
    outer: Node | None = node.parent
    here = node
    while outer is not None and outer.type in (
        "pattern_list",
        "tuple_pattern",
        "list_pattern",
        "list_splat_pattern",
        "expression_list",
    ):
        here = outer
        outer = outer.parent
    if outer is None:
        return False
    if outer.type in ("assignment", "augmented_assignment", "for_statement", "for_in_clause"):
        return outer.child_by_field_name("left") == here
    return outer.type in ("delete_statement", "as_pattern_target")


def _is_unfinished(node: Node) -> bool:
    """Whether the statement of a node does not parse: then nobody knows which names it binds."""
    here: Node | None = node
    while here is not None and not here.type.endswith(("_statement", "_definition", "block")):
        if here.has_error or here.type == "ERROR":
            return True
        here = here.parent
    return here is not None and (here.has_error if not here.type.endswith(("_definition", "block")) else here.type == "ERROR")


def _is_callee(node: Node) -> bool:
    outer = node.parent
    return outer is not None and outer.type == "call" and outer.child_by_field_name("function") == node


def _describe(value: object) -> str:
    if isinstance(value, ModuleValue):
        return value.space.name or "the module"
    return value.cls.name if isinstance(value, (ClassValue, InstanceValue)) else ""
