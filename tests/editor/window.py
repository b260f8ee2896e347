"""A window of VS Code on a folder: code-server, a headless browser and what a user does in it.

Texts and states are read from the page, as a user sees them. Knows VS Code's page; nothing of what is tested.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATIENCE_S = 60.0
"""For a window, a server and a model that start on a busy machine."""

LINES = """() => [...document.querySelectorAll('.editor-instance .view-lines .view-line')]
  .sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))
  .map(line => [...line.querySelectorAll('span > span')].filter(s => !s.className.includes('ghost-text'))
    .map(s => s.textContent).join('').replaceAll('\\u00a0', ' '))"""
GHOST = """() => ['.ghost-text-decoration', '.view-zones .ghost-text']
  .flatMap(part => [...document.querySelectorAll(`.editor-instance ${part}`)])
  .map(part => part.textContent).join('').replaceAll('\\u00a0', ' ')"""
ASKED = "() => document.activeElement.closest('.quick-input-widget') !== null"
STATUS = """() => { const item = document.querySelector('#sotto\\\\.sotto\\\\.sotto\\\\.status');
  return item && { text: item.textContent.trim(), icon: [...(item.querySelector('.codicon')?.classList ?? [])].join(' '),
    label: item.querySelector('a')?.getAttribute('aria-label') ?? item.getAttribute('aria-label') ?? '' } }"""


class Window:
    """``folder`` is the open one's parent: beside it lie the server's data and VS Code's own."""

    def __init__(self, folder: Path, page: subprocess.Popen[str], environment: dict[str, str]) -> None:
        self.folder, self.workspace, self.data = folder, folder / "project", folder / "data"
        self.environment = environment
        self._page = page

    def ask(self, op: str, **rest: Any) -> Any:
        """One command of `page.mjs`."""
        assert self._page.stdin is not None
        assert self._page.stdout is not None
        self._page.stdin.write(json.dumps({"op": op, **rest}) + "\n")
        self._page.stdin.flush()
        answer = json.loads(self._page.stdout.readline() or '{"error": "the browser has ended"}')
        if "error" in answer:
            raise AssertionError(f"{op}: {answer['error']}")
        return answer["value"]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.ask("press", keys=key)

    def type(self, text: str, delay: int = 40) -> None:
        self.ask("type", text=text, delay=delay)

    def wait(self, script: str, argument: Any = None, seconds: float = PATIENCE_S) -> Any:
        """Wait until a function of the page gives something."""
        return self.ask("wait", script=script, argument=argument, timeout=seconds * 1000)

    def shot(self, path: Path) -> None:
        self.ask("shot", path=str(path))

    def text(self) -> list[str]:
        """The visible lines of the editor in front, without ghost text."""
        lines: list[str] = self.ask("evaluate", script=LINES)
        return lines

    def framed(self, script: str) -> list[Any]:
        """What a function of no arguments gives in each frame of the page that can be asked."""
        found: list[Any] = self.ask("framed", script=script)
        return [one for one in found if one]

    def ghost(self) -> str:
        """The grey text now."""
        ghost: str = self.ask("evaluate", script=GHOST)
        return ghost

    def wait_ghost(self, seconds: float = PATIENCE_S) -> str:
        self.wait(f"() => ({GHOST})().trim() !== ''", seconds=seconds)
        return self.ghost()

    def wait_ghost_text(self, wanted: str) -> None:
        until(lambda: self.ghost() == wanted, lambda: f"the ghost text is {self.ghost()!r}, not {wanted!r}")

    def wait_no_ghost(self) -> None:
        self.wait(f"() => ({GHOST})() === ''")

    def status(self) -> dict[str, str]:
        status: dict[str, str] | None = self.ask("evaluate", script=STATUS)
        return status or {"text": "", "icon": "", "label": ""}

    def traffic(self) -> list[dict[str, Any]]:
        """Every message of editor and server until now, in a window that keeps them."""
        lines = (self.folder / "traffic.jsonl").read_text("utf-8").splitlines() if self.has_traffic() else []
        return [json.loads(line) for line in lines]

    def has_traffic(self) -> bool:
        """Whether the workspace's own server has ever spoken or been spoken to."""
        return (self.folder / "traffic.jsonl").exists()

    def wait_status(self, pattern: str) -> None:
        """Wait until the item's icon, text and description together match."""

        def said() -> str:
            return " | ".join(self.status().values())

        until(lambda: re.search(pattern, said()) is not None, lambda: f"the status item stayed at {said()!r}, not {pattern!r}")

    def command(self, title: str) -> None:
        """Run a command from the palette."""
        self._choose("F1", title, title)

    def _choose(self, key: str, text: str, label: str) -> None:
        """Open a list, type into it and take an entry: again and again, as a window that has just come up swallows keys."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            self.press(key)
            with contextlib.suppress(AssertionError):
                self.wait(ASKED, seconds=3)
                self.type(text, delay=2)
                return self.pick(label, seconds=10)
            assert time.monotonic() < deadline, f"{key} does not lead to {label!r}"
            self.press("Escape")

    def pick(self, label: str, seconds: float = PATIENCE_S) -> None:
        """Choose an entry of the list that is open."""
        row = """label => [...document.querySelectorAll('.quick-input-list .monaco-list-row')]
          .some(row => (row.getAttribute('aria-label') ?? '').includes(label))"""
        self.wait(row, label, seconds)
        self.ask("click", selector=f'.quick-input-list .monaco-list-row[aria-label*="{label}"]')

    def open(self, name: str, text: str | None = None) -> None:
        """Open a file of the workspace, written first if a text is given; the cursor stands at its end."""
        if text is not None:
            (self.workspace / name).write_text(text)
        path = self.workspace / name
        self._choose("Control+P", str(path), path.name)  # a whole path is looked up at once, a name searched for
        self._wait_front(path.name)
        self.press("Control+End")

    def _wait_front(self, name: str) -> None:
        self.wait(
            """name => document.querySelector('.tab.active')?.dataset.resourceName === name
              && document.querySelector('.editor-instance .monaco-editor.focused')""",
            name,
        )

    def toggle_theme(self) -> None:
        """Change the colours from light to dark, or back."""
        dark = "() => document.querySelector('.monaco-workbench').classList.contains('vs-dark')"
        before = self.ask("evaluate", script=dark)
        self.command("Preferences: Toggle between Light/Dark Themes")
        self.wait(f"() => ({dark})() !== {json.dumps(before)}")

    def set(self, machine: bool = False, **settings: Any) -> None:
        """Change the user's settings, or those of the machine that the server runs on; ``a__b`` stands for ``a.b``."""
        path = self.folder / "user" / ("Machine" if machine else "User") / "settings.json"
        fresh = {**json.loads(path.read_text()), **{name.replace("__", "."): value for name, value in settings.items()}}
        if machine:
            self._choose("Control+P", str(path), path.name)
        else:
            self.command("Preferences: Open User Settings (JSON)")
        self._wait_front(path.name)
        while self.text() != [""]:
            self.press("Control+A", "Delete")
        self.ask("insert", text=json.dumps(fresh))
        self.press("Control+S")
        until(lambda: path.read_text() == json.dumps(fresh), path.read_text)
        self.command("View: Close Editor")

    def revert(self) -> None:
        """Forget what was typed into the file in front, and close it."""
        self.press("Escape")
        self.command("View: Revert and Close Editor")
        self.wait_no_ghost()

    def close_all(self) -> None:
        """Forget what was typed, and close every editor."""
        while self.ask("evaluate", script="() => document.querySelector('.tab.active') !== null"):
            self.revert()

    def place(self) -> tuple[int, int]:
        """Line and column of the cursor, from 1, as the status bar has them."""
        item = "() => [...document.querySelectorAll('.statusbar-item')].map(i => i.textContent).find(t => t.startsWith('Ln '))"
        line, column = re.findall(r"\d+", self.ask("evaluate", script=item) or "0 0")[:2]
        return int(line), int(column)

    @staticmethod
    def pause(seconds: float) -> None:
        """Let so much time go by: for what must not happen."""
        time.sleep(seconds)

    def wait_line(self, wanted: str, line: int = -1) -> None:
        """Wait until a visible line, the last one if nothing else is said, is this one."""
        until(lambda: self.text()[line] == wanted, lambda: f"{self.text()[line]!r} instead of {wanted!r}")

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """What the server's store says now."""
        with contextlib.closing(sqlite3.connect(f"{(self.data / 'telemetry.db').as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    def wait_rows(self, sql: str, *values: Any) -> list[Any]:
        """Wait until the store says something."""
        found: list[Any] = []

        def happened() -> bool:
            found[:] = self.rows(sql, *values)
            return bool(found)

        until(happened, lambda: sql)
        return found

    def pids(self, part: str) -> list[int]:
        """Processes of this window whose command line holds ``part``."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                mine = str(self.folder) in (entry / "environ").read_bytes().decode(errors="replace")
                if part in line and mine:
                    found.append(int(entry.name))
        return found


def until(happened: Callable[[], bool], what: Callable[[], str] = lambda: "it did not happen") -> None:
    """Wait for something that is looked at again and again."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def git(folder: Path, *words: str) -> None:
    """Run git in a folder, as somebody."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
