"""A text as the rules read it: parsed once, its nodes by type, its functions, its scopes.

Lines are counted from 0 and end at a line feed. Offsets are UTF-8 bytes, as the tree's are. Knows no change: that is ``view``.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

from assistant.workspace import languages
from assistant.workspace.extract import readable, rules_of
from assistant.workspace.grammar import javascript_scopes, python, python_scopes
from assistant.workspace.parsing import parse
from assistant.workspace.source import Source
from assistant.workspace.symbols import Import, Parameter

if TYPE_CHECKING:
    from tree_sitter import Node, Query

    from assistant.workspace.grammar.scope_table import Mention, Table

WORDS = re.compile(r"[\w$]+")
KEPT_PAGES = 64
FUNCTIONS = frozenset(
    (
        *("function_definition", "lambda"),
        *("function_declaration", "function_expression", "arrow_function", "method_definition", "generator_function"),
        "generator_function_declaration",
    )
)
CLASSES = frozenset(("class_definition", "class_declaration", "class", "abstract_class_declaration"))
STRINGS = frozenset(("string", "concatenated_string", "template_string"))
SCRIPT = frozenset(("javascript", "typescript", "tsx"))


@dataclass(frozen=True, eq=False)
class Function:
    """A function with a name. ``outer`` includes its decorators or ``export``; ``cls`` is the class it is a method of."""

    name: str
    qualified: str
    node: Node
    outer: Node
    body: Node | None
    cls: Node | None = None
    parameters: tuple[Parameter, ...] = ()
    decorators: tuple[str, ...] = ()
    is_async: bool = False

    @property
    def names(self) -> list[str]:
        """Names of all parameters, the receiver included."""
        return [p.name for p in self.parameters if p.name]

    def marked(self, *words: str) -> bool:
        """Whether a decorator's last name is one of ``words``."""
        return any(mark.partition("(")[0].rpartition(".")[2].strip() in words for mark in self.decorators)


