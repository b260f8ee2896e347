"""A check that the change weakened while what it protected stayed: an operand of its condition is gone, its body stands without
it, the ``try`` around a statement is gone, an early exit is gone, ``is not None`` became a question of truth.

Old and new headers and statements are compared as texts; a function that was rewritten is left alone, and so is a check whose
words stand elsewhere in what the change wrote.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import PYTHON, Across, Problem
from assistant.review.rules.page import Page, around, bare, field, nth, squeezed, statements, within
from assistant.review.rules.purpose import is_planned
from assistant.review.rules.view import Pair, View

if TYPE_CHECKING:
    from tree_sitter import Node

MOST_OTHER = 6
"""Lines of a function that came or went and have no twin on the other side; with more it was rewritten."""

PLAIN = 0.6
"""How sure it is of a test that is gone where nothing shows what relied on it: hidden, for accepted commits meant it so."""

_COMPOUND = frozenset(("if_statement", "elif_clause", "while_statement", "for_statement", "with_statement"))
_STATEMENTS = _COMPOUND | {"return_statement", "expression_statement", "assert_statement", "raise_statement"}
_LEAVES = frozenset(("return_statement", "continue_statement", "break_statement", "raise_statement"))
_PROTECTS = re.compile(r"(?:not)?(?:isinstance|hasattr|issubclass|callable|len)\(([\w.]+)")
_OUTSIDE = ("version_info", "platform", "TYPE_CHECKING", "PY2", "PY3", "DEBUG", "settings", "config")


def check(view: View) -> Iterator[Problem]:
    if view.is_test or is_planned(view):
        return
    for pair in view.pairs:
        view.cancel.check()
        if is_rewritten(view, pair):
            continue
        new = {header_of(pair.after, node): node for node in changed_statements(view, pair)}
        yield from _operands(view, pair, new)
        yield from _truth(view, pair, new)
        yield from _unwrapped(view, pair)
        yield from _falls_through(view, pair)


def is_rewritten(view: View, pair: Pair) -> bool:
    """Whether more came and went than one check with what it held."""
    start, end = pair.old.node.start_point[0], pair.old.node.end_point[0]
    gone = Counter(squeezed(pair.before.lines[row]) for row in range(start, end + 1) if row in view.removed)
    start, end = pair.new.node.start_point[0], pair.new.node.end_point[0]
    come = Counter(squeezed(pair.after.lines[row]) for row in range(start, end + 1) if row in view.changed)
    return sum(((gone - come) + (come - gone)).values()) > MOST_OTHER


def changed_statements(view: View, pair: Pair) -> Iterator[Node]:
    for node in within(pair.new.body, *_STATEMENTS):
        head = field(node, "condition") or node
        if head.start_point[0] in view.changed or (node.type not in _COMPOUND and view.is_changed(node)):
            yield node


def header_of(page: Page, node: Node) -> str:
    """A statement without its body and without white space."""
    body = field(node, "consequence") or field(node, "body") if node.type in _COMPOUND else None
    text = page.source.slice(node.start_byte, body.start_byte) if body is not None else page.src(node)
    return plain_text(text)


def plain_text(text: str) -> str:
    """Without white space (words apart) and without brackets that only hold lines together."""
    return re.sub(r"\s+", " ", re.sub(r"#[^\n]*", "", text)).replace("( ", "(").replace(" )", ")").strip().removeprefix("el")


def holder_of(node: Node) -> Node | None:
    return around(node, _STATEMENTS)


def _operands(view: View, pair: Pair, new: dict[str, Node]) -> Iterator[Problem]:
    """``a and a.b`` that became ``a.b``."""
    page = pair.before
    for node in within(pair.old.body, "boolean_operator"):
        left, right, holder = field(node, "left"), field(node, "right"), holder_of(node)
        if left is None or right is None or holder is None or not view.is_removed(node):
            continue
        header = header_of(page, holder)
        whole = plain_text(page.src(node))
        for lost, kept in ((left, right), (right, left)):
            subject = _subject(page, lost)
            text = plain_text(page.src(kept))
            variants = {header.replace(whole, text, 1)}
            if text.startswith("(") and text.endswith(")"):
                variants.add(header.replace(whole, text[1:-1], 1))
            found = next((new[one] for one in variants if one in new), None)
            if (
                found is None
                or lost.type in ("string", "none", "integer")
                or not is_kept(pair, holder, found)
                or any(word in page.src(lost) for word in _OUTSIDE)
            ):
                continue
            use = _use(pair.after, found, subject)
            then = f"`{short_text(pair.after, use)}` relied on it" if use is not None else "nothing came in its place"
            yield Problem(
                found,
                f"The test `{short_text(page, lost)}` is gone from this condition, and {then}.",
                key=squeezed(page.src(lost)),
                evidence=(use,) if use is not None else (),
                severity="high" if use is not None else "medium",
                confidence=0.6 if use is not None else PLAIN,
                row=found.start_point[0],
            )
            return


def _subject(page: Page, node: Node) -> str:
    """The path that a test protects, "" for a test of something else."""
    inner = bare(node)
    if inner is not None and inner.type == "not_operator":
        inner = bare(nth(inner, 0))
    if inner is None:
        return ""
    if inner.type in ("identifier", "attribute"):
        return page.src(inner)
    text = squeezed(page.src(inner))
    found = re.fullmatch(r"([\w.]+)(?:isnot|is|==|!=)None", text) or _PROTECTS.match(text)
    if found is not None:
        return found.group(1)
    found = re.fullmatch(r".+?in([\w.]+)", text) if inner.type == "comparison_operator" and " in " in page.src(inner) else None
    return page.src(inner.named_children[-1]) if found is not None else ""


def _use(page: Page, statement: Node, subject: str) -> Node | None:
    """Where a statement needs the path to be there: an attribute, an item, a call, a length of it."""
    for node in within(statement, "identifier", "attribute"):
        parent = node.parent
        if page.src(node) != subject or parent is None:
            continue
        if parent.type in ("attribute", "subscript") and (field(parent, "object") or field(parent, "value")) == node:
            return parent
        if parent.type == "call" and field(parent, "function") == node:
            return parent
        if parent.type == "argument_list" and page.src(field(parent.parent, "function")) in (
            "len",
            "iter",
            "next",
            "list",
            "sorted",
        ):
            return parent.parent
    return None


def _truth(view: View, pair: Pair, new: dict[str, Node]) -> Iterator[Problem]:
    """``x is not None`` that became ``x``."""
    page = pair.before
    for node in within(pair.old.body, "comparison_operator"):
        text, holder = page.src(node), holder_of(node)
        left, right = nth(node, 0), nth(node, 1)
        if (
            right is None
            or right.type != "none"
            or node.named_child_count != 2
            or holder is None
            or left is None
            or not view.is_removed(node)
        ):
            continue
        plain = page.src(bare(left))
        if " is not " in text:
            short, variants = plain, (plain, page.src(left))
        elif " is " in text:
            short, variants = f"not {plain}", (f"not {plain}", f"not {page.src(left)}")
        else:
            continue
        header = header_of(page, holder)
        found = next((new[one] for v in variants if (one := header.replace(plain_text(text), plain_text(v), 1)) in new), None)
        if (
            found is None
            or not is_kept(pair, holder, found)
            or _is_certain(pair, plain)
            or _use(pair.after, found, plain) is not None
        ):
            continue  # what has attributes is seldom false
        yield Problem(
            found,
            f"`{' '.join(text.split())[:60]}` became `{short[:40]}`: 0, an empty text and an empty list now count as missing.",
            key=squeezed(text),
            severity="medium",
            confidence=0.72,
            row=found.start_point[0],
        )


def _is_certain(pair: Pair, name: str) -> bool:
    """Whether an annotation says that the value is an object that is always true, or that its emptiness cannot be meant."""
    annotation = next((p.annotation for p in pair.new.parameters if p.name == name), "")
    kinds = (
        "int",
        "float",
        "str",
        "list",
        "dict",
        "Sequence",
        "bytes",
        "tuple",
        "set",
        "Mapping",
        "Iterable",
        "Any",
        "List",
        "Dict",
    )
    return bool(annotation) and not any(kind in annotation for kind in kinds)


def _unwrapped(view: View, pair: Pair) -> Iterator[Problem]:
    """A body that stays without its ``if`` or ``try``."""
    page = pair.before
    here = {squeezed(pair.after.src(node)): node for node in within(pair.new.body, *_STATEMENTS) if view.is_changed(node)}
    written = {
        squeezed(pair.after.src(node))
        for node in within(pair.new.body, "if_statement", "try_statement", "conditional_expression")
    }
    for node in within(pair.old.body, "if_statement", "try_statement"):
        if not all(row in view.removed for row in (node.start_point[0], (field(node, "body") or node).start_point[0])):
            continue
        body = statements(field(node, "consequence") or field(node, "body"))
        kept = [here[text] for statement in body if (text := squeezed(page.src(statement))) in here]
        if not body or len(kept) != len(body):
            continue
        if node.type == "if_statement":
            yield from _without_if(view, pair, node, kept, written)
        else:
            yield from _without_try(pair, node, kept)


def _without_if(view: View, pair: Pair, node: Node, kept: list[Node], written: set[str]) -> Iterator[Problem]:
    page, condition = pair.before, bare(field(node, "condition"))
    if condition is None or node.children_by_field_name("alternative") or any(word in page.src(condition) for word in _OUTSIDE):
        return
    text = squeezed(page.src(condition))
    subject = _subject(page, condition)
    uses = [_use(pair.after, statement, subject) for statement in kept] if subject else []
    use = next((one for one in uses if one is not None), None)
    if any(text in one for one in written) or _is_tried(kept[0]) > _is_tried(node) or _is_tested_anew(view, kept[0]):
        return
    then = f": `{short_text(pair.after, use)}` relied on it" if use is not None else ""
    yield Problem(
        kept[0],
        f"The test `{short_text(page, condition)}` is gone and its body runs always{then}.",
        key=text,
        evidence=(use,) if use is not None else (),
        severity="high" if use is not None else "medium",
        confidence=0.6 if use is not None else PLAIN,
        row=kept[0].start_point[0],
    )


def _is_tested_anew(view: View, node: Node) -> bool:
    """Whether another test that the change wrote is around a statement now."""
    outer = around(node, _COMPOUND, frozenset(("function_definition",)))
    return outer is not None and outer.start_point[0] in view.changed


def _is_tried(node: Node) -> bool:
    return around(node, frozenset(("try_statement",)), frozenset(("function_definition",))) is not None


def _without_try(pair: Pair, node: Node, kept: list[Node]) -> Iterator[Problem]:
    page = pair.before
    handlers = [child for child in node.named_children if child.type == "except_clause"]
    if any(
        around(statement, frozenset(("try_statement",)), frozenset(("function_definition",))) is not None for statement in kept
    ):
        return
    caught = ", ".join(page.src(nth(handler, 0)).partition(" as ")[0] for handler in handlers if nth(handler, 0) is not None)
    if handlers:
        said = f"The handler of {caught[:60] or 'exceptions'} around this is gone: what it caught ends the function now."
    elif any(child.type == "finally_clause" for child in node.named_children):
        said = "The try/finally around this is gone: when it raises, what stood in the finally is skipped."
    else:
        return
    if (
        "ImportError" in caught
        or "ModuleNotFoundError" in caught
        or any(f"suppress({part}" in pair.after.text for part in caught.split(", "))
    ):
        return
    yield Problem(kept[0], said, key=caught, severity="medium", confidence=0.55, row=kept[0].start_point[0])


def _falls_through(view: View, pair: Pair) -> Iterator[Problem]:
    """The same branch without the ``return`` at its end."""
    new: dict[str, list[Node]] = {}
    for node in within(pair.new.body, "if_statement", "elif_clause"):
        new.setdefault(header_of(pair.after, node), []).append(node)
    for node in within(pair.old.body, "if_statement", "elif_clause"):
        body = statements(field(node, "consequence"))
        twins = new.get(header_of(pair.before, node), [])
        if len(body) < 2 or body[-1].type not in _LEAVES or len(twins) != 1 or not view.is_removed(body[-1]):
            continue
        left = statements(field(twins[0], "consequence"))
        same = [squeezed(pair.before.src(s)) for s in body[:-1]] == [squeezed(pair.after.src(s)) for s in left]
        after = twins[0].next_named_sibling if twins[0].type == "if_statement" else None
        if not same or after is None:
            continue
        word = body[-1].type.partition("_")[0]
        yield Problem(
            left[-1],
            f"The {word} at the end of this branch is gone: the code goes on at line {after.start_point[0] + 1} "
            "as if the branch had not been taken.",
            key=f"{word}:{header_of(pair.after, twins[0])}",
            evidence=(after,),
            severity="high",
            confidence=0.65,
            row=left[-1].end_point[0],
        )


def is_kept(pair: Pair, old: Node, new: Node) -> bool:
    """Whether a statement is otherwise as it was: the old one is nowhere any more, and its body begins as before."""
    if squeezed(pair.before.src(old)) in squeezed(pair.after.src(pair.new.node)):
        return False
    bodies = [statements(field(node, "consequence") or field(node, "body")) for node in (old, new)]
    if not bodies[0] or not bodies[1] or old.type not in _COMPOUND:
        return True
    return squeezed(pair.before.src(bodies[0][0])) == squeezed(pair.after.src(bodies[1][0]))


def short_text(page: Page, node: Node) -> str:
    return " ".join(page.src(node).split())[:60]


RULE = Across("weakened-check", "bug", PYTHON, check)
