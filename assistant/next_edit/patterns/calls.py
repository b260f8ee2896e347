"""A function's parameters changed: its calls follow. Removed, renamed and moved ones are exact; for an added one without a
default a variable of its name in reach of the call is passed, else nothing is proposed. A default means no edit.

By the callee's last name, so another function of that name is told apart only when a call does not fit the old
signature. Python and JavaScript/TypeScript.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from assistant.next_edit.patterns.context import Context, Site
from assistant.next_edit.patterns.signatures import Changed, Parameter, changed_functions
from assistant.next_edit.patterns.trees import Parsed
from assistant.next_edit.types import Candidate, Document

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_CALLS = 60


class _Argument(NamedTuple):
    text: str
    keyword: str


def find(context: Context) -> Iterator[Candidate]:
    for changed in changed_functions(context):
        if any(p.kind == "many" for p in (*changed.old, *changed.new)):
            continue
        callee = changed.name
        for document in context.documents:
            yield from _calls(context, document, changed, callee)


def _calls(context: Context, document: Document, changed: Changed, callee: str) -> Iterator[Candidate]:
    if callee not in document.text:
        return
    now = context.now(document)
    sites: list[Site] = []
    for at in now.words(callee)[:MAX_CALLS]:
        context.cancel.check()
        arguments = arguments_at(now, at, len(callee))
        if arguments is None or arguments.has_error:
            continue
        start, end = now.span(arguments)
        if (
            document.uri == changed.document.uri
            and start < changed.end
            and end > changed.start
            and not changed.body_start <= start
        ):
            continue
        written = _rewritten(now, arguments, changed, at)
        if written is not None and not context.is_touched(document, start, end):
            sites.append(Site(start + 1, end - 1, written))
    features = {
        "added": float(len(changed.added)),
        "removed": float(len(changed.removed)),
        "method": float(changed.in_class),
        "same_file": float(document.uri == changed.document.uri),
        "typing": float(context.is_typing(changed.document.uri, changed.start, changed.body_start)),
        "recent": float(changed.order == context.last_order),
    }
    yield from context.candidates("call", document, sites, f"the parameters of '{callee}' changed", 1, features)


def arguments_at(parsed: Parsed, at: int, length: int) -> Node | None:
    """The arguments of the call whose callee's last name is at a place."""
    node = parsed.node(at, at + length)
    if node is None or node.parent is None:
        return None
    callee = node
    if node.parent.type in ("attribute", "member_expression") and node.parent.named_children[-1] == node:
        callee = node.parent
    call = callee.parent
    if call is None or call.type not in ("call", "call_expression") or call.child_by_field_name("function") != callee:
        return None
    found = call.child_by_field_name("arguments")
    return found if found is not None and found.type in ("argument_list", "arguments") else None


def _rewritten(now: Parsed, node: Node, changed: Changed, at: int) -> str | None:
    """The text between the brackets as the new parameters want it; ``None`` when it is right or cannot be told."""
    given = [_argument(now, child) for child in node.named_children if child.type != "comment"]
    raw = now.of(node)[1:-1]
    if any(a.text.startswith(("*", "...")) for a in given) or "\n" in raw:
        return None
    bound = _bound(given, changed.old)
    if bound is None:
        return None
    out: list[str] = []
    by_name = False
    renamed = _renamed(changed)
    for parameter in changed.new:
        old_name = renamed.get(parameter.name, parameter.name)
        argument = bound.get(old_name)
        if argument is None:
            if parameter.optional:
                by_name = True
                continue
            if old_name in {p.name for p in changed.old} or now.is_bound(parameter.name, at) is False:
                return None
            if not _in_reach(now, parameter.name, at):
                return None
            argument = _Argument(parameter.name, parameter.name if by_name or parameter.kind == "keyword" else "")
        if argument.keyword or by_name or parameter.kind == "keyword":
            by_name = True
            out.append(f"{parameter.name}={argument.text}")
        else:
            out.append(argument.text)
    written = ", ".join(out)
    return written if written.split() != raw.split() and _plain(written) != _plain(raw.rstrip(", ")) else None


def _plain(text: str) -> str:
    return "".join(text.split())


def _argument(now: Parsed, node: Node) -> _Argument:
    if node.type == "keyword_argument":
        return _Argument(now.of(node.child_by_field_name("value")), now.of(node.child_by_field_name("name")))
    return _Argument(now.of(node), "")


def _bound(given: list[_Argument], old: tuple[Parameter, ...]) -> dict[str, _Argument] | None:
    """Which old parameter gets which argument; ``None`` when the call does not fit them."""
    names = {p.name for p in old}
    plain = [p.name for p in old if p.kind == "plain"]
    found: dict[str, _Argument] = {}
    for i, argument in enumerate(given):
        name = argument.keyword or (plain[i] if i < len(plain) else "")
        if name not in names or name in found:
            return None
        found[name] = argument
    if any(not p.optional and p.name not in found for p in old):
        return None
    return found


def _renamed(changed: Changed) -> dict[str, str]:
    """New names of parameters that stand where ones that are gone stood."""
    if len(changed.old) != len(changed.new):
        return {}
    pairs = zip(changed.new, changed.old, strict=True)
    return {new.name: old.name for new, old in pairs if new.name in changed.added and old.name in changed.removed}


def _in_reach(now: Parsed, name: str, at: int) -> bool:
    """Whether a variable of that name is declared around a place."""
    table = now.table(name)
    byte = now.source.byte(at)
    if table is None:
        return False
    for mention in table.mentions:
        if mention.kind == "read" or mention.name != name:
            continue
        scope = table.resolve(mention.scope, name, "v")
        if scope is not None and (scope[0].parent is None or scope[0].start <= byte < scope[0].end):
            return True
    return False
