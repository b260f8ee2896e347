"""Does a call fit a function's parameters: what a caller may give, what he gives, and what is wrong with it in words.

Python's keywords and JavaScript's positions alike; in JavaScript too few or too many arguments are allowed by the language, so
only ones that were needed and are not given count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.review.rules.page import Function, Page, field
from assistant.workspace.symbols import Parameter

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True)
class Call:
    """The arguments of a call. ``star``, ``star_star``: unknown ones come in addition."""

    places: tuple[Node, ...]
    keywords: tuple[tuple[str, Node], ...]
    star: bool
    star_star: bool


def parameters_of(function: Function) -> tuple[Parameter, ...]:
    """Those that a caller fills: a method's receiver is left out."""
    parameters = function.parameters
    is_method = function.cls is not None and function.node.type == "function_definition"
    if is_method and not function.marked("staticmethod") and parameters and parameters[0].kind != "star":
        return parameters[1:]
    return parameters


def call_of(page: Page, call: Node) -> Call | None:
    """The arguments of a call; ``None`` for what is no plain call."""
    arguments = field(call, "arguments")
    if arguments is None or arguments.type not in ("argument_list", "arguments") or arguments.has_error:
        return None
    places, keywords, star, star_star = [], [], False, False
    for child in arguments.named_children:
        if child.type == "keyword_argument":
            name = field(child, "name")
            if name is not None:
                keywords.append((page.src(name), name))
        elif child.type in ("list_splat", "spread_element"):
            star = True
        elif child.type == "dictionary_splat":
            star_star = True
        elif child.type != "comment":
            places.append(child)
    return Call(tuple(places), tuple(keywords), star, star_star)


def misfit(parameters: tuple[Parameter, ...], call: Call) -> str:
    """What is wrong, in a few words; "" when it fits, or nobody can say."""
    by_name = {p.name: p for p in parameters if p.kind in ("positional", "keyword_only")}
    if not any(p.kind == "star_star" for p in parameters):
        for name, _ in call.keywords:
            if name not in by_name:
                return f"it has no parameter {name}"
    places = [p for p in parameters if p.kind in ("positional", "positional_only")]
    count = len(call.places)
    if count > len(places) and not any(p.kind == "star" for p in parameters):
        return f"it takes {len(places)} argument{'s' * (len(places) != 1)} by place, and {count} are given"
    if call.star or call.star_star:
        return ""
    named = {name for name, _ in call.keywords}
    lacking = [p.name for p in places[count:] if not p.optional and p.name not in named]
    lacking += [p.name for p in parameters if p.kind == "keyword_only" and not p.optional and p.name not in named]
    return f"{' and '.join(lacking[:3])} {'is' if len(lacking) == 1 else 'are'} not given" if lacking else ""
