"""A file, socket or connection that is opened and not closed on some path: no ``with``, no ``close``, not given away.

Sees one function: a resource that is returned, kept in an attribute or passed on is somebody else's to close.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import PYTHON, Problem, local
from assistant.review.rules.page import FUNCTIONS, Function, Page, around, field, within

if TYPE_CHECKING:
    from tree_sitter import Node

_OPENERS = frozenset(
    (
        *(
            "open",
            "io.open",
            "codecs.open",
            "gzip.open",
            "bz2.open",
            "lzma.open",
            "os.fdopen",
            "tarfile.open",
            "zipfile.ZipFile",
        ),
        *("socket.socket", "socket.create_connection", "sqlite3.connect", "urlopen", "urllib.request.urlopen", "mmap.mmap"),
        *("tempfile.TemporaryFile", "tempfile.NamedTemporaryFile", "ThreadPoolExecutor", "ProcessPoolExecutor"),
    )
)
_ENDS = frozenset(("close", "shutdown", "detach", "terminate", "cleanup", "__exit__"))
_LEAVES = ("return_statement", "raise_statement")


def check(page: Page) -> Iterator[Problem]:
    for call in page.of("call"):
        if page.src(field(call, "function")) not in _OPENERS:
            continue
        statement, function = call.parent, page.function_at(call)
        if statement is None or statement.type != "assignment" or function is None:
            continue
        left = field(statement, "left")
        if left is not None and left.type == "identifier" and field(statement, "right") == call:
            yield from _opened(page, function, statement, page.src(left), page.src(field(call, "function")))


def _opened(page: Page, function: Function, statement: Node, name: str, opener: str) -> Iterator[Problem]:
    uses = [n for n in within(function.body, "identifier") if page.src(n) == name and n.start_byte > statement.end_byte]
    if any(_is_given_away(node) for node in uses) or any(_is_global(page, function, name)):
        return
    ends = [node for node in uses if _is_end(page, node)]
    if not ends:
        yield Problem(
            statement,
            f"{name} is opened with {opener}() and never closed: there is no `with` and no close() in {function.name}.",
            key=name,
            severity="medium",
            confidence=0.82,
        )
        return
    first = min(ends, key=lambda node: node.start_byte)
    if around(first, frozenset(("finally_clause", "except_clause", "with_statement")), FUNCTIONS) is not None:
        return
    leaves = [
        n for n in within(function.body, *_LEAVES, stop=FUNCTIONS) if statement.end_byte < n.start_byte < first.start_byte
    ]
    if leaves and around(leaves[0], frozenset(("try_statement",)), FUNCTIONS) is None and not _ended_before(ends, leaves[0]):
        word = leaves[0].type.partition("_")[0]
        yield Problem(
            leaves[0],
            f"This {word} leaves {name} open: it is closed only in line {first.start_point[0] + 1}.",
            key=f"{name}:{word}",
            touched=(leaves[0], statement, first),
            evidence=(statement, first),
            severity="medium",
            confidence=0.85,
        )


def _ended_before(ends: list[Node], leave: Node) -> bool:
    return any(node.start_byte < leave.start_byte for node in ends)


def _is_end(page: Page, node: Node) -> bool:
    parent = node.parent
    return parent is not None and parent.type == "attribute" and page.src(field(parent, "attribute")) in _ENDS


def _is_given_away(node: Node) -> bool:
    """Whether somebody else may close it."""
    parent = node.parent
    if parent is None:
        return False
    if parent.type in (
        "argument_list",
        "keyword_argument",
        "with_item",
        "as_pattern",
        "return_statement",
        "yield",
        "tuple",
        "list",
    ):
        return True
    if parent.type in ("expression_list", "assignment", "pair", "conditional_expression", "await", "global_statement"):
        return not (parent.type == "assignment" and field(parent, "left") == node)
    return False


def _is_global(page: Page, function: Function, name: str) -> Iterator[bool]:
    for node in within(function.body, "global_statement", "nonlocal_statement"):
        yield name in page.src(node)


RULE = local("unclosed-resource", "bug", PYTHON, check)
