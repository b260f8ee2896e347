"""What is never suggested, however probable: nothing at all, white space, what the user has just undone by hand, many places
at once, the end of an import that is in use, a new syntax error.

Pure but for the parsed trees that the caller keeps. Knows nothing of users' refusals or of probabilities.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

from assistant.next_edit.patterns.edits import Edit as Made
from assistant.next_edit.patterns.edits import compose
from assistant.next_edit.patterns.import_lines import Statement, statements
from assistant.next_edit.patterns.pieces import pieces
from assistant.next_edit.patterns.tokens import tokens
from assistant.next_edit.patterns.trees import Trees
from assistant.next_edit.place import Edit, line_span, smallest
from assistant.next_edit.types import Document, Scene

MOST_SITES = 5  # that one suggestion may change; more go one at a time
MOST_LINES = 100  # of one suggestion
MOVED = 8  # characters, without white space, from which a deleted text is known again at another place
_PAIRS = {")": "(", "]": "[", "}": "{"}


class Filters:
    """The never-rules for the candidates of one scene; what the user changed is composed once for all of them."""

    def __init__(self, scene: Scene, trees: Trees) -> None:
        self._scene, self._trees = scene, trees
        self._made: dict[str, list[Made]] = {}
        self._imports: dict[str, list[Statement]] = {}

    def objection(self, document: Document, edit: Edit) -> str:
        """Why an edit of a document is never suggested, in one word; "" for one that may be. Parses nothing anew."""
        if not edit.fits(document.text):
            return "nothing"
        core = smallest(edit, document.text)
        old = document.text[core.start : core.end]
        if "".join(old.split()) == "".join(core.text.split()):
            return "whitespace"
        if is_bulk(old, core.text):
            return "bulk"
        if self._restores(document, core, old):
            return "restores"
        return "orphans" if self._orphans(document, core) else ""

    def is_whole(self) -> bool:
        """Whether the line of the latest change can be read: no half of a statement."""
        last = self._scene.changes[-1]
        document = self._scene.find(last.uri)
        if document is None:
            return False
        parsed = self._trees.parsed(document)
        return parsed.tree is not None and not parsed.is_broken(last.start, last.start + len(last.inserted))

    def breaks(self, document: Document, edit: Edit) -> bool:
        """Whether the edit brings a syntax error into the document that was not there."""
        after = edit.apply(document.text)
        was, now = self._trees.parsed(document), self._trees.parsed(document, after)
        if was.tree is not None and now.tree is not None:
            return len(now.errors) > len(was.errors)
        old, new = document.text[edit.start : edit.end], edit.text
        return sum(_imbalance(new)) > sum(_imbalance(old))

    def _restores(self, document: Document, core: Edit, old: str) -> bool:
        """Whether it takes back what the user did, here; or puts in, anywhere, what the user has taken out."""
        made = self._of(document)
        touching = [one for one in made if core.start <= one.end and core.end >= one.start]
        if any(_takes_back(document.text, one, core) for one in touching):
            return True
        put_in = "".join(core.text.split())
        if "".join(old.split()) or len(put_in) < MOVED:
            return False
        gone = [one for other in self._documents() for one in self._of(other) if not one.inserted.strip()]
        return any(put_in in "".join(one.removed.split()) for one in gone)

    def _orphans(self, document: Document, core: Edit) -> bool:
        """Whether it only takes names out of imports, and code still uses one of them."""
        parsed = self._trees.parsed(document)
        if document.uri not in self._imports:
            self._imports[document.uri] = statements(document.text, parsed.language)
        imports = self._imports[document.uri]
        if not any(one.start < core.end and core.start < one.end for one in imports):
            return False
        before = {name.bound for one in imports for name in one.names}
        after = {name.bound for one in statements(core.apply(document.text), parsed.language) for name in one.names}
        if after - before or not before - after:
            return False
        spans = [(one.start, one.end) for one in imports]
        return any(
            parsed.is_code(at, at + len(name)) and not any(start <= at < end for start, end in spans)
            for name in before - after
            for at in parsed.words(name)
            if parsed.tree is not None and document.text[at - 1 : at] != "."
        )

    def _documents(self) -> Sequence[Document]:
        return (self._scene.document, *self._scene.others)

    def _of(self, document: Document) -> list[Made]:
        if document.uri not in self._made:
            changed = any(change.uri == document.uri for change in self._scene.changes)
            self._made[document.uri] = compose(document, self._scene.changes).edits() if changed else []
        return self._made[document.uri]


def is_bulk(old: str, new: str) -> bool:
    """Whether it changes more places than one can judge at a glance: apart, or by the same words side by side."""
    a, b = old.splitlines(), new.splitlines()
    if max(len(a), len(b)) > MOST_LINES:
        return True
    if min(len(a), len(b)) <= 1:
        return False
    blocks = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    same = Counter((old[p.old_start : p.old_end], new[p.start : p.end]) for p in pieces(old, new))
    return sum(tag != "equal" for tag, *_ in blocks) > MOST_SITES or max(same.values(), default=0) > MOST_SITES


def _takes_back(text: str, made: Made, core: Edit) -> bool:
    """Whether an edit at the place of what the user did brings back more of what was there before than stands there now."""
    after = core.apply(text)
    if after == text[: made.start] + made.removed + text[made.end :]:
        return True
    lost = [token.text for token in tokens(made.removed)]
    if not lost:
        return False
    first, last = line_span(text, min(core.start, made.start), max(core.end, made.end))
    now, then = text[first:last], after[first : last + len(after) - len(text)]
    return _count(lost, then) > _count(lost, now)


def _count(wanted: list[str], text: str) -> int:
    """How often a sequence of tokens stands in a text."""
    found = [token.text for token in tokens(text)]
    size = len(wanted)
    return sum(found[i : i + size] == wanted for i in range(len(found) - size + 1))


def _imbalance(text: str) -> tuple[int, int]:
    """Closing brackets without an opening one, and opening ones that stay open; a string is its signs."""
    open_, closed = [], 0
    for sign in text:
        if sign in "([{":
            open_.append(sign)
        elif sign in _PAIRS:
            if open_ and open_[-1] == _PAIRS[sign]:
                open_.pop()
            else:
                closed += 1
    return closed, len(open_)
