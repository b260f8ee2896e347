"""From the model's text to what may stand in the buffer: `suggest` runs the steps in order, from `fit` to `place`.

Pure; the same text at the same place gives the same answer, and what is left of an answer the user types into stays the
same text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from assistant.completion.context import Site
from assistant.completion.indentation import cut_stray_indent, reindent
from assistant.completion.multiline import Mode, has_body, only_closers
from assistant.completion.overlap import Fit, close_block, cut_lines_below, cut_rest, fit_closers, glues_words, swallows_rest
from assistant.completion.repeats import assigns_itself, is_degenerate, repeats_above, repeats_next
from assistant.workspace.brackets import in_text, is_among, scan
from assistant.workspace.parse import breaks, empty_block

_SPECIAL = re.compile(
    r"<\|[^|<>\n]{0,40}\|>|<\uff5c[^<>\n]{0,40}\uff5c>|^<s>|</s>\s*$|\[(?:PREFIX|SUFFIX|MIDDLE)\]"
    r"|<(?:(?:fim|repo|file|issue|jupyter|commit|gh|empty)_\w+|filename|reponame|pad|unk|eos|bos|EOT|MID|PRE|SUF)>"
    r"|[\ufffd\x00-\x08\x0b\x0e-\x1f\x7f]"
)
_HALF_SPECIAL = re.compile(r"<\|[\w/]{0,40}\|?$")


@dataclass(frozen=True)
class Placed:
    """Replace ``[start, end)`` of the site's text, which lies on the cursor's line, with ``text``, whose characters at
    ``over`` are those that are replaced.
    """

    text: str
    start: int
    end: int
    over: tuple[int, ...] = ()

    @property
    def inserted(self) -> str:
        """What of the text is new."""
        over = set(self.over)
        return "".join(char for at, char in enumerate(self.text) if at not in over)

    def after(self, typed: int) -> Placed:
        """What is left once the first ``typed`` characters, all of them new, stand in the buffer."""
        return Placed(self.text[typed:], self.start + typed, self.end + typed, tuple(at - typed for at in self.over))


def drop_specials(text: str) -> str:
    """Cut at the first special token, of any family, or half of one at the end; also at characters no source file holds."""
    found = _SPECIAL.search(text)
    text = text[: found.start()] if found else text
    return _HALF_SPECIAL.sub("", text)


def trim(text: str, site: Site) -> str:
    """No white space at the end, but for the one space that keeps apart what follows on the line."""
    bare, follow = text.rstrip(), site.rest[:1]
    return f"{bare} " if bare and text.endswith(" ") and follow.strip() and not only_closers(follow) else bare


def plain_lines(text: str, mode: Mode) -> str:
    """``\n`` line ends, one line where one is wanted, and blank lines without blanks."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not mode.several:
        text = text.partition("\n")[0]
    return re.sub(r"\n[ \t]+(?=\n)", "\n", text)


def start_on_cursor_line(text: str, site: Site) -> str:
    """On a line that holds only white space, a text that begins with line breaks moves up to the cursor if its
    indentation fits.
    """
    if site.line_before.strip() or site.rest.strip() or not text.startswith("\n"):
        return text
    first = text.lstrip("\n")
    return first[len(site.line_before) :] if first.startswith(site.line_before) else text


def trim_dangling(text: str, site: Site) -> str:
    """Cut half a thought at the end: a dot without a name, a string of one line that nothing closes."""
    result = scan(text, site.language, site.stack)
    if not in_text(result.stack):
        return text[:-1] if re.search(r"[\w)\]]\.$", text) else text
    start = result.stack[-1].at
    ends = result.stack[-1].mark in ('"', "'") and not is_among(result.stack[-1], site.stack)
    return text[:start].rstrip() if ends and site.imbalance(text) >= site.imbalance(text[:start]) else text


def close_string(text: str, site: Site, mode: Mode) -> str:
    """End a string of several lines that a single line opens, most often a docstring: the model meant to go on, the buffer
    must not. One with nothing in it is cut.
    """
    stack = scan(text, site.language, site.stack).stack
    if mode.several or not stack or is_among(stack[-1], site.stack) or stack[-1].mark not in ('"""', "'''", "`"):
        return text
    mark, start = stack[-1].mark, stack[-1].at
    return text + mark if text[start + len(mark) :].strip() else text[:start].rstrip()


