"""Nothing of the user's text is in the files, and nothing in the package can send it anywhere."""

from __future__ import annotations

import ast
import dataclasses
import subprocess
import sys
from pathlib import Path

import telemetry
from telemetry.events import Event
from telemetry.store import Store
from tests.telemetry.samples import SEEN, SHOWN, opportunity

PACKAGE = Path(telemetry.__file__).parent
ROOT = PACKAGE.parent
STDLIB = {
    "__future__", "collections", "contextlib", "dataclasses", "fcntl", "hashlib", "hmac", "itertools", "json", "math",
    "msvcrt", "operator", "os", "pathlib", "random", "re", "secrets", "sqlite3", "sys", "threading", "time", "typing",
}  # fmt: skip


def imported(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def test_the_package_imports_only_what_cannot_reach_a_network() -> None:
    """The dashboard, which is a server on a loopback port and a process of its own, has tests of its own."""
    found = {name for file in PACKAGE.rglob("*.py") if "dashboard" not in file.parts for name in imported(file)}
    assert found <= STDLIB | {"telemetry", "sqlite_utils"}


def test_a_server_whose_store_exists_loads_no_network_module_and_no_sqlite_utils(tmp_path: Path) -> None:
    """sqlite-utils, needed to migrate only, costs 200 to 300 ms (it brings numpy)."""
    store = Store.open(tmp_path)
    store.record(SHOWN)
    assert store.close(30)
    script = """
import sys, pathlib
from telemetry import queries, retention
from telemetry.events import Event
from telemetry.store import Store
from tests.telemetry.samples import STORY
store = Store.open(pathlib.Path(sys.argv[1]))
for event in STORY:
    store.record(event)
assert store.close(30) and store.problem == "" and queries.summary(store.path).opportunities == 3
bad = {"socket", "ssl", "http.client", "urllib.request", "torch", "pygls", "sqlite_utils", "numpy"} & set(sys.modules)
assert not bad, bad
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, check=True, timeout=60)


def test_no_path_and_no_text_in_any_byte_of_the_folder(store: Store) -> None:
    secret = "/home/someone/top-secret-project/launch_codes.py"
    source = "def launch_the_rocket():"
    for number in range(50):
        event = opportunity(file_key=store.file_key(secret), features={"prefix_chars": float(number), source: 1.0})
        store.record(event)
    # What a careless caller might hand in is refused, not stored.
    careless: list[Event] = [
        dataclasses.replace(SHOWN, id="x1", file_key=secret),
        dataclasses.replace(SHOWN, id="x2", reason=source),
        dataclasses.replace(SHOWN, id="x3", language=secret),
        dataclasses.replace(SHOWN, id=secret),
        dataclasses.replace(SEEN, source=secret),
    ]
    for refused in careless:
        store.record(refused)
    assert store.flush(10)
    assert store.dropped == len(careless)
    files = [path.read_bytes() for path in store.path.parent.iterdir()]
    for part in ("someone", "top-secret", "launch", "rocket"):
        assert not [data for data in files if part.encode() in data or part.encode("utf-16-le") in data]
    assert any(store.file_key(secret).encode() in data for data in files), "the rows themselves are there"
