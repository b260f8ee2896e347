"""Cut from a suggestion what stands after the cursor already: the rest of the line, whole lines below, closing brackets
and quotes.

Pure functions over a text and its site.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.completion.context import Site, for_model
from assistant.completion.multiline import only_closers
from assistant.workspace.brackets import Mark, in_text, is_among, scan

_MIN_PARTIAL = 4  # shorter chance overlaps ("s" of "self") are not repeats


@dataclass(frozen=True)
class Fit:
    """Put ``text`` at the cursor in place of the first characters of the line's rest: those that ``text`` holds again
    at ``over``.
    """

    text: str
    over: tuple[int, ...] = ()


def cut_rest(text: str, site: Site) -> str:
    """Cut an end of a single line that repeats the beginning of the line's rest. A short overlap, or one of closers
    alone, may be chance: it is cut only where that leaves more brackets and quotes in pairs.
    """
    rest = for_model(site.rest).rstrip()
    if not rest.strip() or "\n" in text:
        return text
    closers = only_closers(rest) and not site.in_text
    if not closers and (text.rstrip().startswith(rest.lstrip()) or rest.lstrip().startswith(text.strip())):
        return ""
    lengths = [n for n in range(min(len(rest), len(text)), 0, -1) if text.endswith(rest[:n])]
    sure = [text[:-n] for n in lengths if not closers and (n == len(rest) or n >= _MIN_PARTIAL)]
    return min([*sure, text, *(text[:-n] for n in lengths)], key=site.imbalance)


def cut_lines_below(text: str, site: Site) -> str:
    """Cut whole lines at the end that the buffer has next."""
    lines = text.split("\n")
    below = [line.strip() for line in site.below]
    if not below or site.rest.strip():
        return text
    for first in range(bool(site.line_before.strip()), len(lines)):
        tail = [line.strip() for line in lines[first:] if line.strip()]
        if tail and tail == below[: len(tail)] and any(c.isalnum() for c in "".join(tail)):
            return "\n".join(lines[:first]).rstrip()
    return text


def fit_closers(text: str, site: Site) -> Fit:
    """End the text before a closing bracket or quote that the buffer has already, or write over those that the editor
    added where the text goes on behind them: whatever leaves the fewest marks without a partner, then the longest.
    """
    marks = scan(text, site.language, site.stack, len(site.indent)).marks
    if all(mark.opens for mark in marks) or site.imbalance(text) == 0:
        return Fit(text)
    fits = [Fit(text), *(Fit(text[: mark.start]) for mark in marks if not mark.opens), _over(text, marks, site)]
    return min(fits, key=lambda fit: (site.imbalance(fit.text, len(fit.over)), -len(fit.text), len(fit.over)))


def _over(text: str, marks: tuple[Mark, ...], site: Site) -> Fit:
    """The text over as many of the closers behind the cursor as it has itself, in the same order."""
    rest, over = for_model(site.rest).rstrip(), list[int]()
    if not only_closers(rest):
        return Fit(text)
    for mark in marks:
        if mark.opens or not (mark.is_stray or is_among(mark.entry, site.stack)):
            continue
        tail = text[mark.start :].rstrip()
        if rest.startswith(tail, len(over)) or not rest.startswith(mark.text, len(over)):
            text = text[: mark.start]
            break
        over += range(mark.start, mark.end)
    while over and over[-1] == len(text.rstrip()) - 1:
        text = text[: over.pop()]
    left = rest[len(over) :]
    if over and left and text.endswith(left):
        over += range(len(text) - len(left), len(text))
    return Fit(text, tuple(over))


def swallows_rest(fit: Fit, site: Site) -> bool:
    """Whether the text opens a bracket or quote in mid-line that would turn what follows into something else."""
    return not only_closers(site.rest) and site.imbalance(fit.text, len(fit.over)) > site.imbalance("")


def glues_words(fit: Fit, site: Site) -> bool:
    """Whether the text's last word would run into the word that follows the cursor."""
    last, follow = fit.text[-1:], site.rest[len(fit.over) :][:1]
    return (last.isalnum() or last == "_") and (follow.isalnum() or follow == "_")


def close_block(text: str, site: Site) -> str:
    """Give a bracket that the editor closed on the cursor's line (``{|}``) a line of its own below a text of several lines."""
    rest, before = site.rest.strip(), site.line_before.rstrip()
    if not text.startswith("\n") or not rest or not before or in_text(site.stack):
        return text
    if (before[-1], rest[0]) not in (("{", "}"), ("(", ")"), ("[", "]")):
        return text
    return f"{text.rstrip()}\n{site.indent}"
