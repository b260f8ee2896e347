"""A local variable or parameter that the change left without a reader, and one that it left without a writer.

The first is still computed, for nothing; the second still is what it was initialised to, whatever the code around it believes.
Both need the old version of the function as proof that it was otherwise.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.page import WORDS, Function, Page
from assistant.review.rules.page import field as child_of
from assistant.review.rules.resolve import bases, class_around
from assistant.review.rules.view import Pair, View

if TYPE_CHECKING:
    from tree_sitter import Node

_METHODS = (
    "append extend insert add update push unshift setdefault appendleft remove discard clear pop popleft sort reverse set"
)
_FILLING = frozenset(_METHODS.split())
_EMPTY = frozenset(
    ("[]", "{}", "()", "set()", "list()", "dict()", "None", "False", "0", '""', "''", "null", "false", "new Map()", "new Set()")
)
_MAKERS = ("deque(", "defaultdict(", "OrderedDict(", "Counter(")
_STATEMENTS = ("expression_statement",)


@dataclass
class Uses:
    """Of one name in one function: where it is bound, changed in place, and really read."""

    binds: list[Node] = field(default_factory=list)
    changes: list[Node] = field(default_factory=list)
    reads: list[Node] = field(default_factory=list)


def check(view: View) -> Iterator[Problem]:
    if view.old is None or view.new is None:
        return
    removed = (view.old.lines[row] for row in sorted(view.removed))
    lost = {word for line in removed for word in WORDS.findall(line)}  # both ask for a mention that went
    for pair in view.pairs:
        view.cancel.check()
        if view.is_test or pair.new.body is None or _is_dynamic(pair.after.src(pair.new.body)):
            continue
        before, after = uses(pair.before, pair.old, lost), uses(pair.after, pair.new, lost)
        for name, now in after.items():
            was = before.get(name)
            if was is not None and not name.startswith("_") and name not in ("self", "cls", "this", pair.new.name):
                yield from _unread(view, pair, name, was, now)
                yield from _unfilled(view, pair, name, was, now)


def _is_dynamic(text: str) -> bool:
    return any(word in text for word in ("locals()", "eval(", "exec(", "vars()", "arguments"))


def uses(page: Page, function: Function, names: Container[str]) -> dict[str, Uses]:
    """What happens to those variables of a function that have one of these names, in nested functions too."""
    found: dict[str, Uses] = {}
    start, end = function.node.start_byte, function.node.end_byte
    name = child_of(function.node, "name")
    for mention in page.mentions_in(start, end):
        if mention.name not in names or (name is not None and mention.start == name.start_byte):
            continue
        node = page.root.descendant_for_byte_range(mention.start, mention.end)
        if node is None:
            continue
        entry = found.setdefault(mention.name, Uses())
        if mention.kind in ("write", "import"):
            (entry.changes if _is_augmented(node) else entry.binds).append(node)
        else:
            (entry.changes if _only_fills(page, node) else entry.reads).append(node)
    return {name: entry for name, entry in found.items() if entry.binds}


def _is_augmented(node: Node) -> bool:
    return (
        node.parent is not None
        and node.parent.type.startswith("augmented_assignment")
        and child_of(node.parent, "left") == node
    )


def _only_fills(page: Page, node: Node) -> bool:
    """Whether a mention only puts something into the value: ``x[k] = v``, ``x.append(v)`` as a statement."""
    parent = node.parent
    if parent is None:
        return False
    outer = parent.parent
    if (
        parent.type in ("subscript", "subscript_expression")
        and (child_of(parent, "value") or child_of(parent, "object")) == node
    ):
        return (
            outer is not None
            and outer.type in ("assignment", "augmented_assignment", "assignment_expression")
            and child_of(outer, "left") == parent
        )
    method = page.src(child_of(parent, "attribute") or child_of(parent, "property"))
    if parent.type in ("attribute", "member_expression") and method in _FILLING and outer is not None:
        return outer.type in ("call", "call_expression") and outer.parent is not None and outer.parent.type in _STATEMENTS
    return False


def _unread(view: View, pair: Pair, name: str, was: Uses, now: Uses) -> Iterator[Problem]:
    """Read before, only bound or filled now."""
    if now.reads or not was.reads:
        return
    lost = [node for node in was.reads if view.is_removed(node)]
    if not lost or len(was.reads) != len(lost):
        return
    bound = now.binds[0]
    is_parameter = name in pair.new.names
    if any(view.is_changed(node) for node in now.binds) or not _is_kept(bound, is_parameter):
        return
    if is_parameter and not _is_own(pair):
        return
    row = max(pair.new.node.start_point[0], min(view.landing(lost[0].start_point[0]), pair.new.node.end_point[0]))
    what = (
        f"The parameter {name} of {pair.new.name} is ignored now"
        if is_parameter
        else f"{name} is still computed but not read any more"
    )
    yield Problem(
        bound,
        f"{what}: the change took away {'its only use' if len(lost) == 1 else f'all {len(lost)} uses'}.",
        key=f"unread:{name}",
        evidence=(bound,),
        severity="medium",
        confidence=0.55 if is_parameter else 0.76,
        row=row,
    )


def _is_kept(node: Node, is_parameter: bool) -> bool:
    """Whether the binding is a plain assignment (or a parameter): a loop variable or an unpacked one has to be bound."""
    parent = node.parent
    if parent is None:
        return False
    return is_parameter or (
        parent.type in ("assignment", "variable_declarator") and node in (child_of(parent, "left"), child_of(parent, "name"))
    )


def _is_own(pair: Pair) -> bool:
    """Whether a function's parameters are its own choice: no method of a class with bases, no decorator, no callback."""
    cls = class_around(pair.new.node)
    if pair.new.decorators or pair.new.name.startswith(("on_", "handle_", "visit_", "__")):
        return False
    return cls is None or not bases(pair.after, cls)


def _unfilled(view: View, pair: Pair, name: str, was: Uses, now: Uses) -> Iterator[Problem]:
    """Bound to nothing once, changed before and never now, read all the same."""
    if name in pair.new.names or len(now.binds) != 1 or now.changes or not now.reads:
        return
    if len(was.binds) + len(was.changes) < 2 or not any(view.is_removed(node) for node in (*was.binds, *was.changes)):
        return
    bound = now.binds[0]
    value = child_of(bound.parent, "right") or child_of(bound.parent, "value")
    text = pair.after.src(value)
    is_empty = text in _EMPTY or (text.startswith(_MAKERS) and text.endswith("()"))
    if not is_empty or not _is_kept(bound, False) or view.is_changed(bound) or _escapes(now.reads):
        return
    gone = next(node for node in (*was.binds, *was.changes) if view.is_removed(node))
    row = max(pair.new.node.start_point[0], min(view.landing(gone.start_point[0]), pair.new.node.end_point[0]))
    read = now.reads[0]
    yield Problem(
        read,
        f"{name} is always {text} now: what changed it is gone, and line {read.start_point[0] + 1} still asks it.",
        key=f"unfilled:{name}",
        evidence=(bound, read),
        severity="high",
        confidence=0.85,
        row=row,
    )


def _escapes(reads: list[Node]) -> bool:
    """Whether somebody else may fill it: it is passed on, kept, or reached from a nested function."""
    for node in reads:
        parent = node.parent
        if parent is not None and parent.type in (
            "argument_list",
            "arguments",
            "keyword_argument",
            "list",
            "tuple",
            "dictionary",
            "pair",
            "set",
        ):
            return True
        if parent is not None and parent.type in ("assignment", "variable_declarator", "yield", "lambda"):
            return True
    return False


RULE = Across("orphan", "bug", BOTH, check)
