"""Small git histories made on the spot: commits in which one change brings others with it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    **{f"GIT_{who}_DATE": "2020-01-01T00:00:00Z" for who in ("AUTHOR", "COMMITTER")},
}


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=_ENVIRONMENT)


def history(folder: Path, versions: Sequence[Mapping[str, str]]) -> Path:
    """A repository with one commit for each version of its files."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for number, files in enumerate(versions):
        for path, text in files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode())
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", str(number))
    return folder


def steps(name: str) -> str:
    """A file in which ``name`` is called at six places, each in its own function."""
    case = "def case_{n}(client):\n    client.start({n})\n    client.{name}(timeout=5)\n    return client\n\n\n"
    return "import os\n\n\n" + "".join(case.format(n=n, name=name) for n in range(6))


def repeated(folder: Path, commits: int = 3, seed: int = 0) -> Path:
    """Commits that each change the same line at many places of one file, and one that changes a single line elsewhere."""
    names = ["flush_all", *(f"sync_{seed}_{number}" for number in range(commits))]
    other = "LIMIT = {number}\nNAME = 'a'\n"
    versions = [
        {"app/steps.py": steps(name), "app/other.py": other.format(number=number), "app/more.js": "let a = 1;\n"}
        for number, name in enumerate(names)
    ]
    return history(folder, versions)
