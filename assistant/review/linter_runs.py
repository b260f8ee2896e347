"""Runs the linters that the user has enabled and the project's environment has, over changed files, without the network.

Only files that the disk holds as the change has them: otherwise the line numbers would be another text's. Knows how each is
called; what they say is read by `linters`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence

from assistant.review.git import on_disk
from assistant.review.linters import UnreadableError, on_changes, read
from assistant.review.types import ChangeSet, Finding

TIMEOUT_S = 30.0
MAX_FILES = 200

PYTHON, SCRIPT = ("python",), ("javascript", "typescript", "tsx")
KNOWN: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ruff": (PYTHON, ("check", "--output-format=json", "--no-fix", "--exit-zero", "--force-exclude", "--quiet", "--")),
    "mypy": (PYTHON, ("--output=json", "--no-error-summary", "--no-color-output", "--")),
    "pyright": (PYTHON, ("--outputjson",)),
    "eslint": (SCRIPT, ("--format=json", "--no-error-on-unmatched-pattern", "--")),
    "semgrep": ((*PYTHON, *SCRIPT), ("scan", "--json", "--metrics=off", "--disable-version-check", "--quiet")),
}
"""Name -> languages and arguments before the files."""

_SEMGREP_RULES = (".semgrep.yml", ".semgrep.yaml", ".semgrep")


def run(names: Iterable[str], changes: ChangeSet) -> tuple[list[Finding], list[str]]:
    """What the linters say of the changed lines, and a sentence for each that could not be asked."""
    found: list[Finding] = []
    troubles: list[str] = []
    for name in names:
        if name not in KNOWN:
            troubles.append(f"{name} is no linter that is known here; {', '.join(KNOWN)} are")
            continue
        files = _files(changes, KNOWN[name][0])
        program = find(name, changes.root)
        if program is None:
            troubles.append(f"{name} is not installed in this project's environment or on the PATH")
        elif files:
            said = _run(name, program, files, changes.root)
            try:
                found += read(said, f"what {name} printed") if said.strip() else []
            except UnreadableError as error:
                troubles.append(str(error))
    return on_changes(found, changes), troubles


def find(name: str, root: str) -> str | None:
    """The program, from the project's own environment before anything else."""
    bins = [
        os.path.join(root, *parts)
        for parts in ((".venv", "bin"), ("venv", "bin"), (".venv", "Scripts"), ("node_modules", ".bin"))
    ]
    bins += [os.path.join(os.environ[name], "bin") for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if os.environ.get(name)]
    return shutil.which(name, path=os.pathsep.join(bins)) or shutil.which(name)


def _files(changes: ChangeSet, languages: Sequence[str]) -> list[str]:
    files: list[str] = []
    for one in changes.files:
        if one.language in languages and one.new is not None and one.hunks and len(files) < MAX_FILES:
            data = on_disk(changes.root, one.path, 10 * len(one.new) + 16)
            if data is not None and data.decode("utf-8-sig", "replace") == one.new:
                files.append(f"./{one.path}")  # no name can be taken for an option
    return files


def _run(name: str, program: str, files: Sequence[str], root: str) -> str:
    arguments = list(KNOWN[name][1])
    if name == "semgrep":  # its other ways to rules go to the network
        rules = next((rule for rule in _SEMGREP_RULES if os.path.exists(os.path.join(root, rule))), None)
        if rules is None:
            return ""
        arguments += [f"--config={rules}", "--"]
    try:
        done = subprocess.run(
            [program, *arguments, *files],
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ, "SEMGREP_SEND_METRICS": "off", "NO_COLOR": "1"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")
