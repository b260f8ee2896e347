"""From keystroke to ghost text in a real VS Code, and how long activation takes: `python -m tests.editor.latency`.

Both moments are the page's own: the key's event, and the first frame after the ghost text is in the document. Prints one JSON
object. Figures only; nothing is asserted.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import cast

import pytest

from tests.editor.opening import open_window
from tests.editor.tools import Tools
from tests.editor.window import Window

WATCH = """() => {
  let pressed = 0;
  window.sottoTimes = [];
  addEventListener('keydown', event => { pressed = event.key === '.' ? performance.now() : 0; }, true);
  new MutationObserver(() => {
    if (pressed && document.querySelector('.editor-instance .ghost-text-decoration')) {
      const began = pressed;
      pressed = 0;
      requestAnimationFrame(() => window.sottoTimes.push(performance.now() - began));
    }
  }).observe(document.body, { subtree: true, childList: true });
}"""
STEMS = ("read", "write", "count", "merge", "split", "find", "load", "save", "open", "close")


def place(number: int) -> str:
    """A file with a cursor that the model has not seen: behind it a point is typed."""
    name = f"{STEMS[number % len(STEMS)]}_{number}"
    return f"import os\n\n\ndef {name}(folder, {name}_name):\n    return os"


def activation(window: Window) -> float:
    """Milliseconds, as VS Code counts them."""
    window.command("Developer: Show Running Extensions")
    row = "() => [...document.querySelectorAll('.extension')].find(one => one.textContent.includes('Sotto'))?.textContent"
    text = str(window.wait(row))
    return float(text.split("Activation: ")[1].split("ms")[0])


def main(rounds: int = 20) -> None:
    folder = Path(tempfile.mkdtemp(prefix="sotto-latency-"))
    with open_window(Tools.get(cast(pytest.TempPathFactory, _Folder(folder))), folder / "window") as window:
        window.open("first.py", place(0))
        window.wait_status("codicon-check")
        window.ask("evaluate", script=WATCH)
        for number in range(1, rounds + 1):
            window.open(f"file{number}.py", place(number))
            window.pause(0.5)
            window.type(".")
            window.pause(1.0)
            window.revert()
        times = sorted(window.ask("evaluate", script="() => window.sottoTimes"))
        found = {"activation_ms": activation(window), "ghost_ms": times, "n": len(times)}
    found["p50_ms"] = statistics.median(times) if times else None
    sys.stdout.write(json.dumps(found) + "\n")


class _Folder:
    """As much of pytest's factory as `Tools.get` needs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def mktemp(self, name: str) -> Path:
        path = self._folder / name
        path.mkdir()
        return path


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
