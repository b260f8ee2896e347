"""Which brackets, quotes and comments are open at a place: one lexical pass that survives code being typed.

Knows the comment and quote marks of each language, nothing of grammars: a tree-sitter tree of half a statement is a guess, the
marks to the left of the cursor are not. String prefixes, heredocs and interpolated expressions are not understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

PAIRS = {"(": ")", "[": "]", "{": "}"}
_OPENER = {closer: opener for opener, closer in PAIRS.items()}
CLOSERS = frozenset(_OPENER)


@dataclass(frozen=True)
class Syntax:
    """The marks of one language. ``multi_line`` are the quotes that may hold line breaks."""

    line_comments: tuple[str, ...] = ()
    block_comments: tuple[tuple[str, str], ...] = ()
    quotes: tuple[str, ...] = ('"', "'")
    multi_line: frozenset[str] = frozenset()


_C = Syntax(("//",), (("/*", "*/"),))
_RUST = Syntax(("//",), (("/*", "*/"),), ('"',), frozenset('"'))  # ' is also a lifetime's mark
_HASH = Syntax(("#",), multi_line=frozenset("\"'"))
_JS = Syntax(("//",), (("/*", "*/"),), ('"', "'", "`"), frozenset("`"))
_MARKUP = Syntax((), (("<!--", "-->"),), ('"',), frozenset('"'))
_PYTHON = Syntax(("#",), (), ('"""', "'''", '"', "'"), frozenset(('"""', "'''")))
_PROSE = Syntax(quotes=())  # an apostrophe is not a string
_FAMILIES = (
    (_PYTHON, "python toml"),
    (_JS, "javascript typescript javascriptreact typescriptreact go"),
    (_C, "c cpp csharp java kotlin scala swift dart php objective-c jsonc scss less"),
    (_RUST, "rust"),
    (_HASH, "shellscript ruby perl yaml dockercompose dockerfile makefile r julia elixir cmake"),
    (Syntax(quotes=('"',)), "json"),
    (Syntax((), (("/*", "*/"),)), "css"),
    (Syntax(("--",), (("--[[", "]]"),)), "lua"),
    (Syntax(("--",), (("/*", "*/"),), multi_line=frozenset("\"'")), "sql"),
    (_MARKUP, "html xml vue svelte"),
    (_PROSE, "markdown plaintext latex restructuredtext git-commit"),
)
_SYNTAX = {language: rules for rules, languages in _FAMILIES for language in languages.split()}
_DEFAULT = Syntax(quotes=('"',))


def syntax(language: str) -> Syntax:
    """The marks of an LSP language id; a cautious default for one that is not known."""
    return _SYNTAX.get(language, _DEFAULT)


class Open(NamedTuple):
    """An open bracket, quote or comment, and the indentation (characters) of the line it stands on. Compared by identity."""

    mark: str
    indent: int = 0
    at: int = 0  # where it stands in the text that was scanned

    @property
    def is_bracket(self) -> bool:
        return self.mark in PAIRS


class Mark(NamedTuple):
    """One mark met by `scan`, and what it opens or closes; ``entry`` is ``None`` for a closer that nothing opened."""

    start: int
    end: int
    text: str
    opens: bool
    entry: Open | None

    @property
    def is_stray(self) -> bool:
        return self.entry is None


@dataclass(frozen=True)
class Scan:
    """The marks of a text in order, and what is still open after it, innermost last."""

    marks: tuple[Mark, ...]
    stack: tuple[Open, ...]


@cache
def _patterns(rules: Syntax) -> dict[str, re.Pattern[str]]:
    """What to look for in code (under the empty name), and inside the string or comment that each mark opens."""
    starts = [*rules.line_comments, *(start for start, _ in rules.block_comments), *rules.quotes]
    starts.sort(key=len, reverse=True)
    marks = "|".join([r"\\.", *map(re.escape, starts), r"[()\[\]{}]"] if starts else [r"[()\[\]{}]"])
    patterns = {"": re.compile(marks, re.DOTALL)}
    for mark in rules.quotes:
        line_end = "" if mark in rules.multi_line else r"|\n"
        patterns[mark] = re.compile(rf"\\.|{re.escape(mark)}{line_end}", re.DOTALL)
    patterns.update((start, re.compile(re.escape(end))) for start, end in rules.block_comments)
    patterns.update((mark, re.compile(r"\n")) for mark in rules.line_comments)
    return patterns


