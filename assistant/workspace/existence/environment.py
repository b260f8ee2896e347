"""Where the modules of a workspace lie: its own folders, its virtual environment or ours, the standard library.

Looks at folders and at ``pyvenv.cfg``; runs and imports nothing. What it finds is remembered for two seconds.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar, cast

T = TypeVar("T")
TTL_S = 2.0
MAX_KEPT = 4_000
_COMPILED = (".so", ".pyd", ".dylib")


@dataclass(frozen=True)
class Place:
    """What an import finds: ``files`` to read (a stub first), or none for a compiled module or a folder without
    ``__init__``. ``folder``: of a package. ``closed``: what is not in the files and the folder does not exist.
    """

    name: str
    files: tuple[str, ...] = ()
    folder: str = ""
    closed: bool = True


@dataclass(frozen=True)
class Python:
    """An installation: where its packages and its standard library lie. ``ours``: as new as the interpreter that runs us."""

    packages: tuple[str, ...]
    library: str
    ours: bool


class Environment:
    """Answers for all folders; safe from any thread. ``clock`` counts seconds from anywhere."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, variables: dict[str, str] | None = None) -> None:
        self._clock = clock
        self._variables = os.environ if variables is None else variables
        self._kept: dict[tuple[str, ...], tuple[float, object]] = {}

    def python(self, root: str | None) -> Python:
        """The environment of a workspace."""
        return self._remember(("python", root or ""), lambda: self._python(root))

    def _python(self, root: str | None) -> Python:
        folders = [os.path.join(root, name) for name in (".venv", "venv", "env")] if root else []
        for folder in [*folders, self._variables.get("VIRTUAL_ENV", "")]:
            found = _virtual(folder) if folder else None
            if found is not None:
                return found
        paths = sysconfig.get_paths()
        return Python((paths["purelib"], paths["platlib"]), paths["stdlib"], True)

    def listing(self, folder: str) -> frozenset[str]:
        """The names in a folder; none for one that cannot be read."""
        return self._remember(("folder", folder), lambda: _names(folder))

    def find(self, name: str, folders: Iterable[str]) -> Place | None:
        """The module called ``name`` (dotted) on a search path; ``None`` if it is not there."""
        head, _, rest = name.partition(".")
        place = self._top(head, tuple(folders))
        while place is not None and rest:
            head, _, rest = rest.partition(".")
            place = self.inside(place, head)
        return place

    def _top(self, name: str, folders: tuple[str, ...]) -> Place | None:
        spread = None
        for folder in folders:
            found = self.at(folder, name, name)
            if found is not None and found.closed:
                return found
            spread = spread or found
        return spread

    def inside(self, package: Place, name: str) -> Place | None:
        """A submodule of a package."""
        return self.at(package.folder, name, f"{package.name}.{name}") if package.folder else None

    def at(self, folder: str, name: str, full: str) -> Place | None:
        """The module ``name`` in a folder. A stub package ``name-stubs`` counts where there is one."""
        names = self.listing(folder)
        package, stub = os.path.join(folder, name), os.path.join(folder, f"{name}-stubs")
        files = [os.path.join(stub, "__init__.pyi")] if f"{name}-stubs" in names else []
        inner = self.listing(package) if name in names else frozenset()
        inside = [os.path.join(package, file) for file in ("__init__.pyi", "__init__.py") if file in inner]
        if inside:
            return Place(full, (*files, *inside), package)
        files += [os.path.join(folder, name + suffix) for suffix in (".pyi", ".py") if name + suffix in names]
        if files:
            return Place(full, tuple(files), stub if f"{name}-stubs" in names else "")
        if any(entry.startswith(f"{name}.") and entry.endswith(_COMPILED) for entry in names):
            return Place(full)
        if inner:
            return Place(full, (), package, closed=False)
        return None

    def _remember(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        now = self._clock()
        known = self._kept.get(key)
        if known is None or now - known[0] > TTL_S:
            if len(self._kept) > MAX_KEPT:
                self._kept.clear()
            known = self._kept[key] = (now, make())
        return cast("T", known[1])


def _names(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except (OSError, ValueError):
        return frozenset()


def _virtual(folder: str) -> Python | None:
    """A virtual environment by its ``pyvenv.cfg``; ``None`` if there is none, or its Python is gone."""
    settings = _settings(os.path.join(folder, "pyvenv.cfg"))
    home = settings.get("home", "")
    version = re.match(r"3\.\d+", settings.get("version", settings.get("version_info", "")))
    if not home:
        return None
    name = f"python{version.group()}" if version else ""
    packages = [os.path.join(folder, "Lib", "site-packages"), *_under(folder, name)]
    base = os.path.dirname(home)
    libraries = [os.path.join(base, "lib", name), os.path.join(home, "Lib"), os.path.join(base, "lib64", name)]
    library = next((found for found in libraries if name and os.path.isfile(os.path.join(found, "os.py"))), "")
    ours = version is not None and version.group() == f"{sys.version_info[0]}.{sys.version_info[1]}"
    return Python(tuple(found for found in packages if os.path.isdir(found)), library, ours)


def _under(folder: str, name: str) -> list[str]:
    return [os.path.join(folder, lib, name, "site-packages") for lib in ("lib", "lib64")] if name else []


def _settings(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.partition("=") for line in file.read(20_000).splitlines()]
    except OSError:
        return {}
    return {key.strip().lower(): value.strip() for key, mark, value in lines if mark}


@lru_cache(maxsize=256)
def _package_root(folder: str, stamp: int) -> str:
    while os.path.isfile(os.path.join(folder, "__init__.py")) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def search_path(path: str | None, root: str | None, python: Python, now: float) -> tuple[str, ...]:
    """The folders in which an import of the file at ``path`` looks, in order. ``now`` in seconds; answers hold for ten."""
    found = []
    if path:
        folder = os.path.dirname(path)
        found.append(_package_root(folder, int(now // 10)))  # the folder itself, for a file in no package
    if root:
        found += [root, os.path.join(root, "src"), os.path.join(root, "lib")]
    return tuple(dict.fromkeys(folder for folder in [*found, python.library, *python.packages] if folder))
