"""What a file mentions: every reference and every call of a parsed file, put into the scopes of its definitions.

Works on byte offsets until a value is made. Knows no language: what is special to one is in ``grammar/``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.workspace.grammar.rules import Rules
from assistant.workspace.outline import MATCH_LIMIT, MAX_CHAIN, MAX_NAME, Nest, Owners, dotted, written
from assistant.workspace.source import Source
from assistant.workspace.symbols import Call, ClassField, Definition, Reference

if TYPE_CHECKING:
    from tree_sitter import Node, Query

_KINDS = ("attribute", "write", "keyword", "type", "import", "definition")  # the later one wins
_AFTER_DOT = ("attribute", "call", "write")


class Reading:
    """Reads one tree once."""

    def __init__(self, rules: Rules, query: Query, root: Node, source: Source, definitions: Sequence[Definition]) -> None:
        from tree_sitter import QueryCursor

        self._rules = rules
        self._source = source
        self._captures: dict[str, list[Node]] = QueryCursor(query, match_limit=MATCH_LIMIT).captures(root)
        self._definitions = definitions
        self._kinds: dict[int, str] = {}
        self._members: dict[int, int] = {}  # where a member expression ends -> where it starts
        self._dotted: dict[str, str] = {}
        nest, byte = Nest(), source.byte
        for definition in definitions:
            nest.enter(definition.kind, byte(definition.start), byte(definition.end))
        self._edges = nest.leave()

    def mentions(self, fields: Sequence[ClassField]) -> tuple[tuple[Reference, ...], tuple[Call, ...]]:
        self._find_kinds(fields)
        calls = self._read_calls()
        return self._read_references(), calls

    def _find_kinds(self, fields: Sequence[ClassField]) -> None:
        for kind in _KINDS:
            for node in self._captures.get(kind, ()):
                self._kinds[node.start_byte] = kind
        byte = self._source.byte
        for definition in self._definitions:
            if definition.kind != "impl":
                self._kinds[byte(definition.name_start)] = "definition"
        for member_of in fields:
            self._kinds.setdefault(byte(member_of.start), "definition")
        for member in self._captures.get("member", ()):
            end = member.end_byte
            start = member.start_byte
            if start < self._members.get(end, end):
                self._members[end] = start

    def _short(self, raw: str) -> str:
        known = self._dotted.get(raw)
        if known is None:
            known = self._dotted[raw] = dotted(raw)
        return known

    def _read_calls(self) -> tuple[Call, ...]:
        source, owners, found = self._source, Owners(self._edges), []
        for node in sorted(self._captures.get("call", ()), key=_start):
            callee = self._rules.callee(node)
            if callee is None:
                continue
            end = callee.end
            raw = source.slice(max(callee.start, end - MAX_CHAIN), end)
            name = self._short(written(source, callee.start, end))
            last = name.rpartition(".")[2]
            if not last or len(last) > MAX_NAME:
                continue
            name_start = end - len(last.encode("utf-8", "replace")) - (len(raw) - len(raw.rstrip()))
            self._kinds[name_start] = "call"
            if callee.start < name_start:
                self._members.setdefault(end, callee.start)
            start = node.start_byte
            arity, keywords, star, star_star = self._arguments(callee.arguments)
            found.append(
                Call(
                    name,
                    source.char(start),
                    source.char(node.end_byte),
                    source.char(name_start),
                    arity,
                    keywords,
                    star,
                    star_star,
                    owners.at(start),
                )
            )
        return tuple(sorted(found, key=lambda call: (call.start, call.name_start)))

    def _arguments(self, node: Node | None) -> tuple[int, tuple[str, ...], bool, bool]:
        """(arity, keyword names, ``*``, ``**``) of an argument list; anything else in its place counts as one argument."""
        if node is None:
            return 0, (), False, False
        if not node.type.endswith(("argument_list", "arguments")):
            return (0, (), True, False) if node.type in ("template_string", "token_tree") else (1, (), False, False)
        if node.named_child_count == 0:
            return 0, (), False, False
        arity, keywords, stars, roles = 0, [], set(), self._rules.arguments
        for child in node.named_children:
            role = roles.get(child.type, "")
            if role == "":
                arity += 1
            elif role == "keyword":
                keywords.append(self._source.of(child.child_by_field_name("name"))[:MAX_NAME])
            else:
                stars.add(role)
        return arity, tuple(keywords), "star" in stars, "star_star" in stars

    def _read_references(self) -> tuple[Reference, ...]:
        kinds, members, slice_, char = self._kinds, self._members, self._source.slice, self._source.char
        owners, found = Owners(self._edges), []
        spans = [(node.start_byte, node.end_byte) for node in self._captures.get("name", ())]
        for start, end in sorted(spans):
            if end - start > MAX_NAME:
                continue
            kind = kinds.get(start, "read")
            receiver = self._receiver(members[end], start, end) if end in members and kind in _AFTER_DOT else ""
            found.append(Reference(slice_(start, end), char(start), kind, receiver, owners.at(start)))
        return tuple(found)

    def _receiver(self, first: int, start: int, end: int) -> str:
        return "" if first >= start else self._short(written(self._source, first, end)).rpartition(".")[0]


def _start(node: Node) -> int:
    return node.start_byte
