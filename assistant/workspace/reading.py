"""One parsed file, read into symbols: definitions first, then everything else is put into their scopes.

Works on byte offsets until a value is made. Knows no language: what is special to one is in ``grammar/``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from assistant.workspace.comments import Comments
from assistant.workspace.grammar.rules import Header, Rules
from assistant.workspace.source import Source
from assistant.workspace.symbols import (
    MAX_SIGNATURE,
    MODULE,
    Call,
    ClassField,
    Definition,
    FileSymbols,
    Import,
    Reference,
)

if TYPE_CHECKING:
    from tree_sitter import Node, Query, Tree

MATCH_LIMIT = 1024  # patterns under way at once: one file in a thousand needs over 512, a long chain of calls its square
MAX_DEFINITIONS = 20_000  # 0.04 ms each
MAX_NAME = 200
MAX_CHAIN = 400  # bytes of a callee that are looked at: long method chains would cost their square
CLASS_KINDS = frozenset({"class", "interface", "struct", "enum", "impl"})
_KINDS = ("attribute", "write", "keyword", "type", "import", "definition")  # the later one wins
_AFTER_DOT = ("attribute", "call", "write")
_SEPARATOR = r"\s*(?:\?\.|!\.|\.|->|::)\s*"
_DOTTED = re.compile(r"[\w$#]+(?:\.[\w$#]+)*")
_TAIL = re.compile(rf"((?:[\w$#]+{_SEPARATOR})*)([\w$#~]+)\s*$")
_SPLIT = re.compile(_SEPARATOR)


def dotted(raw: str) -> str:
    """A callee or member as written, on one line and with dots only; ``?`` for what is not a name; "" if it ends in none."""
    if _DOTTED.fullmatch(raw):
        return raw
    tail = _TAIL.search(raw)
    if tail is None:
        return ""
    names = [name for name in _SPLIT.split(tail.group(1)) if name] + [tail.group(2)]
    before = raw[: tail.start()].strip()
    return ".".join(["?", *names] if before not in ("", "::", "&", "*") else names)


class Reading:
    """Reads one tree once."""

    def __init__(self, rules: Rules, query: Query, tree: Tree, source: Source) -> None:
        from tree_sitter import QueryCursor

        self._rules = rules
        self._source = source
        cursor = QueryCursor(query, match_limit=MATCH_LIMIT)
        self._captures: dict[str, list[Node]] = cursor.captures(tree.root_node)
        self._exceeded = bool(cursor.did_exceed_match_limit)
        self._edges: list[int] = [0]
        self._owners: list[int] = [MODULE]
        self._kinds: dict[int, str] = {}
        self._members: dict[int, int] = {}  # where a member expression ends -> where it starts
        self._dotted: dict[str, str] = {}

    def symbols(self, language: str, words: tuple[str, ...], cut: bool) -> FileSymbols:
        definitions = self._read_definitions()
        fields = self._read_fields(definitions)
        self._find_kinds(definitions, fields)
        calls = self._read_calls()
        char = self._source.char
        return FileSymbols(
            language,
            definitions,
            self._read_references(),
            calls,
            self._read_imports(),
            fields,
            words,
            tuple(sorted((char(node.start_byte), char(node.end_byte)) for node in self._captures.get("error", ()))),
            cut or self._exceeded,
        )

    def _in_order(self, capture: str) -> list[Node]:
        """Captures come in no order."""
        return sorted(self._captures.get(capture, ()), key=lambda node: node.start_byte)

    # -- definitions

    def _headers(self) -> list[Header]:
        headers: list[Header] = []
        nodes = self._in_order("def")
        self._exceeded |= len(nodes) > MAX_DEFINITIONS
        for node in nodes[:MAX_DEFINITIONS]:
            headers.extend(self._rules.definitions(node, self._source))
        headers.sort(key=lambda h: (h.start, -h.outer.end_byte, h.name.start_byte))
        return headers

    def _read_definitions(self) -> tuple[Definition, ...]:
        comments = Comments(self._source, self._captures.get("comment", ()))
        found: list[Definition] = []
        open_: list[tuple[int, int]] = []  # (end byte, index) of the definitions around
        for header in self._headers():
            start, end = header.start, header.outer.end_byte
            while open_ and open_[-1][0] <= start:
                self._close(open_)
            while open_ and (header.kind == "variable" == found[open_[-1][1]].kind or open_[-1][0] < end):
                self._close(open_, start)
            parent = open_[-1][1] if open_ else MODULE
            found.append(self._definition(header, parent, found, comments))
            open_.append((end, len(found) - 1))
            self._edge(start, len(found) - 1)
        while open_:
            self._close(open_)
        return tuple(found)

    def _close(self, open_: list[tuple[int, int]], at: int | None = None) -> None:
        end, _ = open_.pop()
        self._edge(end if at is None else at, open_[-1][1] if open_ else MODULE)

    def _edge(self, byte: int, owner: int) -> None:
        """From ``byte`` on, ``owner`` is the innermost definition. Edges come in order, or replace the last."""
        if self._edges[-1] >= byte:
            self._edges.pop()
            self._owners.pop()
        self._edges.append(byte)
        self._owners.append(owner)

    def _scope(self, byte: int) -> int:
        return self._owners[bisect_right(self._edges, byte) - 1]

    def _definition(self, header: Header, parent: int, found: list[Definition], comments: Comments) -> Definition:
        char = self._source.char
        name = self._source.of(header.name)[:MAX_NAME]
        outer = found[parent].qualified if parent != MODULE else ""
        if header.prefix:
            outer = f"{outer}.{header.prefix}" if parent != MODULE and found[parent].kind == "namespace" else header.prefix
        kind = header.kind
        if kind == "function" and (header.prefix or (parent != MODULE and found[parent].kind in {*CLASS_KINDS, "variable"})):
            kind = "method"
        docstring, doc_start, doc_end = comments.docstring(header)
        end = header.outer.end_byte
        return Definition(
            name,
            f"{outer}.{name}" if outer else name,
            kind,
            char(header.start),
            char(end),
            char(header.name.start_byte),
            self._signature(header),
            docstring,
            doc_start,
            doc_end,
            char(header.body.start_byte if header.body is not None else end),
            parent,
            header.parameters,
            header.bases,
            header.decorators,
            " ".join(header.returns[: 2 * MAX_SIGNATURE].split())[:MAX_SIGNATURE],
            header.is_async,
        )

    def _signature(self, header: Header) -> str:
        start, inner = header.inner.start_byte, header.inner
        end = header.body.start_byte if header.body is not None else inner.end_byte
        text = self._source.slice(start, min(end, start + 4 * MAX_SIGNATURE))
        if header.kind == "variable":
            text = text.split("\n", 1)[0]
        text = " ".join(text.split()).rstrip(" :{;")
        return (text[:-2].rstrip() if header.body is not None and text.endswith("=>") else text)[:MAX_SIGNATURE]

    def _read_fields(self, definitions: tuple[Definition, ...]) -> tuple[ClassField, ...]:
        found: dict[tuple[int, str], ClassField] = {}
        for node in self._in_order("field"):
            owner = self._scope(node.start_byte)
            while owner != MODULE and definitions[owner].kind not in CLASS_KINDS:
                owner = definitions[owner].parent
            if owner == MODULE:
                continue
            for name, annotation in self._rules.fields(node, self._source):
                text = self._source.of(name)
                key = (owner, text)
                if len(text) <= MAX_NAME and (key not in found or (annotation and not found[key].annotation)):
                    found[key] = ClassField(owner, text, self._source.char(name.start_byte), annotation)
        return tuple(sorted(found.values(), key=lambda f: f.start))

    # -- mentions

    def _find_kinds(self, definitions: tuple[Definition, ...], fields: tuple[ClassField, ...]) -> None:
        for kind in _KINDS:
            for node in self._captures.get(kind, ()):
                self._kinds[node.start_byte] = kind
        byte = self._source.byte
        for definition in definitions:
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
        source, found = self._source, []
        for node in self._captures.get("call", ()):
            callee = self._rules.callee(node)
            if callee is None:
                continue
            start, end = max(callee.start, callee.end - MAX_CHAIN), callee.end
            raw = source.slice(start, end)
            name = self._short(raw if start == callee.start else "()." + raw)
            last = name.rpartition(".")[2]
            if not last or len(last) > MAX_NAME:
                continue
            name_start = end - len(last.encode("utf-8", "replace")) - (len(raw) - len(raw.rstrip()))
            self._kinds[name_start] = "call"
            if callee.start < name_start:
                self._members.setdefault(end, callee.start)
            arity, keywords, star, star_star = self._arguments(callee.arguments)
            found.append(
                Call(
                    name,
                    source.char(node.start_byte),
                    source.char(node.end_byte),
                    source.char(name_start),
                    arity,
                    keywords,
                    star,
                    star_star,
                    self._scope(node.start_byte),
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
        edges, owners, i = [*self._edges, len(self._source.data) + 1], self._owners, 0
        found = []
        spans = [(node.start_byte, node.end_byte) for node in self._captures.get("name", ())]
        for start, end in sorted(spans):
            if end - start > MAX_NAME:
                continue
            while edges[i + 1] <= start:
                i += 1
            kind = kinds.get(start, "read")
            receiver = self._receiver(members[end], start, end) if end in members and kind in _AFTER_DOT else ""
            found.append(Reference(slice_(start, end), char(start), kind, receiver, owners[i]))
        return tuple(found)

    def _receiver(self, first: int, start: int, end: int) -> str:
        if first >= start:
            return ""
        cut = max(first, end - MAX_CHAIN)
        raw = self._source.slice(cut, end)
        return self._short(raw if cut == first else "()." + raw).rpartition(".")[0]

    def _read_imports(self) -> tuple[Import, ...]:
        found: list[Import] = []
        for node in self._in_order("import_statement"):
            start, scope = self._source.char(node.start_byte), self._scope(node.start_byte)
            found.extend(row._replace(start=start, scope=scope) for row in self._rules.imports(node, self._source))
        return tuple(found)
