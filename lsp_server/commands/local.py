"""A completer over a real engine process, for commands that need no editor: complete, bench, doctor."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # half of the commands need none of it
    from assistant.service import Completer
    from assistant.types import ModelInfo, Snapshot
    from lsp_server.engine import EngineClient

LOAD_TIMEOUT_S = 60.0
"""A cold disk and a busy machine: torch alone took 9 s to import once here, 1.5 s usually."""

LANGUAGES = {
    ".py": "python",
    ".pyi": "python",
    ".js": "javascript",
    ".jsx": "javascriptreact",
    ".ts": "typescript",
    ".tsx": "typescriptreact",
    ".go": "go",
    ".rs": "rust",
    ".java": "java",
    ".c": "c",
    ".h": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".hpp": "cpp",
    ".sh": "shellscript",
    ".rb": "ruby",
    ".md": "markdown",
    ".txt": "plaintext",
}


class CommandError(Exception):
    """Ends a command with exit code 2 and this sentence, which says what to do."""


@asynccontextmanager
async def local_completer(
    model: str, threads: int, device: str = "auto"
) -> AsyncIterator[tuple[EngineClient, Completer, ModelInfo]]:
    """Start an engine, wait for its weights, stop it at the end. Raises `assistant.types.EngineError` with one sentence."""
    from assistant.service import Completer
    from lsp_server.engine import EngineClient
    from telemetry.ids import new_id

    logging.getLogger("sotto.engine").addHandler(logging.NullHandler())  # what matters is raised, and said once
    engine = EngineClient(model=model, threads=threads, device=device)
    await engine.start()
    try:
        info = await engine.wait_ready(LOAD_TIMEOUT_S)
        yield engine, Completer(engine, new_id=new_id), info
    finally:
        await engine.close()


def language_of(path: Path) -> str:
    """The LSP language id by the file's ending; an unknown ending is its own name."""
    return LANGUAGES.get(path.suffix.lower(), path.suffix.lstrip(".").lower() or "plaintext")


def read_source(path: Path) -> str:
    """The file's text with its own line ends. Raises `CommandError`."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not UTF-8 text (byte {error.start}); Sotto completes text files only") from error


def project_root(path: Path) -> Path:
    """The nearest folder above with a .git or a pyproject.toml, else the file's own folder."""
    for folder in path.parents:
        if (folder / ".git").exists() or (folder / "pyproject.toml").exists():
            return folder
    return path.parent


def invoked_snapshot(path: Path, text: str, offset: int) -> Snapshot:
    """A snapshot as an editor would send it for a completion asked for by hand."""
    from assistant.types import Snapshot, Trigger

    full = path.resolve()
    return Snapshot(
        uri=full.as_uri(),
        language=language_of(path),
        text=text,
        offset=offset,
        path=str(full),
        root=str(project_root(full)),
        trigger=Trigger.INVOKED,
    )


def fail(message: str) -> int:
    """One sentence on stderr, exit code 2."""
    sys.stderr.write(f"sotto: {message}\n")
    return 2


def percentile(values: list[float], q: float) -> float:
    """The q-th percentile (0 to 100) by linear interpolation; NaN of nothing."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    place = (len(ordered) - 1) * q / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
