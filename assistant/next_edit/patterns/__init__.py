"""The edit patterns: rules that see what the user did and propose, from syntax alone, what follows from it.

One file a rule; `ALL` is the registry. A rule says where and what, why, and its own numbers; whether anything is shown is
decided by the ranker. Nothing here reads a disk or knows an editor.
"""

from __future__ import annotations

from contextlib import suppress

from assistant.cancel import Cancel, Cancelled
from assistant.next_edit.patterns import (
    arity,
    asyncs,
    attributes,
    block_repeat,
    calls,
    clone,
    context_repeat,
    extract,
    imports,
    leftovers,
    line_repeat,
    members,
    partners,
    rename,
    rename_files,
    siblings,
)
from assistant.next_edit.patterns.combined import combine
from assistant.next_edit.patterns.context import Context
from assistant.next_edit.patterns.rule import Rule
from assistant.next_edit.patterns.surroundings import with_surroundings
from assistant.next_edit.patterns.trees import Trees
from assistant.next_edit.types import Candidate, Scene

__all__ = ["ALL", "NAMES", "Trees", "propose"]

ALL: tuple[Rule, ...] = (
    Rule("rename", rename.find),
    Rule("rename_file", rename_files.find),
    Rule("call", calls.find),
    Rule("unused_import", imports.unused),
    Rule("import", imports.missing),
    Rule("async", asyncs.find),
    Rule("arity", arity.find),
    Rule("line_repeat", line_repeat.find),
    Rule("clone", clone.find),
    Rule("block_repeat", block_repeat.find),
    Rule("member", members.find),
    Rule("extract", extract.find),
    Rule("leftover", leftovers.find),
    Rule("attribute", attributes.find),
    Rule("mention", partners.find),
    Rule("context_repeat", context_repeat.find),
    Rule("sibling", siblings.find),
)
"""In the order of trust."""

NAMES: tuple[str, ...] = (*(rule.name for rule in ALL), "import_swap", "combined")
"""Every value of ``Candidate.rule`` here; ``import_swap`` is of ``unused_import``, ``combined`` of all."""


def propose(scene: Scene, cancel: Cancel, trees: Trees | None = None) -> list[Candidate]:
    """What all rules would change next. ``trees``, kept by the caller between calls, saves most of the parsing.

    Two rules may say the same edit; each says it with its own evidence, and the feature ``agree`` counts them. What several
    would change in one line is said together as well, as the rule ``combined``. Never raises;
    what was found before ``cancel`` was set is returned.
    """
    if not scene.changes:
        return []
    context = Context(scene, cancel, trees)
    found: list[Candidate] = []
    for rule in ALL:
        if cancel.is_set():
            break
        found.extend(rule.run(context))
    with suppress(Cancelled):
        found.extend(list(combine(context, found)))
    return [with_surroundings(context, candidate, found) for candidate in found]
