"""Real git repositories in a temporary folder, and reviews of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from assistant.review import changes
from assistant.review.git import Git
from assistant.review.types import ChangeSet

WHO = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main")
OWN = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


class Repo:
    """One repository. ``write`` takes texts or bytes by path."""

    def __init__(self, folder: Path, files: Mapping[str, str | bytes] | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q")
        if files:
            self.write(files)
            self.commit("first")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *WHO, *words], cwd=self.folder, env=OWN, capture_output=True, check=True)
        return done.stdout.decode("utf-8", "replace")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for path, text in files.items():
            full = self.folder / path
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def changes(self, what: str = "", staged: bool = False, buffers: Mapping[str, str] | None = None) -> ChangeSet:
        git = Git.around(str(self.folder))
        return changes.read(git, changes.scope(git, what, staged), buffers)


def why(found: ChangeSet) -> dict[str, str]:
    """What was left out."""
    return {one.path: one.why for one in found.skipped}


def spans(found: ChangeSet) -> dict[str, list[tuple[int, int, int, int]]]:
    """The hunks of each file."""
    return {one.path: [(h.old_start, h.old_end, h.new_start, h.new_end) for h in one.hunks] for one in found.files}
