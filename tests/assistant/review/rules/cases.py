"""How the tests of the rules ask: an old text, a new one, and what one rule says of it. Every fix is applied and parsed.

Texts are dedented; ``old`` may be "" for an empty file or ``None`` for a new one.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from textwrap import dedent

from assistant.cancel import Cancel
from assistant.review.changes import of_texts
from assistant.review.project import TextsProject, changed_texts
from assistant.review.types import Finding, Rule
from assistant.workspace.parse import has_errors

PATH = "pkg/module.py"


class Whole(TextsProject):
    """A project of which every file is known."""

    complete = True


def find(
    rule: Rule,
    old: str | None,
    new: str,
    path: str = PATH,
    others: Mapping[str, str] | None = None,
    cancel: Cancel | None = None,
) -> list[Finding]:
    """All findings of one rule about a change of one file, in a project with some others."""
    change = of_texts({path: (dedent(old) if old is not None else None, dedent(new))})
    texts = {**{name: dedent(text) for name, text in (others or {}).items()}, **changed_texts(change)}
    project = Whole(texts)
    found = [f for one in change.files for f in rule(one, change, project, cancel or Cancel())]
    for finding in found:
        text = texts[finding.path]
        assert 0 <= finding.line <= finding.end_line <= text.count("\n") + 1
        assert finding.message.endswith(".")
        assert 0 < finding.confidence < 1
        if finding.fix:
            applied(finding, text)
    return found


def one(
    rule: Rule, old: str | None, new: str, path: str = PATH, others: Mapping[str, str] | None = None
) -> tuple[Finding, str]:
    """The only finding, and the line it is on."""
    found = find(rule, old, new, path, others)
    assert len(found) == 1, [finding.message for finding in found]
    texts = {**{name: dedent(text) for name, text in (others or {}).items()}, path: dedent(new)}
    return found[0], texts[found[0].path].split("\n")[found[0].line].strip()


def applied(finding: Finding, text: str) -> str:
    """The text after the fix, which parses."""
    for edit in sorted(finding.fix, key=lambda edit: -edit.start):
        assert edit.path == finding.path
        text = text[: edit.start] + edit.text + text[edit.end :]
    if finding.path.endswith(".py"):
        ast.parse(text)
    assert not has_errors(text, "python") or not finding.path.endswith(".py")
    return text


def fixed(rule: Rule, old: str | None, new: str, path: str = PATH, others: Mapping[str, str] | None = None) -> str:
    """The new text with the fix of the only finding."""
    finding, _ = one(rule, old, new, path, others)
    assert finding.fix
    return applied(finding, dedent(new))