def within(text: str, site: Site) -> str:
    """The text up to where it leaves the string or bracket that the cursor is in; all of it if it stays inside, or has
    to leave.
    """
    marks = scan(text, site.language, site.stack, len(site.indent)).marks
    ends = (mark.start for mark in marks if not mark.opens and mark.entry and is_among(mark.entry, site.stack))
    inside = text[: next(ends, len(text))]
    return inside if site.imbalance(inside) <= site.imbalance(text) else text


def is_broken(fitted: Fit, site: Site) -> bool:
    """Whether a text that leaves nothing open makes correct code incorrect, as ``else:`` at the wrong depth does."""
    text, over = fitted.text, len(fitted.over)
    if site.imbalance(text, over) > site.imbalance(""):
        return False
    if text.endswith(":"):
        text += f"\n{site.indent}{site.unit}pass" if "\n" not in text else " pass"
    return breaks(site.head, text, site.tail, site.language, over) is True


def tidy(raw: str, site: Site, mode: Mode) -> str:
    """The model's text as text of this buffer: its lines, its indentation, nothing of the model's own marks."""
    text = close_string(trim(plain_lines(drop_specials(raw), mode), site), site, mode)
    return drop_headers(cut_stray_indent(reindent(start_on_cursor_line(text, site), site), site), site)


def drop_headers(text: str, site: Site) -> str:
    """Of several lines, cut those at the end that only begin a block: a header without a body is half a suggestion."""
    while "\n" in text:
        head, line = text.rsplit("\n", 1)
        is_header = line.rstrip().endswith(":") and empty_block(site.head + text, "", site.language) is not None
        if not is_header and not line.lstrip().startswith("#"):
            return text
        text = head.rstrip()
    return text


def fit(text: str, site: Site) -> Fit | None:
    """What of a tidy text can stand before what follows the cursor, or ``None``."""
    fitted = fit_closers(trim_dangling(cut_lines_below(cut_rest(text, site), site), site), site)
    text = trim(fitted.text, site)
    text = text if fitted.over else close_block(trim_dangling(text, site), site)
    if not text.strip() or ("\n" in text and not only_closers(site.rest)):
        return None
    return replace(fitted, text=text)


def is_worthless(fitted: Fit, site: Site) -> bool:
    """Whether a text that could stand at the place should not: it loops, copies its surroundings or breaks correct code."""
    text = fitted.text
    if not any(char.isalnum() for char in text) and ("\n" in text or (site.in_text and not text.strip("\"' "))):
        return True
    if is_degenerate(text) or repeats_above(text, site) or repeats_next(text, site):
        return True
    if assigns_itself(text, site) or (has_body(site) and not text.lstrip().startswith("#")):
        return True
    if site.leaves_text(text, len(fitted.over)):
        return True
    return glues_words(fitted, site) or swallows_rest(fitted, site) or is_broken(fitted, site)


def place(fitted: Fit, site: Site) -> Placed:
    """Where the text goes. A text with a line break takes the rest of the line with it: VS Code shows it only if its
    range ends with the line, and only if the replaced text is found again in the new one.
    """
    text, over, wide = fitted.text, fitted.over, len(site.newline) - 1
    shifted = tuple(at + wide * text.count("\n", 0, at) for at in over)
    text = text.replace("\n", site.newline)
    if not over and "\n" not in text:
        return Placed(text, site.offset, site.offset)
    kept = site.rest[len(over) :]
    shifted += tuple(range(len(text), len(text) + len(kept)))
    return Placed(text + kept, site.offset, site.offset + len(site.rest), shifted)


def suggest(raw: str, site: Site, mode: Mode) -> Placed | None:
    """The suggestion in what the model said, or ``None`` when there is none worth showing."""
    text = tidy(raw, site, mode)
    for candidate in (text, within(text, site)):
        fitted = fit(candidate, site)
        if fitted is not None and not is_worthless(fitted, site):
            return place(fitted, site)
    return None


def remainder(left: str, site: Site) -> Placed | None:
    """What is left of an earlier suggestion, tidy already and judged as a whole, after what follows the cursor has changed."""
    fitted = fit(left.replace("\r\n", "\n"), site)
    return place(fitted, site) if fitted else None
