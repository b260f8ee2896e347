"""A file with a suggestion marked in it, and the filter's verdict: what the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

from assistant.types import Snapshot
from assistant.workspace.existence.checker import Existence
from assistant.workspace.existence.verdict import Verdict


def snapshot_of(marked: str, path: str, root: str, uri: str = "") -> tuple[Snapshot, str]:
    """``before⟦suggestion⟧after``: the document without the suggestion, the cursor at its place, and the suggestion."""
    before, _, rest = marked.partition("⟦")
    text, _, after = rest.partition("⟧")
    return Snapshot(uri or Path(path).as_uri(), "python", before + after, len(before), path=path, root=root), text


def judge(marked: str, root: Path, name: str = "app.py", checker: Existence | None = None) -> Verdict:
    """The verdict on the marked suggestion in a file of a folder, every module read at once."""
    snapshot, text = snapshot_of(marked, str(root / name), str(root))
    return (checker or Existence(inline=True)).check(snapshot, snapshot.offset, snapshot.offset, text)
