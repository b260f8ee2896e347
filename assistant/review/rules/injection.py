"""SQL or a shell's command built out of a parameter: f-string, ``%``, ``+`` or ``format`` inside of execute or shell=True.

The value has to be a parameter of the function around; constants, table names in capitals and quoted values are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Problem, local
from assistant.review.rules.page import Function, Page, field, nth, within

if TYPE_CHECKING:
    from tree_sitter import Node

_EXECUTES = frozenset(("execute", "executemany", "executescript", "raw", "query"))
_SHELLS = frozenset(
    ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "commands.getoutput", "child_process.exec")
)
_RUNS = frozenset(("subprocess.run", "subprocess.call", "subprocess.Popen", "subprocess.check_call", "subprocess.check_output"))
_SQL = re.compile(
    r"\b(?:select\s.+\sfrom|insert\s+into|update\s.+\sset|delete\s+from|drop\s+table|where\s)", re.IGNORECASE | re.DOTALL
)
_SAFE = ("quote(", "shlex.", "escape(", "int(", "quote_name(", "identifier(", "len(")


def check(page: Page) -> Iterator[Problem]:
    for call in page.of("call", "call_expression"):
        function = field(call, "function")
        name, method = page.src(function), page.src(field(function, "attribute") or field(function, "property"))
        first = nth(field(call, "arguments") or call, 0)
        around = page.function_at(call)
        if first is None or around is None:
            continue
        if method in _EXECUTES:
            yield from _built(page, call, first, around, "SQL")
        elif name in _SHELLS or (name in _RUNS and re.search(r"\bshell\s*=\s*True", page.src(call))):
            yield from _built(page, call, first, around, "shell")


def _built(page: Page, call: Node, text: Node, function: Function, kind: str) -> Iterator[Problem]:
    source = text
    if text.type == "identifier":
        bound = [
            a
            for a in within(function.body, "assignment", "variable_declarator")
            if page.src(field(a, "left") or field(a, "name")) == page.src(text)
        ]
        value = field(bound[0], "right") or field(bound[0], "value") if len(bound) == 1 else None
        if value is None:
            return
        source = value
    if not _is_built(page, source) or (kind == "SQL" and not _SQL.search(page.src(source))):
        return
    names = set(function.names) - {"self", "cls"}
    value = next((node for node in _values(source) if page.src(node) in names and not _is_safe(page, node, source)), None)
    if value is None:
        return
    done = "runs as part of the statement" if kind == "SQL" else "runs as part of the command"
    instead = "pass it as a parameter of execute" if kind == "SQL" else "pass a list and no shell"
    yield Problem(
        call,
        f"`{page.src(value)}`, a parameter of {function.name}, is put into {kind} text: what stands in it {done}; {instead}.",
        key=f"{kind}:{page.src(value)}",
        touched=(call, source),
        evidence=(source,),
        severity="high",
        confidence=0.75,
    )


def _is_built(page: Page, node: Node) -> bool:
    if node.type == "string":
        return bool(within(node, "interpolation"))
    if node.type == "template_string":
        return bool(within(node, "template_substitution"))
    if node.type in ("binary_operator", "binary_expression"):
        return page.src(field(node, "operator")) in ("%", "+") and bool(within(node, "string"))
    return node.type == "call" and page.src(field(field(node, "function"), "attribute")) == "format"


def _values(node: Node) -> Iterator[Node]:
    for found in within(node, "identifier"):
        parent = found.parent
        if parent is not None and not (parent.type == "attribute" and field(parent, "object") != found):
            yield found


def _is_safe(page: Page, node: Node, top: Node) -> bool:
    here = node.parent
    while here is not None and here != top.parent:
        if (here.type in ("call", "call_expression") and page.src(here).startswith(_SAFE)) or page.src(here).startswith(
            "shlex"
        ):
            return True
        here = here.parent
    return page.src(node).isupper()


RULE = local("injection", "security", BOTH, check)
