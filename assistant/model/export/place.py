"""Where an export is written: beside its target under a hidden name, then moved there in one step. All or nothing.

Knows paths and disks; does not know what is written.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from assistant.types import EngineError

LAST = "config.json"
"""What a reader opens first is moved last."""


class ExportError(EngineError):
    """Nothing was written; the text is one sentence that says what to do."""


@contextmanager
def new_folder(target: Path, model: Path, force: bool) -> Iterator[Path]:
    """An empty folder to fill, which becomes ``target`` when the block ends well. Raises `ExportError`.

    With ``force`` a folder that holds something keeps what the export has no file of the same name for.
    """
    target = target.resolve()
    if target == model.resolve():
        raise ExportError(f"{target} is the checkpoint itself; choose another folder with --out")
    if target.exists() and not target.is_dir():
        raise ExportError(f"{target} is a file; give a folder with --out")
    if _holds_something(target) and not force:
        raise ExportError(f"{target} is not empty; choose another folder with --out, or add --force to replace files in it")
    staging = _beside(target)
    with _written(target):
        try:
            staging.mkdir(parents=True)
            yield staging
            _settle(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def new_file(target: Path, force: bool) -> Iterator[Path]:
    """A path to write to, which becomes ``target`` when the block ends well. Raises `ExportError`."""
    target = target.resolve()
    if target.is_dir():
        raise ExportError(f"{target} is a folder; give the name of a file with --out")
    if target.exists() and not force:
        raise ExportError(f"{target} is there already; choose another name with --out, or add --force to replace it")
    staging = _beside(target)
    with _written(target):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            yield staging
            os.replace(staging, target)
        finally:
            staging.unlink(missing_ok=True)


@contextmanager
def _written(target: Path) -> Iterator[None]:
    """A disk that fills or refuses, as one sentence; safetensors has an error of its own for it."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ExportError(f"cannot write {target} ({why}); make room there, or choose another place with --out") from error


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")


def _holds_something(folder: Path) -> bool:
    try:
        return folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise ExportError(f"cannot read {folder} ({error.strerror}); choose another folder with --out") from error


def _settle(staging: Path, target: Path) -> None:
    if not _holds_something(target):
        if target.exists():
            target.rmdir()  # Windows does not rename onto a folder, not even an empty one
        os.replace(staging, target)
        return
    for file in sorted(staging.iterdir(), key=lambda file: file.name == LAST):
        os.replace(file, target / file.name)