class Page:
    """One parsed text."""

    def __init__(self, text: str, language: str, source: Source, root: Node) -> None:
        self.text, self.language, self.source, self.root = text, language, source, root

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @cached_property
    def words(self) -> Counter[str]:
        """How often each word stands in the text, in comments and strings too."""
        return Counter(WORDS.findall(self.text))

    @cached_property
    def _by_type(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for node in walk(self.root):
            found.setdefault(node.type, []).append(node)
        return found

    def of(self, *types: str) -> Iterator[Node]:
        """All nodes of these types, type after type, each in the order of the text."""
        for name in types:
            yield from self._by_type.get(name, ())

    def src(self, node: Node | None) -> str:
        return self.source.of(node)

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """All functions with a name, in the order of the text within their kind."""
        makers = _python_function if self.language == "python" else _script_function
        found = (makers(self, node) for node in _function_nodes(self.language, self.root))
        return tuple(sorted((f for f in found if f is not None), key=lambda f: f.node.start_byte))

    @cached_property
    def by_name(self) -> dict[str, list[Function]]:
        """Functions by qualified name; several where it is defined several times."""
        found: dict[str, list[Function]] = {}
        for function in self.functions:
            found.setdefault(function.qualified, []).append(function)
        return found

    @cached_property
    def _starts(self) -> dict[int, Function]:
        return {function.node.id: function for function in self.functions}

    def function_at(self, node: Node) -> Function | None:
        """The innermost function with a name around a node."""
        here = node.parent
        while here is not None:
            if here.type in FUNCTIONS and here.id in self._starts:
                return self._starts[here.id]
            here = here.parent
        return None

    @cached_property
    def free(self) -> dict[str, list[Function]]:
        """Functions that are no methods, by name."""
        found: dict[str, list[Function]] = {}
        for function in self.functions:
            if function.cls is None and function.node.type != "method_definition":
                found.setdefault(function.name, []).append(function)
        return found

    @cached_property
    def classes(self) -> dict[str, list[Node]]:
        """Classes by name."""
        found: dict[str, list[Node]] = {}
        for cls in self.of(*CLASSES):
            found.setdefault(self.src(field(cls, "name")), []).append(cls)
        return found

    @cached_property
    def imports(self) -> tuple[tuple[Import, Node], ...]:
        """All imports, each with its statement."""
        read = rules_of(self.language)
        if read is None:
            return ()
        nodes = self.of("import_statement", "import_from_statement")
        return tuple((found, node) for node in nodes for found in read.rules.imports(node, self.source))

    @cached_property
    def table(self) -> Table:
        """Scopes and mentions."""
        return self._table(None)

    def _table(self, only: list[int] | None) -> Table:
        build = python_scopes.build if self.language == "python" else javascript_scopes.build
        return build(_Tree(self.root), self.source, only)  # type: ignore[arg-type]  # a walk asks for nothing but the root

    def bindings(self, name: str) -> int:
        """How often one name is bound in the whole file; of a page that is asked for nothing else a fraction is walked."""
        if "table" in self.__dict__:
            return self.writes[name]
        places = [found.start() for found in re.finditer(re.escape(name.encode("utf-8", "replace")), self.source.data)]
        return sum(one.name == name and one.kind in ("write", "import") for one in self._table(places).mentions)

    @cached_property
    def _in_order(self) -> tuple[list[int], list[Mention]]:
        mentions = sorted(self.table.mentions, key=lambda one: one.start)
        return [one.start for one in mentions], mentions

    def mentions_in(self, start: int, end: int) -> list[Mention]:
        """The mentions between two offsets, in the order of the text."""
        starts, mentions = self._in_order
        return mentions[bisect_left(starts, start) : bisect_left(starts, end)]

    @cached_property
    def top(self) -> dict[str, None]:
        """Names that are bound at the top of the file, or by ``global`` from inside; those of Python's own left out."""
        return {
            one.name: None
            for one in self.table.mentions
            if one.kind in ("write", "import") and (one.scope.kind == "module" or one.name in one.scope.global_names)
        }

    @cached_property
    def reads(self) -> Counter[str]:
        """How often each name is read as a variable in the whole file."""
        return Counter(mention.name for mention in self.table.mentions if mention.kind in ("read", "shorthand"))

    @cached_property
    def writes(self) -> Counter[str]:
        """How often each name is bound as a variable in the whole file, by definitions and imports too."""
        return Counter(mention.name for mention in self.table.mentions if mention.kind in ("write", "import"))


class _Tree:
    def __init__(self, root: Node) -> None:
        self.root_node = root


@cache
def _function_query(language: str) -> Query:
    """Finds all functions of a tree without a visit to its other nodes: half the pages are asked for nothing else."""
    from tree_sitter import Query

    parser = languages.parser(language)
    assert parser is not None  # it has parsed the page
    assert parser.language is not None
    kinds = sorted(kind for kind in FUNCTIONS if parser.language.id_for_node_kind(kind, True) is not None)
    query: Query = Query(parser.language, f"[{' '.join(f'({kind})' for kind in kinds)}] @function")
    return query


def _function_nodes(language: str, root: Node) -> list[Node]:
    from tree_sitter import QueryCursor

    return QueryCursor(_function_query(language)).captures(root).get("function", [])


@lru_cache(maxsize=KEPT_PAGES)
def page_of(text: str, language: str) -> Page | None:
    """A text's page; ``None`` without a grammar or for one too large to be read whole."""
    part, cut = readable(text)
    parser = languages.parser(language)
    if parser is None or cut:
        return None
    source = Source(part)
    tree = parse(parser, source.data)
    return Page(text, language, source, tree.root_node) if tree is not None else None


def walk(node: Node, stop: frozenset[str] = frozenset()) -> Iterator[Node]:
    """A node and all named ones below it, in the order of the text; what is below a type of ``stop`` is left out."""
    pending = [node]
    while pending:
        here = pending.pop()
        yield here
        if here.child_count and (
            not stop or here is node or here.type not in stop
        ):  # most are leaves: to ask costs a third less
            pending.extend(here.named_children[::-1])


def within(node: Node | None, *types: str, stop: frozenset[str] = frozenset()) -> list[Node]:
    """All nodes of these types in a node, itself included."""
    return [] if node is None else [found for found in walk(node, stop) if found.type in types]


def around(node: Node, types: frozenset[str], stop: frozenset[str] = frozenset()) -> Node | None:
    """The next node of these types outside of a node, none beyond one of ``stop``."""
    here = node.parent
    while here is not None and here.type not in types:
        if here.type in stop:
            return None
        here = here.parent
    return here


def field(node: Node | None, name: str) -> Node | None:
    return None if node is None else node.child_by_field_name(name)


def nth(node: Node, i: int) -> Node | None:
    """A named child by its place; ``None`` where there are fewer."""
    return node.named_children[i] if i < node.named_child_count else None


def statements(block: Node | None) -> list[Node]:
    """The statements of a block, comments left out."""
    return [] if block is None else [child for child in block.named_children if child.type != "comment"]


def bare(node: Node | None) -> Node | None:
    """A node without the parentheses around it."""
    while node is not None and node.type == "parenthesized_expression" and node.named_child_count == 1:
        node = nth(node, 0)
    return node


def is_variable(node: Node) -> bool:
    """Whether an identifier is a name by itself: no attribute, no keyword of a call."""
    parent = node.parent
    if parent is None or not node.type.endswith("identifier"):
        return False
    if parent.type in ("attribute", "member_expression"):
        return field(parent, "object") == node
    return not (parent.type == "keyword_argument" and field(parent, "name") == node)


def squeezed(text: str) -> str:
    """A text without any white space: what stays when it is formatted anew."""
    return "".join(text.split())


def _python_function(page: Page, node: Node) -> Function | None:
    name = page.src(field(node, "name"))
    if not name:
        return None
    parent = node.parent
    outer = parent if parent is not None and parent.type == "decorated_definition" else node
    marks = tuple(page.src(child)[1:].strip() for child in outer.named_children if child.type == "decorator")
    parameters = python.parameters(field(node, "parameters"), page.source)
    is_async = node.child_count > 0 and node.child(0).type == "async"
    return Function(
        name, _qualified(page, node, name), node, outer, field(node, "body"), _class_of(outer), parameters, marks, is_async
    )


def _script_function(page: Page, node: Node) -> Function | None:
    parent = node.parent
    named = field(node, "name")
    outer = node
    if named is None and parent is not None and parent.type == "variable_declarator":
        named, outer = field(parent, "name"), parent.parent or node
    name = page.src(named)
    if not name:
        return None
    if outer.parent is not None and outer.parent.type == "export_statement":
        outer = outer.parent
    parameters = tuple(_script_parameters(page, node))
    is_async = any(child.type == "async" for child in node.children[:4])
    return Function(
        name, _qualified(page, node, name), node, outer, field(node, "body"), _class_of(node), parameters, (), is_async
    )


def _script_parameters(page: Page, node: Node) -> Iterator[Parameter]:
    holder = field(node, "parameters") or field(node, "parameter")
    for child in [] if holder is None else [holder] if holder.type == "identifier" else holder.named_children:
        if child.type == "comment":
            continue
        inner = field(child, "pattern") or child
        optional = child.type == "optional_parameter" or field(child, "value") is not None
        if inner.type == "assignment_pattern":
            inner, optional = field(inner, "left") or inner, True
        if inner.type == "rest_pattern":
            yield Parameter(page.src(inner).lstrip("."), "star")
        else:
            yield Parameter(page.src(inner) if inner.type == "identifier" else "", "positional_only", optional)


def _class_of(node: Node) -> Node | None:
    """The class whose body a definition stands in directly."""
    block = node.parent
    owner = block.parent if block is not None and block.type in ("block", "class_body") else None
    return owner if owner is not None and owner.type in CLASSES else None


def _qualified(page: Page, node: Node, name: str) -> str:
    parts = [name]
    here = node.parent
    while here is not None:
        if here.type in CLASSES or here.type in FUNCTIONS:
            parts.append(page.src(field(here, "name")) or "?")
        here = here.parent
    return ".".join(reversed(parts))
