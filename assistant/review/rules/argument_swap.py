"""Two arguments in each other's place, by their names: the caller gives ``height`` where the function takes ``width`` and back.

Needs the function's definition, in the file or imported from the project, and names that match crosswise; a function that turns
things round by its own name is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Looking, Problem
from assistant.review.rules.fit import call_of, parameters_of
from assistant.review.rules.page import Function, Page, field
from assistant.review.rules.resolve import imported, target
from assistant.review.rules.view import View

if TYPE_CHECKING:
    from tree_sitter import Node

_TURNS = re.compile(
    r"swap|revers|flip|invert|mirror|transpose|rotat|opposite|symmetr|r(?:add|sub|mul|div)|undo|exchange", re.IGNORECASE
)


def check(page: Page, view: View) -> Iterator[Problem]:
    for call in page.of("call", "call_expression", "new_expression"):
        given = call_of(page, call) if view.concerns(page, call) else None
        if given is None or given.star or len(given.places) < 2:
            continue
        names = [_name(page, node) for node in given.places]
        if len(set(names) - {""}) < 2:
            continue
        function, where, home = target(page, call), view.path, page
        if function is None and (found := imported(page, view.path, call, view.project.read)) is not None:
            where, home, function = found
        if function is None or _TURNS.search(function.name) or _is_turned_here(page, call):
            continue
        yield from _crossed(page, view, call, given.places, names, function, where, home)


def _name(page: Page, node: Node) -> str:
    """The word an argument says of itself."""
    if node.type == "identifier":
        return page.src(node)
    if node.type in ("attribute", "member_expression"):
        return page.src(field(node, "attribute") or field(node, "property"))
    return ""


def _is_turned_here(page: Page, call: Node) -> bool:
    function = page.function_at(call)
    return function is not None and _TURNS.search(function.name) is not None


def _crossed(
    page: Page, view: View, call: Node, places: tuple[Node, ...], names: list[str], function: Function, where: str, home: Page
) -> Iterator[Problem]:
    parameters = [p.name for p in parameters_of(function) if p.kind in ("positional", "positional_only")]
    for i, j in combinations(range(min(len(places), len(parameters))), 2):
        if names[i] and names[i] != names[j] and names[i] == parameters[j] and names[j] == parameters[i]:
            a, b = places[i], places[j]
            yield Problem(
                call,
                f"{function.name} takes ({parameters[i]}, {parameters[j]}) and gets ({names[i]}, {names[j]}): swapped.",
                evidence=(view.evidence(function.node, where, home),),
                edits=((a.start_byte, a.end_byte, page.src(b)), (b.start_byte, b.end_byte, page.src(a))),
                severity="high",
                confidence=0.88,
            )
            return


RULE = Looking("argument-swap", "bug", BOTH, check)
