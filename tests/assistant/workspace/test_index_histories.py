"""The index equals one built afresh, whatever happened before: edits, renames, deletes, checkouts, buffers, a jumping clock."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.assistant.workspace.indexing import Clock, index_of

NAMES = ["a.py", "b.py", "util/c.py", "util/d.js", "deep/er/e.go", "notes.md", "ignored/f.py", "data.bin", "my_secret.py"]
TEXTS = [
    "def alpha(x):\n    '''Add one.'''\n    return beta(x) + 1\n",
    "class Box:\n    size = 1\n\n    def grow(self, by=2):\n        self.size += by\n\n\ndef beta(x): return Box().grow(x)\n",
    "import os\nfrom util import c as see\n\nprint(see.alpha(os.sep))\n",
    "def broken(:\n    return (\n",
    "naïve = 'é'\n" * 3,
    "",
    "x = 1\n" * 200,
    "function f(a) { return g(a); }\n",
    "bad \0 byte\n",
]
BRANCHES = {
    "one": {"a.py": 0, "util/c.py": 1, "deep/er/e.go": 3},
    "two": {"a.py": 1, "b.py": 2, "util/d.js": 7, "util/c.py": 6},
}
"""The files of two branches, and which text each has."""
OPEN_TEXTS = [text for text in TEXTS if "\0" not in text]


class Histories(RuleBasedStateMachine):
    """Random histories; the disk and the open buffers are the truth."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(os.path.realpath(tempfile.mkdtemp()))
        self.root = self.folder / "root"
        self.root.mkdir()
        if shutil.which("git"):
            self.commit()
        self.clock = Clock()
        self.open: dict[str, str] = {}
        self.index = index_of(self.root, self.folder / "cache", self.clock)
        self.index.scan()

    def teardown(self) -> None:
        self.index.close()
        shutil.rmtree(self.folder)

    def path(self, name: str) -> Path:
        return self.root / name

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", "-c", "core.hooksPath=none")
        subprocess.run(["git", "-C", str(self.root), *who, *arguments], check=True, capture_output=True)

    def commit(self) -> None:
        """Two branches that have nothing in common but names."""
        self.git("init", "-q")
        for branch, files in BRANCHES.items():
            self.git("checkout", "-q", "--orphan", branch)
            self.git("rm", "-rfq", "--ignore-unmatch", ".")
            for name, text in files.items():
                self.path(name).parent.mkdir(parents=True, exist_ok=True)
                self.path(name).write_text(TEXTS[text], "utf-8")
            self.git("add", "-A")
            self.git("commit", "-qm", branch)

    @precondition(lambda self: (self.root / ".git").exists())
    @rule(branch=st.sampled_from(sorted(BRANCHES)), told=st.booleans())
    def checkout(self, branch: str, told: bool) -> None:
        self.git("checkout", "-qf", branch)
        self.tell(told, *(str(self.path(name)) for files in BRANCHES.values() for name in files))

    @rule(name=st.sampled_from(NAMES), text=st.sampled_from(TEXTS), told=st.booleans())
    def write(self, name: str, text: str, told: bool) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        self.tell(told, str(path))

    @rule(name=st.sampled_from(NAMES), text=st.sampled_from(TEXTS))
    def write_with_old_stamp(self, name: str, text: str) -> None:
        """As a tool that restores times, or a clock that stands still."""
        path = self.path(name)
        if path.exists():
            status = path.stat()
            path.write_text(text, "utf-8")
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            self.tell(False)

    @rule(name=st.sampled_from(NAMES), told=st.booleans())
    def delete(self, name: str, told: bool) -> None:
        self.path(name).unlink(missing_ok=True)
        self.tell(told, str(self.path(name)))

    @rule(old=st.sampled_from(NAMES), new=st.sampled_from(NAMES), told=st.booleans())
    def rename(self, old: str, new: str, told: bool) -> None:
        if self.path(old).exists():
            self.path(new).parent.mkdir(parents=True, exist_ok=True)
            self.path(old).replace(self.path(new))
            self.tell(told, str(self.path(old)), str(self.path(new)))

    @rule(told=st.booleans())
    def rename_folder(self, told: bool) -> None:
        old, new = self.root / "util", self.root / "lib"
        if old.exists() != new.exists():
            old, new = (old, new) if old.exists() else (new, old)
            old.rename(new)
            self.tell(told, str(old), str(new))

    @rule(rules=st.sampled_from(["", "ignored/\n", "*.py\n!a.py\n", "util\n"]))
    def ignore(self, rules: str) -> None:
        (self.root / ".gitignore").write_text(rules)
        self.tell(True, str(self.root / ".gitignore"))

    @rule(name=st.sampled_from(NAMES), text=st.sampled_from(OPEN_TEXTS))
    def open_or_type(self, name: str, text: str) -> None:
        self.open[str(self.path(name))] = text
        self.index.open_buffer(str(self.path(name)), text)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def close_buffer(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(self.open)))
        del self.open[path]
        self.index.close_buffer(path)
        self.index.take_up()

    @rule(hours=st.integers(-48, 48))
    def jump(self, hours: int) -> None:
        self.clock.offset = hours * 3_600 * 10**9

    @rule()
    def restart(self) -> None:
        """The editor is closed and opened again; unsaved text is gone with it."""
        self.index.close()
        self.open.clear()
        self.index = index_of(self.root, self.folder / "cache", self.clock)
        self.index.scan()

    def tell(self, told: bool, *paths: str) -> None:
        if told:
            self.index.notify(paths)
            self.index.take_up()
        else:
            self.index.scan()

    @invariant()
    def equals_rebuilt(self) -> None:
        assert self.index.settle(10)
        with tempfile.TemporaryDirectory() as cache:
            fresh = index_of(self.root, Path(cache))
            fresh.rebuild()
            for path, text in self.open.items():
                fresh.open_buffer(path, text)
            assert fresh.settle(10)
            assert self.index.contents() == fresh.contents()
            fresh.close()


Histories.TestCase.settings = settings(
    max_examples=8, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestHistories = Histories.TestCase
