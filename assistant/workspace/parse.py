"""What a grammar says about the code around a place: is a statement complete, does a block begin here, did an insertion
break it.

Parses only the enclosing definition (a few hundred lines; about a millisecond), never the file. Only Python has a
grammar here; for other languages every answer is ``None`` and the caller goes by brackets and indentation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

REACH_BEFORE = 8_000
REACH_AFTER = 4_000
_DEFINITION = re.compile(r"^([ \t]*)(?:(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(|class[ \t]+\w+[ \t]*[(:])", re.MULTILINE)
_DEFINITION_LINE = re.compile(r"^[ \t]*(?:async[ \t]+def|def|class)\b.*[:(,]\s*$", re.MULTILINE)
_TOP_LEVEL = re.compile(
    r"^(?:(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(|class[ \t]+\w+[ \t]*[(:]|@\w"
    r"|from[ \t]+[.\w]+[ \t]+import\b|import[ \t]+[\w.]+(?:[ \t]+as[ \t]+\w+)?[ \t]*(?:,.*)?$)",
    re.MULTILINE,
)
_PROBE = "pass"


def _python() -> object:
    import tree_sitter_python

    return tree_sitter_python.language()


_GRAMMARS: dict[str, Callable[[], object]] = {"python": _python}


@cache
def _parser(language: str) -> Parser | None:
    """The parser of a language, loaded at its first use: tree-sitter costs the server's start nothing."""
    load = _GRAMMARS.get(language)
    if load is None:
        return None
    from tree_sitter import Language, Parser

    return Parser(Language(load()))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a lone surrogate is one wrong character, not an exception


def _root(text: str, language: str) -> Node | None:
    parser = _parser(language)
    return parser.parse(_bytes(text)).root_node if parser else None


def has_errors(text: str, language: str) -> bool | None:
    """Whether the text, read as a file of its own, has a syntax error; ``None`` without a grammar."""
    root = _root(text, language)
    return None if root is None else root.has_error


def is_whole_statement(text: str, language: str) -> bool | None:
    """Whether ``text`` (whole lines, any indentation) is one or more simple statements with nothing left open.

    A compound statement is never whole: its block may go on. ``None`` without a grammar.
    """
    root = _root(text, language)
    if root is None:
        return None
    statements = [child for child in root.named_children if child.type != "comment"]
    if root.has_error or not statements:
        return False
    return not any(_has_block(statement) for statement in statements)


def _has_block(node: Node) -> bool:
    return node.type in ("block", "decorator") or any(child.type == "block" for child in node.named_children)


def safe_start(before: str, language: str) -> int:
    """An offset in ``before`` that is surely outside strings and brackets, as far back as there is one; else 0."""
    if language != "python":
        return 0
    found = _TOP_LEVEL.search(before) or _DEFINITION.search(before)
    return found.start() if found else 0


def until_definition(after: str, language: str) -> str:
    """``after`` up to the next definition below its first line: whatever brackets and strings are open before it end there."""
    line = after.find("\n")
    found = _DEFINITION_LINE.search(after, line + 1) if language == "python" and line != -1 else None
    return after[: found.start()] if found else after


def enclosing(before: str, after: str) -> tuple[str, str]:
    """The definition around the place between ``before`` and ``after`` (Python), both cut to whole lines of it."""
    before, after = before[-REACH_BEFORE:], after[:REACH_AFTER]
    line = before[before.rfind("\n") + 1 :]
    column = _width(line) if line.strip() else len(line)
    start, indent = 0, -1
    for found in reversed(list(_DEFINITION.finditer(before))):
        width = len(found.group(1))
        if width < column or width == 0:
            start, indent = found.start(), width
            break
    return before[start:], _until_dedent(after, indent)


def _width(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _until_dedent(after: str, indent: int) -> str:
    end = after.find("\n")
    while end != -1:
        stop = after.find("\n", end + 1)
        line = after[end + 1 : stop if stop != -1 else len(after)]
        if line.strip() and _width(line) <= indent:
            return after[: end + 1]
        if stop == -1 and len(after) == REACH_AFTER:
            return after[: end + 1]  # the last line may be half of one
        end = stop
    return after


def breaks(before: str, inserted: str, after: str, language: str, over: int = 0) -> bool | None:
    """Whether ``inserted`` in place of the first ``over`` characters of ``after`` brings a syntax error into code that
    had none.

    ``None`` where it cannot be said: no grammar, or there was an error already, as is usual in the middle of a
    statement.
    """
    if _parser(language) is None:
        return None
    head, tail = enclosing(before, after)
    if has_errors(head + tail, language):
        return None
    return has_errors(head + inserted + tail[over:], language)


def empty_block(before: str, after: str, language: str) -> int | None:
    """The indentation (characters) of the header whose block would begin at this place and holds nothing yet, docstring and
    comments apart; ``None`` if there is no such header.

    Found by putting ``pass`` there: a colon of a dict, slice, lambda or annotation does not take one.
    """
    if _parser(language) is None:
        return None
    bare = before.rstrip()
    on_header = bare.endswith(":")
    line = before[before.rfind("\n") + 1 :]
    if not on_header and line.strip():
        return None
    text = f"{bare} " if on_header else before
    column = len(line) if not line.strip() else 0
    head, _ = enclosing(text if on_header else text + " " * (column == 0), "")
    probed = head + _PROBE + "\n"
    root = _root(probed, language)
    at = len(_bytes(head))
    node = root.descendant_for_byte_range(at, at + len(_PROBE)) if root else None
    return _header_indent(node, head, after)


def _header_indent(probe: Node | None, head: str, after: str) -> int | None:
    block = _block_of(probe)
    if block is None or block.parent is None or any(_counts(child) for child in block.named_children):
        return None
    lines = head.split("\n")
    indent = _width(lines[block.parent.start_point[0]])
    follow = next((line for line in after.split("\n")[1:] if line.strip()), "")
    return indent if not follow or _width(follow) <= indent else None


def _block_of(probe: Node | None) -> Node | None:
    while probe is not None and probe.type == "pass":
        probe = probe.parent
    if probe is None or probe.type != "pass_statement" or probe.parent is None or probe.parent.type != "block":
        return None
    return probe.parent


def _counts(statement: Node) -> bool:
    """Whether a statement makes a block more than empty."""
    if statement.type in ("comment", "pass_statement"):
        return False
    only = statement.named_children
    return not (statement.type == "expression_statement" and len(only) == 1 and only[0].type == "string")
