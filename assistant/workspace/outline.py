"""What a file defines: its definitions, data members, imports and the names it calls, of a whole tree or of a part of it.

Works on byte offsets until a value is made. Knows no language: what is special to one is in ``grammar/``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from assistant.workspace.comments import Comments
from assistant.workspace.grammar.rules import Header, Rules
from assistant.workspace.source import Source
from assistant.workspace.symbols import MAX_SIGNATURE, MODULE, ClassField, Definition, Import

if TYPE_CHECKING:
    from tree_sitter import Node, Query

MATCH_LIMIT = 1024  # patterns under way at once: one file in a thousand needs over 512, a long chain of calls its square
MAX_DEFINITIONS = 20_000  # 0.03 ms each
MAX_NAME = 200
MAX_CHAIN = 400  # bytes of a callee that are looked at: long method chains would cost their square
COMMENTS = 4_000  # bytes before a span in which a comment of its first definition may stand, wherever in the tree
CLASS_KINDS = frozenset({"class", "interface", "struct", "enum", "impl"})
_METHOD_HOMES = CLASS_KINDS | {"variable"}
_SEPARATOR = r"\s*(?:\?\.|!\.|\.|->|::)\s*"
_DOTTED = re.compile(r"[\w$#]+(?:\.[\w$#]+)*")
_TAIL = re.compile(rf"((?:[\w$#]+{_SEPARATOR})*)([\w$#~]+)\s*$")
_SPLIT = re.compile(_SEPARATOR)


class Outline(NamedTuple):
    """Rows of a part of a file in the order of the text; offsets in code points.

    ``members`` are all places that declare a data member, each with the start of its node: the first or the annotated one of
    a name counts. ``callees`` are dotted or not, ``called`` says where each begins. ``is_cut``: some rows are missing.
    """

    definitions: tuple[Definition, ...] = ()
    members: tuple[tuple[int, ClassField], ...] = ()
    imports: tuple[Import, ...] = ()
    called: tuple[int, ...] = ()
    callees: tuple[str, ...] = ()
    is_cut: bool = False

    def fields(self) -> tuple[ClassField, ...]:
        found: dict[tuple[int, str], ClassField] = {}
        for _, member in self.members:
            key = member.owner, member.name
            if key not in found or (member.annotation and not found[key].annotation):
                found[key] = member
        return tuple(sorted(found.values(), key=lambda f: f.start))

    def last_names(self) -> frozenset[str]:
        """Last names of everything that is called."""
        return frozenset(callee.rpartition(".")[2] for callee in set(self.callees)) - {"?"}


class Span(NamedTuple):
    """Bytes ``[start, end)`` of a tree that are whole siblings, and the definitions around them, the outermost first."""

    start: int
    end: int
    around: tuple[Definition, ...] = ()


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


def written(source: Source, first: int, end: int) -> str:
    """The dotted thing between two bytes as far as it is looked at."""
    start = max(first, end - MAX_CHAIN)
    raw = source.slice(start, end)
    return raw if start == first else "()." + raw


def outline(rules: Rules, query: Query, root: Node, source: Source, span: Span | None = None) -> Outline:
    """The outline of a tree, or of a span of it. In a span's rows ``parent``, ``owner`` and ``scope`` count the definitions
    around it first.
    """
    return _Reader(rules, query, root, source, span).read()


class _Reader:
    """Reads one tree once."""

    def __init__(self, rules: Rules, query: Query, root: Node, source: Source, span: Span | None) -> None:
        from tree_sitter import QueryCursor

        self._rules = rules
        self._source = source
        self._span = span
        self._around = span.around if span is not None else ()
        cursor = QueryCursor(query, match_limit=MATCH_LIMIT)
        if span is not None:
            cursor.set_byte_range(max(0, span.start - COMMENTS), span.end + 1)
        self._captures: dict[str, list[Node]] = cursor.captures(root)
        self._is_cut = bool(cursor.did_exceed_match_limit)
        self._found: list[Definition] = list(self._around)
        self._edges: list[tuple[int, int]] = []

    def read(self) -> Outline:
        self._read_definitions()
        owners = Owners(self._edges)
        members = self._read_members(owners)
        imports = self._read_imports(owners)
        called, callees = self._read_callees()
        definitions = tuple(self._found[len(self._around) :])
        return Outline(definitions, members, imports, called, callees, self._is_cut)

    def _nodes(self, capture: str) -> Sequence[Node]:
        """Captures of the span; they come in no order."""
        nodes = self._captures.get(capture, [])
        span = self._span
        if span is None:
            return nodes
        last = span.end if span.end < len(self._source.data) else span.end + 1
        return [node for node in nodes if span.start <= node.start_byte < last and node.end_byte <= span.end]

    def _in_order(self, capture: str) -> list[Node]:
        return sorted(self._nodes(capture), key=_place)

    # -- definitions

    def _headers(self) -> list[Header]:
        headers: list[Header] = []
        nodes = self._in_order("def")
        self._is_cut |= len(nodes) > MAX_DEFINITIONS
        for node in nodes[:MAX_DEFINITIONS]:
            headers.extend(self._rules.definitions(node, self._source))
        headers.sort(key=lambda h: (h.start, -h.end, h.name.start_byte))
        return headers

    def _read_definitions(self) -> None:
        comments = Comments(self._source, self._captures.get("comment", ()))
        found = self._found
        nest = Nest(((d.kind, self._source.byte(d.end)) for d in self._around), self._span.start if self._span else 0)
        for header in self._headers():
            parent = nest.enter(header.kind, header.start, header.end)
            found.append(self._definition(header, parent, comments))
        self._edges = nest.leave()

    def _definition(self, header: Header, parent: int, comments: Comments) -> Definition:
        char, found = self._source.char, self._found
        name = self._source.of(header.name)[:MAX_NAME]
        outer = found[parent].qualified if parent != MODULE else ""
        if header.prefix:
            outer = f"{outer}.{header.prefix}" if parent != MODULE and found[parent].kind == "namespace" else header.prefix
        kind = header.kind
        if kind == "function" and (header.prefix or (parent != MODULE and found[parent].kind in _METHOD_HOMES)):
            kind = "method"
        docstring, doc_start, doc_end = comments.docstring(header)
        start, end, body = header.start, header.end, header.body
        body_start = end if body is None else body.start_byte
        return Definition(
            name,
            f"{outer}.{name}" if outer else name,
            kind,
            char(start),
            char(end),
            char(header.name.start_byte),
            self._signature(header, None if body is None else body_start),
            docstring,
            doc_start,
            doc_end,
            char(body_start),
            parent,
            header.parameters,
            header.bases,
            header.decorators,
            " ".join(header.returns[: 2 * MAX_SIGNATURE].split())[:MAX_SIGNATURE] if header.returns else "",
            header.is_async,
        )

    def _signature(self, header: Header, body_start: int | None) -> str:
        start = header.inner.start_byte
        end = header.inner.end_byte if body_start is None else body_start
        text = self._source.slice(start, min(end, start + 4 * MAX_SIGNATURE))
        if header.kind == "variable":
            text = text.split("\n", 1)[0]
        text = " ".join(text.split()).rstrip(" :{;")
        return (text[:-2].rstrip() if body_start is not None and text.endswith("=>") else text)[:MAX_SIGNATURE]

    # -- the rest

    def _read_members(self, owners: Owners) -> tuple[tuple[int, ClassField], ...]:
        found: list[tuple[int, ClassField]] = []
        char = self._source.char
        for node in self._in_order("field"):
            start = node.start_byte
            owner = owners.at(start)
            while owner != MODULE and self._found[owner].kind not in CLASS_KINDS:
                owner = self._found[owner].parent
            if owner == MODULE:
                continue
            for name, annotation in self._rules.fields(node, self._source):
                text = self._source.of(name)
                if len(text) <= MAX_NAME:
                    found.append((char(start), ClassField(owner, text, char(name.start_byte), annotation)))
        return tuple(found)

    def _read_imports(self, owners: Owners) -> tuple[Import, ...]:
        found: list[Import] = []
        for node in self._in_order("import_statement"):
            start = self._source.char(node.start_byte)
            scope = owners.at(node.start_byte)
            found.extend(row._replace(start=start, scope=scope) for row in self._rules.imports(node, self._source))
        return tuple(found)

    def _read_callees(self) -> tuple[tuple[int, ...], tuple[str, ...]]:
        source = self._source
        if "callee" in self._captures:
            spans = [(node.start_byte, node.end_byte) for node in self._nodes("callee")]
        else:
            read = (self._rules.callee(node) for node in self._nodes("call"))
            spans = [(callee.start, callee.end) for callee in read if callee is not None]
        spans.sort()
        short: dict[str, str] = {}
        called: list[int] = []
        callees: list[str] = []
        for start, end in spans:
            raw = source.slice(start, end) if end - start <= MAX_CHAIN else written(source, start, end)
            name = short.get(raw)
            if name is None:
                name = dotted(raw)
                last = name.rpartition(".")[2]
                short[raw] = name = last if last != "?" and len(last) <= MAX_NAME else ""
            if name:
                called.append(source.char(start))
                callees.append(name)
        return tuple(called), tuple(callees)


def _place(node: Node) -> tuple[int, int]:
    return node.start_byte, -node.end_byte


class Nest:
    """Which definition stands in which, and from where on each is the innermost; told of them in the order of the text.

    A definition ends at the latest with the one around it, and a variable where the next one begins (``a = b = 1``).
    """

    def __init__(self, around: Iterable[tuple[str, int]] = (), start: int = 0) -> None:
        self._open: list[tuple[int, int, str]] = [(end, i, kind) for i, (kind, end) in enumerate(around)]
        self._count = len(self._open)
        self._edges: list[tuple[int, int]] = [(start, self._count - 1)]

    def enter(self, kind: str, start: int, end: int) -> int:
        """The index of the definition around this one, or ``MODULE``."""
        open_ = self._open
        while open_ and open_[-1][0] <= start:
            self._close(open_[-1][0])
        while open_ and (open_[-1][0] < end or kind == "variable" == open_[-1][2]):
            self._close(start)
        parent = open_[-1][1] if open_ else MODULE
        open_.append((end, self._count, kind))
        self._edge(start, self._count)
        self._count += 1
        return parent

    def leave(self) -> list[tuple[int, int]]:
        """(offset, index of the innermost definition from there on), in order."""
        while self._open:
            self._close(self._open[-1][0])
        return self._edges

    def _close(self, at: int) -> None:
        self._open.pop()
        self._edge(at, self._open[-1][1] if self._open else MODULE)

    def _edge(self, at: int, owner: int) -> None:
        """Edges come in order, or replace the last."""
        if self._edges and self._edges[-1][0] >= at:
            self._edges.pop()
        self._edges.append((at, owner))


class Owners:
    """The innermost definition at an offset, for offsets that are asked in rising order."""

    def __init__(self, edges: list[tuple[int, int]]) -> None:
        self._edges = edges
        self._at = 0

    def at(self, offset: int) -> int:
        edges = self._edges
        if edges[self._at][0] > offset:
            self._at = 0
        while self._at + 1 < len(edges) and edges[self._at + 1][0] <= offset:
            self._at += 1
        return edges[self._at][1]
