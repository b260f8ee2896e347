"""The text that explains a definition: its docstring, or the comment directly above it, without its marks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from assistant.workspace.grammar.rules import Header
from assistant.workspace.source import Source
from assistant.workspace.symbols import MAX_DOCSTRING

if TYPE_CHECKING:
    from tree_sitter import Node

_REACH = 200  # bytes of indentation that are looked back over
_QUOTES = re.compile(r"^[A-Za-z]{0,2}(\"\"\"|'''|\"|')")
_OPEN = re.compile(r"^\s*(?:/\*+!?|//+[/!]?|#+!?)\s?")
_MARK = re.compile(r"^\s*(?:\*(?!/)|///?!?|#+)?\s?")


class Comments:
    """The comments of one file, found by where they end."""

    def __init__(self, source: Source, nodes: Iterable[Node]) -> None:
        self._source = source
        self._starts = {}
        for node in nodes:
            end, start = node.end_byte, node.start_byte
            while end > start and source.data[end - 1] in b"\r\n":  # some grammars give a line comment its line end
                end -= 1
            self._starts[end] = start

    def docstring(self, header: Header) -> tuple[str, int, int]:
        """(text, start, end) of what explains a definition, in code points; ("", 0, 0) when nothing does."""
        char = self._source.char
        if header.docstring is not None:
            raw = self._source.of(header.docstring)
            return _unquoted(raw), char(header.docstring.start_byte), char(header.docstring.end_byte)
        start, end = self._above(header.start)
        if start == end:
            return "", 0, 0
        return _unmarked(self._source.slice(start, end)), char(start), char(end)

    def _above(self, start: int) -> tuple[int, int]:
        """The block of comments that ends directly above ``start``."""
        first = last = start
        for _ in range(MAX_DOCSTRING // 2):
            head = self._source.data[max(0, first - _REACH) : first]
            bare = head.rstrip(b" \t\r\n")
            end = first - (len(head) - len(bare))
            if end not in self._starts or head.count(b"\n", len(bare)) > 1 or self._trails_code(self._starts[end]):
                break
            last = end if first == start else last
            first = self._starts[end]
        return (first, last) if first != start else (start, start)

    def _trails_code(self, start: int) -> bool:
        head = self._source.data[max(0, start - _REACH) : start]
        return bool(head[head.rfind(b"\n") + 1 :].strip())


def _unquoted(raw: str) -> str:
    opening = _QUOTES.match(raw)
    if opening is None:
        return ""
    quote = opening.group(1)
    body = raw[opening.end() :]
    return _dedent((body[: -len(quote)] if body.endswith(quote) else body)[: 2 * MAX_DOCSTRING].split("\n"))


def _unmarked(raw: str) -> str:
    lines = raw[: 2 * MAX_DOCSTRING].removesuffix("*/").split("\n")
    lines = [_OPEN.sub("", lines[0]), *(_MARK.sub("", line) for line in lines[1:])]
    return _dedent(lines)


def _dedent(lines: list[str]) -> str:
    """What ``inspect.cleandoc`` does: the first line apart, the common indentation goes."""
    lines = [line.expandtabs().rstrip() for line in lines]
    margin = min((len(line) - len(line.lstrip()) for line in lines[1:] if line), default=0)
    return "\n".join([lines[0].lstrip(), *(line[margin:] for line in lines[1:])]).strip()[:MAX_DOCSTRING]