class _Scanner:
    def __init__(self, text: str, rules: Syntax, stack: tuple[Open, ...], indent: int) -> None:
        self.text, self.patterns = text, _patterns(rules)
        self.stack = list(stack)
        self.indent = indent

    def marks(self) -> Iterator[Mark]:
        text, stack, at = self.text, self.stack, 0
        inside = bool(stack) and not stack[-1].is_bracket
        while found := self.patterns[stack[-1].mark if inside else ""].search(text, at):
            start, at, mark = found.start(), found.end(), found.group()
            if mark[0] == "\\":
                continue
            if inside:
                entry, inside = stack.pop(), False
                if mark != "\n":
                    yield Mark(start, at, mark, False, entry)
            elif mark in CLOSERS:
                yield Mark(start, at, mark, False, self._close(mark, start))
            else:
                inside = mark not in PAIRS
                entry = Open(mark, self._line(start)[1], start)
                stack.append(entry)
                yield Mark(start, at, mark, True, entry)

    def _line(self, at: int) -> tuple[int, int]:
        """Where the line of ``at`` begins in the text, and its indentation; the first line may have begun before the text."""
        begin = self.text.rfind("\n", 0, at) + 1
        if begin == 0:
            return -1, self.indent
        end = begin
        while end < at and self.text[end] in " \t":
            end += 1
        return begin, end - begin

    def _close(self, closer: str, at: int) -> Open | None:
        """Pop what ``closer`` closes. A closer that begins its line looks for an opener of a line just as far indented,
        so that one bracket that is missing in the middle does not shift all pairs around it.
        """
        same = [i for i, entry in enumerate(self.stack) if entry.mark == _OPENER[closer]]
        if not same:
            return None
        index = same[-1]
        if len(same) > 1:
            begin, indent = self._line(at)
            if begin + indent == at and begin >= 0:
                index = next((i for i in reversed(same) if self.stack[i].indent == indent), index)
        entry = self.stack[index]
        del self.stack[index:]
        return entry


def scan(text: str, language: str, stack: tuple[Open, ...] = (), indent: int = 0) -> Scan:
    """Go through ``text``, which begins where ``stack`` is open, on a line indented by ``indent`` characters."""
    scanner = _Scanner(text, syntax(language), stack, indent)
    marks = tuple(scanner.marks())
    return Scan(marks, tuple(scanner.stack))


def is_among(entry: Open | None, entries: Iterable[Open]) -> bool:
    """Whether ``entry`` itself, not merely its equal, is one of ``entries``."""
    return any(entry is other for other in entries)


def in_text(stack: tuple[Open, ...]) -> bool:
    """Whether the place is inside a string or a comment."""
    return bool(stack) and not stack[-1].is_bracket


@dataclass(frozen=True)
class Outlook:
    """A place: what is open there (``stack``), and what follows it (``after``, to the end of what can close anything if
    ``whole``).

    Of the stack, ``missing`` have no closer, and ``beyond`` are taken to have theirs further down than ``after``
    reaches: those that were opened on lines above. The others are closed in ``after``.
    """

    stack: tuple[Open, ...]
    after: str
    language: str
    indent: int
    whole: bool
    lead: str
    missing: tuple[Open, ...]
    beyond: tuple[Open, ...]

    @classmethod
    def of(
        cls,
        stack: tuple[Open, ...],
        after: str,
        language: str,
        *,
        indent: int = 0,
        line: int = 0,
        whole: bool = True,
        lead: str = "",
    ) -> Outlook:
        """``indent`` is that of the place's line, which begins at ``line`` in the text that ``stack`` comes from.
        ``lead`` stands between that text and the place: quotes that may become one mark with what is put there.
        """
        closed = _closed(scan(lead + after, language, stack, indent))
        open_ = [entry for entry in stack if id(entry) not in closed]
        beyond = [entry for entry in open_ if not whole and entry.at < line]
        missing = [entry for entry in open_ if not is_among(entry, beyond)]
        return cls(stack, after, language, indent, whole, lead, tuple(missing), tuple(beyond))

    def imbalance(self, text: str, over: int = 0) -> int:
        """How many brackets and quotes have no partner once ``text`` replaces the first ``over`` characters after the place."""
        if not over and not self.lead and self._is_self_contained(text):
            return self._as_it_is
        return self._count(text, over)

    @cached_property
    def _as_it_is(self) -> int:
        return self._count("", 0)

    def _is_self_contained(self, text: str) -> bool:
        """Whether ``text`` closes just what it opens: then what follows means what it meant before."""
        result = scan(text, self.language, self.stack, self.indent)
        same = len(result.stack) == len(self.stack) and all(is_among(entry, self.stack) for entry in result.stack)
        return same and not any(mark.is_stray for mark in result.marks)

    def _count(self, text: str, over: int) -> int:
        text = self.lead + text
        result = scan(text + self.after[over:], self.language, self.stack, self.indent)
        closed = _closed(result)
        stray = sum(mark.is_stray for mark in result.marks)
        early = sum(id(entry) in closed for entry in self.beyond)
        opened = [mark.entry for mark in result.marks if mark.opens and mark.entry]
        below = [] if self.whole else [e for e in opened if e.at >= len(text) and is_among(e, result.stack)]
        fine = closed | {id(entry) for entry in (*self.beyond, *below)}
        comments = syntax(self.language).line_comments
        return stray + early + sum(id(e) not in fine and e.mark not in comments for e in (*self.stack, *opened))


def _closed(result: Scan) -> set[int]:
    """The identities of what was closed."""
    return {id(mark.entry) for mark in result.marks if not mark.opens and mark.entry is not None}
