"""Made-up edits of what repeats: an expression or a call that neighbouring lines share changes on each of them.

Knows Python's syntax tree. Does not know definitions.
"""

from __future__ import annotations

import ast
import random
import re
from collections import defaultdict
from collections.abc import Sequence

from assistant.training.edit_patches import MOST_SITES, WORDS, Patch, Source, identifiers, new_name


def replace_repeated(source: Source, rng: random.Random) -> list[Patch] | None:
    """An expression that neighbouring lines share (a dotted name, a literal) becomes another on each of them."""
    groups = defaultdict(list)
    for node in ast.walk(source.tree):
        constant = isinstance(node, ast.Constant) and isinstance(node.value, (str, int, float))
        if (isinstance(node, ast.Attribute) or constant) and (text := source.text(node)) and len(text) > 2:
            groups[text].append((node.lineno - 1, node.col_offset))  # type: ignore[attr-defined]
    chosen = _neighbours(groups, rng)
    if chosen is None:
        return None
    text, spots = chosen
    new = _other_expression(source, text, sorted(groups), rng)
    if new is None or any(source.lines[line][column : column + len(text)] != text for line, column in spots):
        return None
    return [Patch(line, column, column + len(text), new) for line, column in spots]


def _neighbours(groups: dict[str, list[tuple[int, int]]], rng: random.Random) -> tuple[str, list[tuple[int, int]]] | None:
    """A group and its run of three or more spots less than 30 lines apart."""
    names = sorted(groups)
    rng.shuffle(names)
    for name in names:
        spots = sorted(set(groups[name]))
        if len({line for line, _ in spots}) < 3:
            continue
        start = rng.randrange(len(spots))
        run = [spots[start]]
        for spot in spots[start + 1 :]:
            if spot[0] - run[-1][0] > 30:
                break
            run.append(spot)
        if len({line for line, _ in run}) >= 3:
            return name, run[:MOST_SITES]
    return None


def _other_expression(source: Source, text: str, known: Sequence[str], rng: random.Random) -> str | None:
    if text[0] in "\"'":
        body = text[1:-1]
        words = re.findall(r"[A-Za-z]{3,}", body)
        if not words or text[0] != text[-1] or rng.random() < 0.3:
            others = [other for other in known if other[0] == text[0] and other != text]
            return rng.choice(others) if others else None
        return text[0] + body.replace(rng.choice(words), rng.choice(WORDS)) + text[0]
    if text[0].isdigit():
        return str(rng.choice((0, 1, 2, 10, 16, 64, 100, 255, 1024, 0.5, 1.0)))
    head, _, last = text.rpartition(".")
    if not head.replace(".", "").replace("_", "").isalnum():
        return None
    draw = rng.random()
    if draw < 0.5:
        return f"{head}.{new_name(source, last, rng)}"
    return last if draw < 0.7 else f"{rng.choice(identifiers(source))}.{last}"


def change_calls(source: Source, rng: random.Random) -> list[Patch] | None:
    """Calls of one function on neighbouring lines all gain an argument, lose one, or swap the first two."""
    groups = defaultdict(list)
    calls: dict[tuple[int, int], ast.Call] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and node.args and source.text(node) and (name := source.text(node.func)):
            groups[name].append((node.lineno - 1, node.col_offset))
            calls[node.lineno - 1, node.col_offset] = node
    chosen = _neighbours(groups, rng)
    if chosen is None:
        return None
    nodes = [calls[spot] for spot in chosen[1]]
    draw = rng.random()
    if draw < 0.4:
        keyword = rng.choice(WORDS)
        added = f", {keyword}={rng.choice(('None', 'True', 'False', keyword, 'self.' + keyword, '0'))}"
        return [Patch(n.lineno - 1, (n.end_col_offset or 1) - 1, (n.end_col_offset or 1) - 1, added) for n in nodes]
    if draw < 0.7 and all(len(node.args) > 1 for node in nodes):
        return [patch for node in nodes for patch in swapped(source, node.args[0], node.args[1])]
    if all(len(n.args) + len(n.keywords) > 1 for n in nodes):
        return [patch for node in nodes for patch in _without_last(node)]
    return None


def swapped(source: Source, one: ast.expr, other: ast.expr) -> list[Patch]:
    texts = source.text(other) or "", source.text(one) or ""
    places = ((n.lineno - 1, n.col_offset, n.end_col_offset or 0) for n in (one, other))
    return [Patch(*place, text) for place, text in zip(places, texts, strict=True)]


def _without_last(call: ast.Call) -> list[Patch]:
    ends = sorted((n.end_col_offset or 0) for n in (*call.args, *(k.value for k in call.keywords)))
    return [Patch(call.lineno - 1, ends[-2], (call.end_col_offset or 1) - 1, "")]
