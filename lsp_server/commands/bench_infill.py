"""What the workspace adds to completion: the same cursors of a real tree, with the current file alone and with the rest of it.

Every cursor is asked in five ways of one engine: the model and the current file alone, with context from the workspace in the
prompt, with the file's own n-grams, with the workspace's n-grams as well, and with all of it. Greedy, the rest of the line.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from assistant.cancel import Cancel
from assistant.completion.context import Site, Windows, look
from assistant.completion.open_file import open_file
from assistant.completion.prompt import fim
from assistant.completion.retrieval import NOTHING, Retrieval, Retrieved, budget
from assistant.types import GenerateRequest, ModelInfo, ScoreRequest, Snapshot, Trigger
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.retrieve import WorkspaceRetriever
from lsp_server.commands.local import language_of
from lsp_server.engine import EngineClient

LEAST_TARGET = 3
"""Characters that are left of the line; less says nothing."""
MAX_TOKENS = 48
WAYS = {
    "file": "current file",
    "context": "+ context in prompt",
    "file_ngrams": "or + its n-grams",
    "workspace": "+ workspace n-grams",
    "workspace_context": "+ both, and context",
}
"""In the order in which they are asked, for the engine learns the workspace before the fourth. ``workspace`` is as Sotto does
it with the model's own setting.
"""
CONTEXT_TOKENS = 256
"""For context in the prompt, where the model's own setting is none."""
PATIENT_MS = 5_000.0
"""The deadline of a retrieval here: it is the gain that is measured."""


@dataclass(frozen=True)
class Cursor:
    """A place in a file, and the rest of its line, which is wanted and is not shown."""

    snapshot: Snapshot
    target: str

    @property
    def key(self) -> str:
        """The file's name in the engine's caches."""
        return self.snapshot.path or self.snapshot.uri


@dataclass(frozen=True)
class Tally:
    """Sums over cursors asked in one way."""

    asked: int = 0
    exact: int = 0
    bits: float = 0.0
    bytes: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, name) + getattr(other, name) for name in ("asked", "exact", "bits", "bytes")))


def cursors(root: Path, texts: dict[str, str], count: int, seed: int = 0) -> list[Cursor]:
    """``count`` cursors inside lines of code: file, line and column each uniform. The rest of each line is cut out."""
    rng, made, tries = random.Random(seed), list[Cursor](), 0
    names = sorted(texts)
    while names and len(made) < count and tries < 50 * count:
        tries += 1
        path = rng.choice(names)
        lines = texts[path].split("\n")
        at = rng.randrange(len(lines))
        line = lines[at].rstrip()
        indent = len(line) - len(line.lstrip())
        if len(line) - indent <= LEAST_TARGET or line.lstrip().startswith(("#", '"""', "'''", "//")):
            continue
        column = rng.randrange(indent, len(line) - LEAST_TARGET + 1)
        start = sum(len(text) + 1 for text in lines[:at])
        text = texts[path]
        rest = text[start + len(line) :]
        cut = text[: start + column] + rest
        snapshot = Snapshot(
            Path(path).as_uri(), language_of(Path(path)), cut, start + column, 1, path, str(root), Trigger.INVOKED
        )
        made.append(Cursor(snapshot, line[column:]))
    return made


async def ask(engine: EngineClient, info: ModelInfo, index: WorkspaceIndex, cursor: Cursor, way: str) -> Tally:
    """One cursor, one way."""
    tokens = budget(info, -1) if way == "workspace" else 0
    tokens = budget(info, -1) or CONTEXT_TOKENS if way in ("context", "workspace_context") else tokens
    site = look(cursor.snapshot, Windows.of(info.context - tokens, MAX_TOKENS))
    prompt = fim(info.layout, site, await _context(index, cursor.snapshot, site, tokens) if tokens else NOTHING)
    file = None if way in ("file", "context") else open_file(site, cursor.snapshot)
    request = GenerateRequest(prompt, MAX_TOKENS, stop=("\n",), budget_ms=20_000, file=file)
    text = "".join([chunk.text async for chunk in engine.generate(request, Cancel())])
    score = await engine.score(ScoreRequest(prompt, cursor.target, file=file))
    return Tally(1, int(text.split("\n", 1)[0].rstrip() == cursor.target), score.bits, score.bytes)


async def _context(index: WorkspaceIndex, snapshot: Snapshot, site: Site, tokens: int) -> Retrieved:
    """What a fresh completion at a cursor would be shown, however long it takes."""
    index.open_buffer(snapshot.path or snapshot.uri, snapshot.text, snapshot.language)
    index.settle()
    found = await Retrieval(WorkspaceRetriever(index), PATIENT_MS).at(snapshot, site, tokens, Cancel())
    index.close_buffer(snapshot.path or snapshot.uri)
    return found


async def teach(engine: EngineClient, texts: dict[str, str]) -> None:
    """Give the engine's workspace cache every file. Raises `EngineError`."""
    for path, text in texts.items():
        await engine.learn(path, text)
    while await engine.waiting():  # noqa: ASYNC110 - another process, which has no event to send
        await asyncio.sleep(0.05)


def figures(tallies: dict[str, Tally]) -> dict[str, float]:
    """Exact match in per cent and bits a byte for each way."""
    made: dict[str, float] = {}
    for way, tally in tallies.items():
        made[f"em_{way}"] = 100 * tally.exact / max(1, tally.asked)
        made[f"bpb_{way}"] = tally.bits / max(1, tally.bytes)
    return made


def readable(paths: Iterable[Path], largest: int = 400_000) -> dict[str, str]:
    """Texts by absolute path; what is not UTF-8 or too large is left out."""
    texts = {}
    for path in paths:
        try:
            if path.stat().st_size <= largest:
                texts[str(path)] = path.read_text("utf-8").replace("\r\n", "\n")
        except (OSError, UnicodeDecodeError):
            continue
    return texts
