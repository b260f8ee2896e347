"""When to stop reading the model: at the line's end, or when the block or the statement at the cursor is complete.

Fed with text as it streams; looks at it again only when a line ends. Brackets and quotes say whether a line end counts,
indentation ends a block, the grammar ends a statement. A blank line after code ends a suggestion too: nobody wants to
read a wall of ghost text.
"""

from __future__ import annotations

import re

from assistant.completion.context import Site
from assistant.completion.multiline import Mode, Shape
from assistant.completion.repeats import is_degenerate, loop, own_lines
from assistant.types import Finish
from assistant.workspace.brackets import CLOSERS, PAIRS, is_among, scan, syntax
from assistant.workspace.parse import is_whole_statement

_LOOK_EVERY = 32  # characters between two looks for a pattern that goes round
_LOOP = 6  # lines above that may begin a loop
_WORD = re.compile(r"\w")
_LINE_HEAD = re.compile(r"([ \t]*)(\w*)")
_CONTINUES = {"python": frozenset(("else", "elif", "except", "finally", "case"))}
_CONTINUES_BRACES = frozenset(("else", "catch", "finally", "while"))


class Stopper:
    """Collects one answer. ``feed`` says when it is complete; ``finish`` gives the text to keep."""

    def __init__(self, site: Site, mode: Mode) -> None:
        self.site, self.mode = site, mode
        self.text = ""
        self.done = False
        self._next_look = _LOOK_EVERY
        self._checked = 0  # line ends before this offset do not end the answer
        self._base = -1  # indentation of the block's or statement's lines, once known
        self._blank_start = not site.line_before.strip()

    def feed(self, piece: str) -> bool:
        """Take new text; True once nothing more is wanted."""
        if self.done:
            return True
        self.text += piece
        while not self.done:
            at = self.text.find("\n", self._checked)
            if at == -1 or not self._line_end(at):
                break
        if not self.done and len(self.text) >= self._next_look:
            self._next_look = len(self.text) + _LOOK_EVERY
            if is_degenerate(self.text):
                self._stop(len(self._whole_lines()) if self.mode.several else 0)
        return self.done

    def finish(self, finish: Finish | None) -> str:
        """What to keep. What was cut short ends with a whole word, or with a whole line if it has several."""
        if self.done:
            return self.text
        if finish in (Finish.LENGTH, Finish.BUDGET):
            return self._whole_lines() if self.mode.several else self._unless_in_string(_whole_words(self.text))
        if self.mode.several:
            self.feed("\n")  # nothing more comes: what waited for the next line's first word is settled
            if not self.done and self._open_inside(self.text):
                return self._whole_lines()
        return self.text

    def break_off(self, piece: str) -> None:
        """What would come next, ``piece``, is not believed: keep the whole lines, or of a single one the whole words."""
        lines = self._whole_lines() if self.mode.several else ""
        if not lines or len(lines) >= len(self.text.rstrip()):
            lines = re.sub(r"\w+$", "", self.text) if _WORD.match(piece) else self.text
            lines = self._unless_in_string(lines)
        self._stop(0)
        self.text = lines

    def _whole_lines(self) -> str:
        """The text up to its last line end that is outside brackets and strings; the first line, though not whole, if
        it is neither.
        """
        for at in reversed([m.start() for m in re.finditer("\n", self.text)]):
            head = self.text[:at]
            if head.strip() and not self._open_inside(head):
                return head
        first = re.match(r"\s*[^\n]*", self.text)
        return first.group() if first and not self._open_inside(first.group()) else ""

    def _unless_in_string(self, text: str) -> str:
        """Nothing, if the text was cut off inside a string of several lines that it opened: the file below would be
        part of it.
        """
        stack = scan(text + "\n", self.site.language, self.site.stack).stack
        fresh = [entry for entry in stack if not is_among(entry, self.site.stack)]
        return "" if any(not entry.is_bracket for entry in fresh) else text

    def _stop(self, end: int) -> bool:
        self.text, self.done = self.text[:end], True
        return True

    def _line_end(self, at: int) -> bool:
        """Look at the line end at ``at``: True if it is settled (stop, or go on behind it), False to wait for more text."""
        if not self.mode.several:
            return self._stop(at)
        head = self.text[:at]
        if self._open_inside(head):
            return self._pass(at)
        if not head.strip():
            return self._blank_head(at)
        if self._is_outside(head):
            return self._stop(0)
        looping = loop([*self.site.above[-_LOOP:], *own_lines(head, self.site)])
        if looping:
            return self._stop(_without_lines(head, looping))
        if self._is_complete(head):
            return self._stop(at)
        return self._next_line(head, at)

    def _pass(self, at: int) -> bool:
        self._checked = at + 1
        return True

    def _blank_head(self, at: int) -> bool:
        """Nothing but white space so far: the line end belongs to the header, unless the cursor stood on a line of its own."""
        wanted = self.mode.shape is Shape.BLOCK or self._blank_start
        return self._pass(at) if wanted else self._stop(at)

    def _open_inside(self, head: str) -> bool:
        """Whether a string, or a bracket that the suggestion has to close, is still open after ``head``."""
        stack = scan(head + "\n", self.site.language, self.site.stack, len(self.site.indent)).stack
        kept = [old for old in self.site.stack if self.mode.shape is Shape.BLOCK or not is_among(old, self.site.missing)]
        own = [entry for entry in stack if not is_among(entry, kept)]
        if self.site.language == "python":
            return bool(own)
        return any(entry.mark != "{" for entry in own)  # braces hold statements there: indentation speaks for them

    def _is_outside(self, head: str) -> bool:
        """Whether the text below a header is no body of it: not deeper."""
        below = self._blank_start or not head.partition("\n")[0].strip()
        return self.mode.shape is Shape.BLOCK and below and self._base_indent(head) <= self.mode.header

    def _is_complete(self, head: str) -> bool:
        """Whether ``head`` ends what it began, so that the line to come need not be seen."""
        brackets = [entry for entry in self.site.stack if entry.is_bracket]
        if self.mode.shape is Shape.BLOCK:
            on_header = not self._blank_start and bool(head.partition("\n")[0].strip())
            return on_header and self.site.language == "python"
        if brackets and brackets[-1].mark != "{":
            return True  # one line of an argument list or of a literal
        first_line = self.site.line_before + head
        return is_whole_statement(first_line + "\n", self.site.language) is True and not first_line.lstrip().startswith("@")

    def _next_line(self, head: str, at: int) -> bool:
        follow = self.text[at + 1 :]
        if "\n" in follow and not follow.partition("\n")[0].strip():
            return self._stop(at)
        found = _LINE_HEAD.match(follow)
        if found is None or found.end() == len(follow):
            return False  # the line's indentation or first word is still coming
        indent, word = len(found.group(1)), found.group(2)
        base = self._base_indent(head)
        if indent > base or (indent == base and self._continues(head, word)):
            return self._pass(at)
        closer = follow[indent : indent + 1]
        if closer in CLOSERS and indent <= base:
            return self._closing_line(at, indent, closer)
        return self._stop(at) if indent < base or self.mode.shape is Shape.STATEMENT else self._pass(at)

    def _closing_line(self, at: int, indent: int, closer: str) -> bool:
        """A line that begins with a closing bracket: keep the bracket if it closes what stands open, and end there."""
        open_ = [entry.mark for entry in scan(self.text[: at + 1], self.site.language, self.site.stack).stack]
        if not open_ or PAIRS.get(open_[-1]) != closer:
            return self._stop(at)
        own = len(open_) > len(self.site.stack)
        return self._pass(at) if own else self._stop(at + 1 + indent + 1)

    def _base_indent(self, head: str) -> int:
        if self._base < 0:
            first = next((line for line in head.split("\n") if line.strip()), "")
            lead = len(first) - len(first.lstrip(" \t"))
            if self._blank_start:
                on_cursor_line = bool(head.partition("\n")[0].strip())
                self._base = lead + (len(self.site.line_before) if on_cursor_line else 0)
            else:
                self._base = lead if self.mode.shape is Shape.BLOCK else len(self.site.indent)
        return self._base

    def _continues(self, head: str, word: str) -> bool:
        """Whether a line at the same indentation is still the same statement."""
        if self.mode.shape is Shape.BLOCK:
            return True
        last = head.rsplit("\n", 1)[-1].strip() or self.site.line_before.strip()
        if last.startswith(("@", *syntax(self.site.language).line_comments)):
            return True
        return word in _CONTINUES.get(self.site.language, _CONTINUES_BRACES)


def _without_lines(text: str, count: int) -> int:
    """The offset at which the last ``count`` lines of ``text`` that are not blank begin, before their line break."""
    at = len(text)
    while count and at > 0:
        start = text.rfind("\n", 0, at)
        count -= bool(text[start + 1 : at].strip())
        at = max(0, start)
    return at


def _whole_words(text: str) -> str:
    """Without the word at the end, which may be half of one, unless there is no other."""
    return re.sub(r"(?<=\W)\w+$", "", text)
