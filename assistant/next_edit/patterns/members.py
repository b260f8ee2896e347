"""A parameter that came to ``__init__`` is kept in a field, as the ones beside it are. Python and TypeScript/JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.next_edit.patterns.context import Context, Site
from assistant.next_edit.patterns.signatures import Changed, changed_functions
from assistant.next_edit.patterns.tokens import line_end, line_start
from assistant.next_edit.types import Candidate


def find(context: Context) -> Iterator[Candidate]:
    for changed in changed_functions(context):
        if changed.name in ("__init__", "constructor"):
            yield from _kept(context, changed)


def _kept(context: Context, changed: Changed) -> Iterator[Candidate]:
    text = changed.document.text
    body = text[changed.body_start : changed.body_end]
    names = [p.name for p in changed.new]
    for i, parameter in enumerate(changed.new):
        if parameter.name not in changed.added or re.search(rf"(?<![\w$]){re.escape(parameter.name)}(?![\w$])", body):
            continue
        for other in (*names[:i][::-1], *names[i + 1 :]):
            found = re.search(
                rf"^[ \t]*(?:self|this)\.(_{{0,2}}){re.escape(other)}\b[^\n=]*=[ \t]*{re.escape(other)}\b[^\n]*$", body, re.M
            )
            if found is None:
                continue
            line = found.group().rstrip("\r")
            end = line_end(text, changed.body_start + found.start())
            indent = line[: len(line) - len(line.lstrip())]
            receiver = line.strip().partition(".")[0]
            stop = ";" if line.rstrip().endswith(";") else ""
            copy = f"{indent}{receiver}.{found.group(1)}{parameter.name} = {parameter.name}{stop}"
            mark = "\r\n" if text[end : end + 1] == "\r" else "\n"
            before = names.index(other) < i
            at = end if before else line_start(text, changed.body_start + found.start() + 1)
            written = mark + copy if before else copy + mark
            features = {"before": float(before), "recent": float(changed.order == context.last_order)}
            why = f"'{parameter.name}' came to the parameters"
            yield from context.candidates("member", changed.document, [Site(at, at, written)], why, 1, features)
            break
