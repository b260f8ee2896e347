"""Where source text comes from: the manifest's wheels (fetched by pip), the standard library, installed packages.

Knows archives and package metadata. Does not know which files are good (`filters.py`) or which repeat (`corpus.py`).
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MANIFEST = Path(__file__).with_name("manifest.json")
RESERVED_INITIALS = ("h", "w", "z")
_WHEEL = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)-.*\.whl")


class CorpusError(ValueError):
    """A manifest or a folder of archives that training cannot use; the message says what to change."""


@dataclass(frozen=True)
class Distribution:
    """One entry of the manifest. ``modules``: the import names that a held-out distribution reserves."""

    name: str
    version: str
    licence: str
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class History:
    """A project whose commits teach edits: OWNER/NAME, and the revision that is read."""

    name: str
    revision: str
    licence: str


@dataclass(frozen=True)
class Manifest:
    """``more`` is for the larger presets alone."""

    train: tuple[Distribution, ...]
    installed: tuple[Distribution, ...]
    held_out: tuple[Distribution, ...]
    more: tuple[Distribution, ...] = ()
    histories: tuple[History, ...] = ()

    @property
    def reserved_modules(self) -> frozenset[str]:
        return frozenset(m.lower() for d in self.held_out for m in d.modules)


@dataclass(frozen=True)
class SourceFile:
    """A file as it lies in its distribution, before any judgement."""

    package: str
    licence: str
    path: str
    data: bytes


def canonical(name: str) -> str:
    """A distribution's name in the form that compares equal (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def load_manifest(path: Path = MANIFEST) -> Manifest:
    """Read the manifest; refuses one that trains on a reserved name."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        sections = {key: tuple(_entry(e) for e in data[key]) for key in ("train", "installed", "held_out")}
        more = tuple(_entry(e) for e in data.get("more", ()))
        histories = tuple(History(**entry) for entry in data.get("histories", ()))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CorpusError(f"cannot read the corpus manifest {path}: {error}") from error
    manifest = Manifest(**sections, more=more, histories=histories)
    projects = (Distribution(h.name.rpartition("/")[2], h.revision, h.licence) for h in histories)
    for entry in (*manifest.train, *manifest.installed, *manifest.more, *projects):
        if canonical(entry.name).startswith(RESERVED_INITIALS):
            raise CorpusError(f"{entry.name} is reserved for evaluation (names in h, w and z); take it out of {path}")
    return manifest


def _entry(data: dict[str, object]) -> Distribution:
    modules = data.get("modules", ())
    if not isinstance(modules, (list, tuple)):
        raise TypeError("modules must be a list")
    return Distribution(str(data["name"]), str(data["version"]), str(data["licence"]), tuple(map(str, modules)))


def fetch(distributions: tuple[Distribution, ...], folder: Path) -> None:
    """Download the wheels that ``folder`` lacks with pip, at the manifest's versions."""
    folder.mkdir(parents=True, exist_ok=True)
    present = {(canonical(m["name"]), m["version"]) for m in map(_WHEEL.fullmatch, _names(folder)) if m}
    missing = [f"{d.name}=={d.version}" for d in distributions if (canonical(d.name), d.version) not in present]
    if not missing:
        return
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", str(folder)]
    done = subprocess.run([*command, *missing], check=False, capture_output=True, text=True)
    if done.returncode:
        raise CorpusError(f"pip could not fetch the corpus into {folder}: {done.stderr.strip()[-500:]}")


def _names(folder: Path) -> list[str]:
    try:
        return sorted(p.name for p in folder.iterdir())
    except OSError as error:
        raise CorpusError(f"cannot read the corpus folder {folder}: {error}") from error


def wheels(distributions: tuple[Distribution, ...], folder: Path) -> Iterator[SourceFile]:
    """Python files of the wheels in ``folder`` that the manifest names, package by package, in the archive's path order."""
    by_name = {(canonical(d.name), d.version): d for d in distributions}
    for name in _names(folder):
        match = _WHEEL.fullmatch(name)
        entry = by_name.get((canonical(match["name"]), match["version"])) if match else None
        if entry is None:
            continue
        try:
            with zipfile.ZipFile(folder / name) as archive:
                for path in sorted(p for p in archive.namelist() if p.endswith(".py") and ".data/" not in p):
                    yield SourceFile(entry.name, entry.licence, path, archive.read(path))
        except (OSError, zipfile.BadZipFile) as error:
            raise CorpusError(f"{folder / name} is not a readable wheel ({error}); delete it and run again") from error


def standard_library() -> Iterator[SourceFile]:
    """The running interpreter's library, without its installed packages and test suite."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for file in sorted(root.rglob("*.py")):
        path = file.relative_to(root).as_posix()
        if path.startswith(("site-packages/", "dist-packages/", "test/", "lib2to3/tests/", "ensurepip/")):
            continue
        yield SourceFile("python", "PSF-2.0", path, file.read_bytes())


def installed(distributions: tuple[Distribution, ...]) -> Iterator[SourceFile]:
    """Python files of distributions that are installed beside this program; one that is missing is passed over."""
    for entry in distributions:
        try:
            files = importlib.metadata.files(entry.name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in sorted(files, key=str):
            located = Path(str(file.locate()))
            if file.suffix == ".py" and located.is_file():
                yield SourceFile(entry.name, entry.licence, file.as_posix(), located.read_bytes())


def scripts(folder: Path) -> Iterator[SourceFile]:
    """JavaScript and TypeScript of the npm archives (``npm pack NAME``) in ``folder``; no minified and built files."""
    for name in _names(folder):
        if not name.endswith(".tgz") or name.startswith(RESERVED_INITIALS):
            continue
        with tarfile.open(folder / name) as archive:
            for member in sorted(archive.getmembers(), key=lambda m: m.name):
                path = member.name.partition("/")[2]
                wanted = path.endswith((".js", ".ts", ".mjs", ".tsx")) and not re.search(r"\.min\.|(^|/)(dist|umd)/", path)
                if wanted and member.isfile() and (file := archive.extractfile(member)) is not None:
                    yield SourceFile(name.removesuffix(".tgz"), "MIT", path, file.read())
