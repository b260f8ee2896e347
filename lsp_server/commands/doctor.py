"""`sotto doctor`: look at everything a completion needs, and say of each failing line what to do."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.types import EngineError, ModelInfo
from assistant.workspace.schema import has_fts5
from lsp_server import __version__
from lsp_server.commands.local import invoked_snapshot, local_completer
from lsp_server.paths import cache_dir

PACKAGES = ("torch", "tokenizers", "safetensors", "numpy", "pygls", "lsprotocol", "tree-sitter", "sqlite-utils")
CPU_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimddp", "i8mm")
PROBE = "import sys\n\n\ndef main() -> None:\n    for name in sys."


@dataclass(frozen=True)
class Check:
    """One line of the report; ``advice`` is empty exactly when ``ok``."""

    name: str
    ok: bool
    found: str
    advice: str = ""


def _versions() -> Iterator[Check]:
    ok = sys.version_info >= (3, 10)
    yield Check("python", ok, platform.python_version(), "" if ok else "install Python 3.10 or newer and reinstall Sotto")
    yield Check("sotto", True, __version__)
    for package in PACKAGES:
        try:
            yield Check(package, True, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            yield Check(package, False, "not installed", f"run: {sys.executable} -m pip install {package}")


def cpu_flags() -> set[str]:
    """Feature names as Linux spells them; empty where the system does not list them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    for line in lines:
        if line.startswith(("flags", "Features")):
            return set(line.partition(":")[2].split())
    return set()


def _cpu() -> Iterator[Check]:
    flags = cpu_flags()
    known = [feature for feature in CPU_FEATURES if feature in flags]
    yield Check(
        "cpu", True, f"{platform.machine()}, {os.cpu_count()} cores, {' '.join(known) or 'features not listed by this system'}"
    )


def _accelerator() -> Iterator[Check]:
    device = next((str(p) for p in (Path("/dev/nvidia0"), Path("/dev/kfd")) if p.exists()), "")
    yield Check(
        "accelerator", True, f"{device} (this version runs its model on the CPU)" if device else "none: the CPU does it"
    )


def _store(folder: Path) -> Iterator[Check]:
    path = folder / "telemetry.db"
    if not path.exists():
        yield Check("store", True, f"{path} (made at the first suggestion)")
        return
    try:
        with sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=2.0) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
        ok, found = verdict == "ok", f"{path}, {path.stat().st_size / 1024:.0f} KB, {verdict}"
    except sqlite3.Error as error:
        ok, found = False, f"{path}: {error}"
    yield Check("store", ok, found, "" if ok else "move the file away; Sotto makes a new one at its next start")


NEEDED_BYTES = 200_000_000
"""A workspace of 30 MB of source has an index of about this size."""


def _index(folder: Path) -> Iterator[Check]:
    """The folder of the workspace indexes: whether it can be written, and what lies there."""
    advice = "set SOTTO_DATA_DIR to a folder of yours, or the setting workspaceIndex to false"
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Check("index", False, f"{folder} cannot be written", advice)
        return
    files = [path for path in folder.glob("index-*") if path.is_file()] if there == folder else []
    free = shutil.disk_usage(there).free
    ok = free >= NEEDED_BYTES
    kept = (
        f"{sum(path.suffix == '.db' for path in files)} workspaces, {sum(path.stat().st_size for path in files) / 1e6:.0f} MB"
    )
    found = f"{folder}, {kept}" if files else f"{folder} (made when a folder is first opened)"
    yield Check("index", ok, found if ok else f"{found}; {free / 1e6:.0f} MB free", "" if ok else f"make room, or {advice}")
    with closing(sqlite3.connect(":memory:")) as connection:
        has_text = has_fts5(connection)
    if not has_text:
        yield Check("fts5", False, "this Python's SQLite has no FTS5: names are found, words are not", "use another Python")


async def _engine(model: str, threads: int) -> list[Check]:
    try:
        async with local_completer(model, threads) as (_, completer, info):
            snapshot = invoked_snapshot(Path("probe.py"), PROBE, len(PROBE))
            config = Config(languages={"*": True}, exclude=(), respect_gitignore=False)
            completion = await completer.complete(snapshot, config, Cancel())
    except EngineError as error:
        return [
            Check(
                "model",
                False,
                str(error),
                "give another folder with --model, or reinstall: pip install --force-reinstall sotto",
            )
        ]
    size = f"{info.name}, {info.parameters / 1e6:.1f} M parameters, {info.quantization}, context {info.context}"
    shown = completion.suggestion.inserted if completion.suggestion else f"nothing ({completion.reason.value})"
    ok = completion.new_tokens > 0
    return [
        Check("model", True, f"{size}, loaded in {info.load_ms:.0f} ms"),
        _identity(info),
        Check("threads", True, f"{info.threads}: {info.threads_reason}"),
        Check(
            "completion",
            ok,
            f"`for name in sys.` -> {shown!r} in {completion.timings.total:.0f} ms",
            "" if ok else "the model loads but decodes nothing: check --model, then report this with `sotto doctor --json`",
        ),
    ]


def _identity(info: ModelInfo) -> Check:
    """Only Sotto's own checkpoints state what their files must hash to; others are told apart by a sample of theirs."""
    if info.runner.startswith("transformers"):
        return Check("identity", True, f"{info.sha256[:16]}..., from samples of its files; it runs by {info.runner}")
    return Check("checksum", True, f"sha256 {info.sha256[:16]}... as the checkpoint's config says")


def diagnose(model: str, threads: int, folder: Path) -> list[Check]:
    """Every check, in the order a completion meets them."""
    checks = [*_versions(), *_cpu(), *_accelerator()]
    if importlib.util.find_spec("torch") is not None:
        checks += asyncio.run(_engine(model, threads))
    return [*checks, *_store(folder), *_index(cache_dir(folder))]


def run(as_json: bool, model: str, threads: int, folder: Path) -> int:
    checks = diagnose(model, threads, folder)
    ok = all(check.ok for check in checks)
    if as_json:
        sys.stdout.write(json.dumps({"ok": ok, "checks": [asdict(check) for check in checks]}) + "\n")
        return 0 if ok else 1
    table = Table(show_header=False, box=None)
    for check in checks:
        mark = Text("ok", style="green") if check.ok else Text("FAIL", style="bold red")
        table.add_row(mark, check.name, Text(check.found + (f"\n-> {check.advice}" if check.advice else "")))
    Console().print(table)
    return 0 if ok else 1
