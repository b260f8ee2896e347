"""The place of a completion: what the model sees of it, and what is known of the line, in characters.

The windows move in coarse steps and begin at line starts, so that a keystroke leaves the head of the prompt as it was
and the engine's KV cache stays good. Windows hold ``\\n`` only; offsets are those of the real text. Knows nothing of
tokens beyond their mean length.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from urllib.parse import unquote

from assistant.types import Indent, ModelInfo, Snapshot
from assistant.workspace import parse
from assistant.workspace.brackets import Open, Outlook, in_text, scan

CHARS_PER_TOKEN = 3.3  # the standard library in the shipped tokenizer; the densest files have 2.2, and the engine cuts those
PREFIX_SHARE, SUFFIX_SHARE = 0.7, 0.2  # the tenth that is left absorbs dense code
HEADER_TOKENS = 32  # path and special tokens
CHOICE = 60_000
"""Characters, some 18,000 tokens, among which a model may look for the lines that matter."""
SCAN_BEFORE, SCAN_AFTER = parse.REACH_BEFORE, parse.REACH_AFTER
_SPACES = ("  ", "   ", "    ", "        ")
_SURROGATE = re.compile("[\ud800-\udfff]")
_EXTENSIONS = {
    "python": "py",
    "javascript": "js",
    "typescript": "ts",
    "javascriptreact": "jsx",
    "typescriptreact": "tsx",
    "rust": "rs",
    "ruby": "rb",
    "shellscript": "sh",
    "csharp": "cs",
}
_TWO_SPACES = frozenset(
    ("javascript", "typescript", "javascriptreact", "typescriptreact", "json", "yaml", "html", "css", "ruby", "lua", "dart")
)


@dataclass(frozen=True)
class Windows:
    """How many characters of each side the model may see."""

    prefix: int
    suffix: int

    @classmethod
    def of(cls, context: int, new_tokens: int, chooses: bool = False) -> Windows:
        """For a model of ``context`` tokens that will write ``new_tokens``; one that ``chooses`` lines is shown many."""
        chars = max(256.0, (context - new_tokens - HEADER_TOKENS) * CHARS_PER_TOKEN)
        prefix = int(chars * PREFIX_SHARE)
        return cls(max(prefix, CHOICE) if chooses else prefix, int(chars * SUFFIX_SHARE))


def chooses_lines(info: ModelInfo | None, attention: str) -> bool:
    """Whether the engine looks for the lines that matter in more text than its model holds (`assistant.model.hf.retrieve`)."""
    return info is not None and info.runner.startswith("transformers") and attention.startswith("infini_retri")


def window_start(text: str, offset: int, size: int) -> int:
    """Where the prefix window begins: it holds three quarters of ``size`` characters or more, and moves by a quarter at
    a time.
    """
    if offset <= size:
        return 0
    step = max(1, size // 4)
    start = -(-(offset - size) // step) * step
    line = text.find("\n", start - 1, start + step // 2)
    return line + 1 if line != -1 and line < offset else start


def window_end(text: str, offset: int, size: int) -> int:
    """Where the suffix window ends: after whole lines, a function of the text behind the cursor alone."""
    end = offset + size
    if end >= len(text):
        return len(text)
    line = text.rfind("\n", offset + 1, end)
    return line + 1 if line != -1 else end


def for_model(text: str) -> str:
    """Text a tokenizer can take: ``\\n`` line ends, and no lone surrogates (which an editor's UTF-16 buffer may hold)."""
    return _SURROGATE.sub("\ufffd", text.replace("\r\n", "\n"))


def relative_path(name: str, root: str | None) -> str:
    """A path from the workspace folder, with forward slashes; of a file elsewhere its last two parts."""
    path = PurePath(name)
    if root and path.is_relative_to(root):
        path = path.relative_to(root)
    elif path.is_absolute():
        path = PurePath(*path.parts[-2:]) if len(path.parts) > 2 else PurePath(path.name)
    return for_model("/".join(path.parts))[-200:]


def shown_path(snapshot: Snapshot) -> str:
    """The path for the file header: relative to the workspace folder, with forward slashes; a made-up name where there
    is none.
    """
    if snapshot.path:
        return relative_path(snapshot.path, snapshot.root)
    name = unquote(snapshot.uri.partition("#")[0]).rpartition("/")[2].rpartition(":")[2] or "untitled"
    extension = _EXTENSIONS.get(snapshot.language, snapshot.language)
    return for_model(name if "." in name else f"{name}.{extension}")[-200:]


def indent_unit(sample: str, stated: Indent | None, language: str) -> str:
    """One level of indentation as the buffer has it; the editor's word, then the language's habit, where the buffer
    says nothing.
    """
    steps: Counter[str] = Counter()
    last = ""
    for line in sample.split("\n"):
        if not line.strip():
            continue
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        step = indent[len(last) :]
        if indent.startswith(last) and step in ("\t", *_SPACES) and len(set(indent)) == 1:  # mixed: aligned, not indented
            steps[step] += 1
        last = indent
    if steps:
        return steps.most_common(1)[0][0]
    if stated:
        return "\t" if stated.tabs else " " * max(1, stated.width)
    return "\t" if language in ("go", "makefile") else " " * (2 if language in _TWO_SPACES else 4)


@dataclass(frozen=True)
class Site:
    """The cursor in its surroundings. ``text`` and ``offset`` are real; ``prefix`` and ``suffix`` are the model's
    windows, which lie at ``[start, offset)`` and ``[offset, end)`` of the text.
    """

    text: str
    offset: int
    language: str
    path: str
    prefix: str
    suffix: str
    start: int
    end: int
    unit: str
    newline: str = "\n"

    @cached_property
    def line_before(self) -> str:
        """The cursor's line up to the cursor."""
        return self.text[self.text.rfind("\n", 0, self.offset) + 1 : self.offset]

    @cached_property
    def rest(self) -> str:
        """The cursor's line after the cursor, without its line end."""
        end = self.text.find("\n", self.offset)
        rest = self.text[self.offset : end if end != -1 else len(self.text)]
        return rest[:-1] if rest.endswith("\r") else rest

    @cached_property
    def indent(self) -> str:
        """The white space that begins the cursor's line."""
        return self.line_before[: len(self.line_before) - len(self.line_before.lstrip(" \t"))]

    @cached_property
    def above(self) -> tuple[str, ...]:
        """Lines above the cursor's that are not blank, as the model sees them; nearest last."""
        return tuple(line.rstrip() for line in self.prefix.split("\n")[:-1] if line.strip())

    @cached_property
    def below(self) -> tuple[str, ...]:
        """Lines below the cursor's that are not blank, nearest first."""
        return tuple(line.rstrip() for line in self.suffix.split("\n")[1:] if line.strip())

    @cached_property
    def head(self) -> str:
        """Some thousand characters before the cursor, more than the model sees, with ``\\n`` line ends."""
        return self.text[max(0, self.offset - SCAN_BEFORE) : self.offset].replace("\r\n", "\n")

    @cached_property
    def tail(self) -> str:
        """The same behind the cursor."""
        return self.text[self.offset : self.offset + SCAN_AFTER].replace("\r\n", "\n")

    def _look_out(self, lead: str) -> Outlook:
        """What is open before ``lead``, the end of the text before the cursor, and what closes it."""
        head = self.head if self.offset <= SCAN_BEFORE else self.head[parse.safe_start(self.head, self.language) :]
        stack = scan(head[: len(head) - len(lead)], self.language).stack
        near = parse.until_definition(self.tail, self.language)
        whole = len(near) < len(self.tail) or len(self.text) - self.offset <= SCAN_AFTER
        line, indent = len(head) - len(self.line_before), len(self.indent)
        return Outlook.of(stack, near, self.language, indent=indent, line=line, whole=whole, lead=lead)

    @cached_property
    def _outlook(self) -> Outlook:
        return self._look_out("")

    @cached_property
    def _edge(self) -> Outlook:
        """The same, with quotes that stand just before the cursor not read yet: more quotes may make three of them."""
        quotes = len(self.line_before) - len(self.line_before.rstrip("\"'`"))
        return self._look_out(self.line_before[-quotes:]) if quotes else self._outlook

    @property
    def stack(self) -> tuple[Open, ...]:
        """What is open at the cursor, innermost last."""
        return self._outlook.stack

    @property
    def missing(self) -> tuple[Open, ...]:
        """What is open at the cursor and not closed after it."""
        return self._outlook.missing

    def imbalance(self, text: str, over: int = 0) -> int:
        """How many brackets and quotes lack a partner once ``text`` replaces the first ``over`` characters after the cursor.

        Inside a string or a comment the brackets of the line count as well: prose has pairs too.
        """
        return self._edge.imbalance(text, over) + (self._prose.imbalance(text, over) if self.in_text else 0)

    def leaves_text(self, text: str, over: int = 0) -> bool:
        """Whether ``text``, put into a string or a comment, ends it in a way that leaves more marks without a partner."""
        return self.in_text and self._edge.imbalance(text, over) > self._edge.imbalance("")

    @cached_property
    def _prose(self) -> Outlook:
        return Outlook.of(scan(self.line_before, "plaintext").stack, self.rest, "plaintext")

    @property
    def in_text(self) -> bool:
        """Whether the cursor is in a string or a comment."""
        return in_text(self.stack)


def look(snapshot: Snapshot, windows: Windows) -> Site:
    """The place the snapshot's cursor is at. A cursor inside a ``\\r\\n`` counts as before it."""
    text, offset = snapshot.text, min(max(0, snapshot.offset), len(snapshot.text))
    if text[offset - 1 : offset + 1] == "\r\n":
        offset -= 1
    start, end = window_start(text, offset, windows.prefix), window_end(text, offset, windows.suffix)
    prefix, suffix = for_model(text[start:offset]), for_model(text[offset:end])
    unit = indent_unit(prefix + suffix, snapshot.indent, snapshot.language)
    path = shown_path(snapshot)
    return Site(text, offset, snapshot.language, path, prefix, suffix, start, end, unit, snapshot.newline)
