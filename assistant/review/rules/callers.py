"""Calls that the changed signature left behind: they fitted the old one and do not fit the new one, or unpack another shape.

Looks into every file that has the name. A call counts only when it surely means this function: by scope, by an import of this
file, through ``self`` or the class's name. Calls through an object of unknown type are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Across, Problem
from assistant.review.rules.fit import Call, call_of, misfit, parameters_of
from assistant.review.rules.page import FUNCTIONS, Function, Page, field, nth, page_of, within
from assistant.review.rules.resolve import callee, imported, target
from assistant.review.rules.view import Pair, View
from assistant.workspace import languages
from assistant.workspace.symbols import Parameter

if TYPE_CHECKING:
    from tree_sitter import Node

MOST_FILES = 64
_KEEPING = (
    "staticmethod",
    "classmethod",
    "abstractmethod",
    "cache",
    "lru_cache",
    "contextmanager",
    "asynccontextmanager",
    "override",
)


def check(view: View) -> Iterator[Problem]:
    for pair in view.pairs:
        view.cancel.check()
        old, new = parameters_of(pair.old), parameters_of(pair.new)
        shapes = (_shape(pair.old), _shape(pair.new)) if _returns_anew(view, pair) else (None, None)
        turned = pair.new.is_async and not pair.old.is_async
        if old == new and (shapes[0] == shapes[1] or None in shapes) and not turned:
            continue
        if _is_plain(pair.new) and _is_plain(pair.old):
            yield from _callers(view, pair, old, new, shapes)


def _is_plain(function: Function) -> bool:
    marks = {mark.partition("(")[0].rpartition(".")[2].strip() for mark in function.decorators}
    return marks <= set(_KEEPING) and all(p.name for p in function.parameters if p.kind != "star")


def _returns_anew(view: View, pair: Pair) -> bool:
    """Whether a ``return`` or ``yield`` of the function came, went or changed: with all of them in place its shape did."""
    for page, function in ((pair.before, pair.old), (pair.after, pair.new)):
        start, end = function.node.start_byte, function.node.end_byte
        ends = page.of("return_statement", "yield", "yield_expression")
        if any(start <= node.start_byte < end and view.concerns(page, node) for node in ends):
            return True
    return False


def _shape(function: Function) -> int | None:
    """How many values every return gives as a tuple; 0 for no tuple; ``None`` when they differ or nobody can say."""
    if function.body is None or within(function.body, "yield", "yield_expression", stop=FUNCTIONS):
        return None
    shapes = set()
    for node in within(function.body, "return_statement", stop=FUNCTIONS):
        value = nth(node, 0)
        if value is None or value.type in (
            "call",
            "call_expression",
            "await",
            "identifier",
            "attribute",
            "subscript",
            "conditional_expression",
        ):
            return None
        is_tuple = value.type in ("expression_list", "tuple", "array")
        shapes.add(sum(child.type != "comment" for child in value.named_children) if is_tuple else 0)
    return shapes.pop() if len(shapes) == 1 else None


def _callers(
    view: View, pair: Pair, old: tuple[Parameter, ...], new: tuple[Parameter, ...], shapes: tuple[int | None, int | None]
) -> Iterator[Problem]:
    name = pair.new.name
    asked = (pair.new.qualified.split(".")[-2] if pair.new.cls is not None else "") if name == "__init__" else name
    for path in [view.path, *_others(view, asked)]:
        view.cancel.check()
        page = _page(view, path)
        if page is None:
            continue
        for call in _calls(page, asked):
            if not _is_of(view, page, path, call, pair.new, asked):
                continue
            problem = _misfit(view, pair, page, path, call, old, new) or _unpacked(view, pair, page, path, call, shapes)
            if problem is not None:
                yield problem


def _others(view: View, name: str) -> Iterator[str]:
    """Files that call something of this name and may import the changed one: to parse all that have the name takes seconds."""
    if not name:
        return
    stem = view.path.rpartition("/")[2].partition(".")[0]
    for path in view.project.naming(name, MOST_FILES):
        if path == view.path or languages.language_of(path) not in BOTH:
            continue
        text = view.project.read(path) or ""
        if (stem in ("__init__", "index") or stem in text) and _is_called(text, name):
            yield path


def _is_called(text: str, name: str) -> bool:
    """Whether a bracket follows the name somewhere where it is not defined. By plain search: most files fail at once."""
    at = text.find(name)
    while at >= 0:
        end = at + len(name)
        rest = text[end : end + 40].lstrip()
        if rest.startswith(("(", "<")) and not text[max(0, at - 9) : at].endswith(("def ", "function ")):
            return True
        at = text.find(name, end)
    return False


def _page(view: View, path: str) -> Page | None:
    if path == view.path:
        return view.new
    text = view.project.read(path)
    return page_of(text, languages.language_of(path)) if text is not None else None


def _calls(page: Page, name: str) -> Iterator[Node]:
    for call in page.of("call", "call_expression", "new_expression"):
        function = callee(call)
        last = field(function, "attribute") or field(function, "property") or function
        if page.src(last) == name:
            yield call


def _is_of(view: View, page: Page, path: str, call: Node, function: Function, asked: str) -> bool:
    """Whether a call surely calls the function."""
    if asked != function.name:  # a class
        found = callee(call)
        return page is view.new and found is not None and found.type == "identifier" and page.writes[asked] == 1
    if page is view.new:
        hit = target(page, call)
        return hit is not None and hit.node == function.node
    other = imported(page, path, call, view.project.read)
    return other is not None and other[0] == view.path and other[2].qualified == function.qualified


def _misfit(
    view: View, pair: Pair, page: Page, path: str, call: Node, old: tuple[Parameter, ...], new: tuple[Parameter, ...]
) -> Problem | None:
    given = call_of(page, call)
    if given is None or misfit(old, given):
        return None
    why = misfit(new, given)
    if not why or (why.endswith("not given") and _may_lack(page, call)):
        return None
    where = field(pair.new.node, "parameters") or pair.new.node
    edits = _edits(given, old, new)
    return Problem(
        call,
        f"This call fitted {pair.new.name} before this change and does not now: {why}.",
        evidence=(view.evidence(where),),
        edits=edits,
        severity="high",
        confidence=0.9,
        path=path,
        page=page,
    )


def _may_lack(page: Page, call: Node) -> bool:
    """Whether an argument may be left out: in JavaScript it is undefined then; a type checker was told to expect it."""
    above = page.lines[max(0, call.start_point[0] - 1)]
    return page.language == "javascript" or "@ts-" in above or "type: ignore" in page.lines[call.start_point[0]]


def _edits(given: Call, old: tuple[Parameter, ...], new: tuple[Parameter, ...]) -> tuple[tuple[int, int, str], ...]:
    """A keyword that was renamed."""
    names = [p.name for p in old], [p.name for p in new]
    gone = [name for name in names[0] if name not in names[1]]
    come = [name for name in names[1] if name not in names[0]]
    if len(gone) != 1 or len(come) != 1 or len(names[0]) != len(names[1]) or names[0].index(gone[0]) != names[1].index(come[0]):
        return ()
    node = next((node for name, node in given.keywords if name == gone[0]), None)
    return ((node.start_byte, node.end_byte, come[0]),) if node is not None else ()


def _unpacked(
    view: View, pair: Pair, page: Page, path: str, call: Node, shapes: tuple[int | None, int | None]
) -> Problem | None:
    """``a, b = f()`` of what gave two values and now gives another number."""
    was, now = shapes
    parent = call.parent
    if parent is not None and parent.type == "await":
        parent = parent.parent
    left = field(parent, "left") or field(parent, "name")
    if was is None or now is None or was == now or left is None:
        return None
    if left.type not in ("pattern_list", "tuple_pattern", "array_pattern") or within(
        left, "list_splat_pattern", "rest_pattern"
    ):
        return None
    count = left.named_child_count
    if count != was or page.language != "python":
        return None
    returns = within(pair.new.body, "return_statement", stop=FUNCTIONS)
    said = f"{now} values" if now else "a single value"
    return Problem(
        parent or call,
        f"{pair.new.name} gave {was} values before this change and gives {said} now; this still unpacks {count}.",
        evidence=(view.evidence(returns[0]),) if returns else (),
        severity="high",
        confidence=0.88,
        path=path,
        page=page,
    )


RULE = Across("callers-not-updated", "bug", BOTH, check)
