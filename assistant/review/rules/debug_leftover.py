"""What was there to debug: a breakpoint, ``debugger``, a focused test, a merge conflict's marker, a print in a library.

Goes by the file's role: programs, scripts, tests, examples and documentation may print. Text in strings is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.review.rules.base import BOTH, Edit, Looking, Problem
from assistant.review.rules.page import SCRIPT, Page, field
from assistant.review.rules.view import View, is_test

if TYPE_CHECKING:
    from tree_sitter import Node

_BREAKS = frozenset(
    ("breakpoint", "pdb.set_trace", "ipdb.set_trace", "pudb.set_trace", "IPython.embed", "import_pdb_set_trace")
)
_MODULES = frozenset(("pdb", "ipdb", "pudb", "icecream"))
_FOCUSED = frozenset(("it.only", "describe.only", "test.only", "fit", "fdescribe", "context.only"))
_PROGRAM = re.compile(
    r"(?:^|/)(?:scripts?|tools?|bin|examples?|docs?|benchmarks?|bench|tasks|demo\w*|samples?|tutorials?|notebooks?|cli|commands?"
    r"|management)(?:/|$)|(?:^|/)(?:setup|__main__|cli|main|noxfile|conftest|manage|run\w*|build\w*|release\w*|cmdline|console"
    r"|tasks|debug\w*|fabfile|bench\w*|\w*_cli|demo\w*)\.\w+$"
)
_CONFLICT = re.compile(r"^(?:<{7} |>{7} |={7}$)", re.MULTILINE)
_MARKS = re.compile(r"['\"](?:here|debug|xxx+|test|todo|foo|\*{3,}|-{3,}|={3,}|#+|>+)\b", re.IGNORECASE)


def check(page: Page, view: View) -> Iterator[Problem]:
    yield from _conflicts(page)
    for call in page.of("call", "call_expression"):
        name = page.src(field(call, "function"))
        if name in _BREAKS and page.language == "python" and page.writes[name.partition(".")[0]] <= name.count("."):
            yield Problem(
                call,
                f"{name}() stops the program in a debugger.",
                edits=_line(page, call.start_point[0]),
                severity="high",
                confidence=0.95,
            )
        elif name in _FOCUSED and page.language in SCRIPT and is_test(view.path):
            yield Problem(call, f"{name}() runs this test alone and leaves out all others.", severity="high", confidence=0.93)
    for node in page.of("debugger_statement"):
        yield Problem(
            node,
            "`debugger` stops every browser that has its tools open.",
            edits=_line(page, node.start_point[0]),
            severity="high",
            confidence=0.95,
        )
    for node in page.of("import_statement"):
        words = page.src(node).split()
        if len(words) == 2 and words[1] in _MODULES and not _is_debugger(page):
            yield Problem(
                node,
                f"{words[1]} is a debugger's module.",
                edits=_line(page, node.start_point[0]),
                severity="medium",
                confidence=0.8,
            )
    yield from _prints(page, view)


def _is_debugger(page: Page) -> bool:
    return page.src(page.root).count("pdb.") > 1


def _line(page: Page, row: int) -> tuple[Edit, ...]:
    """The whole line away, where it holds nothing else."""
    lines = page.text.split("\n")
    text = lines[row].strip()
    if text.count(";") > text.endswith(";") or not re.fullmatch(r"[\w.]+\(\);?|debugger;?|import \w+", text):
        return ()
    start = len("\n".join(lines[:row]).encode()) + (row > 0)
    above = lines[row - 1].rstrip() if row else ""
    return () if above.endswith((":", "{")) else ((start, start + len(lines[row].encode()) + (row < len(lines) - 1), ""),)


def _conflicts(page: Page) -> Iterator[Problem]:
    found = list(_CONFLICT.finditer(page.text)) if "<<<<<<< " in page.text and ">>>>>>> " in page.text else []
    if found and page.root.has_error:
        row = page.text.count("\n", 0, found[0].start())
        yield Problem(
            page.root, "A marker of a merge conflict was left in.", key="conflict", severity="high", confidence=0.97, row=row
        )


def _is_asked_for(page: Page, call: Node) -> bool:
    """Whether a test of some level of talking is around it."""
    here = call.parent
    while here is not None:
        if re.search(r"debug|verb|trace|quiet", page.src(field(here, "condition")), re.IGNORECASE):
            return True
        here = here.parent
    return False


def _prints(page: Page, view: View) -> Iterator[Problem]:
    """A print in a library that logs or is silent otherwise."""
    if is_test(view.path) or _PROGRAM.search(view.path) or "__main__" in page.text or "argparse" in page.text:
        return
    prints = [
        call for call in page.of("call", "call_expression") if page.src(field(call, "function")) in ("print", "console.log")
    ]
    marked = [call for call in prints if "file=" not in page.src(call) and "(*" not in page.src(call)]
    if not marked or len(prints) > 2:
        return
    logs = re.search(r"\bgetLogger\(|\blogger\b|\blog\.\w+\(", page.text) is not None
    for call in marked:
        if _is_asked_for(page, call):
            continue
        plain = _MARKS.search(page.src(call)) is not None
        if logs or plain:
            yield Problem(
                call,
                f"A {page.src(field(call, 'function'))} in a module that {'logs' if logs else 'prints nothing else'}: "
                "it looks like a leftover.",
                key=f"print:{page.src(call)[:80]}",
                severity="low" if not plain else "medium",
                confidence=0.85,
            )


RULE = Looking("debug-leftover", "leftover", BOTH, check)
