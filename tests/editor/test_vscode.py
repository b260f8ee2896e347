"""The extension in a real VS Code, with the real server and the shipped model: what a user sees, and what the store then holds.

Suggestions are read from the screen, never expected word by word: another model may say something else.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editor.window import Window, until

pytestmark = pytest.mark.editor

BEFORE = "import os\n\n\ndef both(folder, first):\n    return os"
"""With a point typed behind it, the model has something of several words to say."""
LAST = BEFORE.split("\n")[-1]


@pytest.fixture
def ready(window: Window) -> Iterator[Window]:
    """The window with a fresh file in front and the model loaded; afterwards nothing is open."""
    name = f"file{len(list(window.workspace.glob('file*.py')))}.py"
    window.open(name, BEFORE)
    window.wait_status("codicon-check")
    yield window
    window.close_all()


@pytest.fixture
def ghost(ready: Window) -> str:
    """A suggestion of several words stands at the cursor."""
    ready.type(".")
    text = ready.wait_ghost()
    assert len(text) > 6
    return text


def outcomes(window: Window) -> list[tuple[str, str]]:
    """(kind, how) of every final outcome, in their order."""
    return window.rows("select kind, how from outcome where final order by ts_ms")


def test_tab_accepts_the_ghost_text(ready: Window, ghost: str) -> None:
    ready.press("Tab")
    ready.wait_line(f"{LAST}.{ghost}")
    ready.revert()
    assert ready.wait_rows("select 1 from outcome where final and kind = 'accepted' and how = 'command'")


def test_typing_through_keeps_it(ready: Window, ghost: str) -> None:
    for count in range(1, 4):
        ready.type(ghost[count - 1])
        ready.wait_ghost_text(ghost[count:])
    ready.wait_line(f"{LAST}.{ghost[:3]}")
    ready.revert()


def test_escape_lets_it_go(ready: Window, ghost: str) -> None:
    ready.press("Escape")
    ready.wait_no_ghost()
    ready.wait_line(f"{LAST}.")
    ready.revert()


def test_a_word_and_then_the_rest(ready: Window, ghost: str) -> None:
    ready.press("Control+ArrowRight")
    until(lambda: ready.text()[-1] != f"{LAST}.")
    taken = len(ready.text()[-1]) - len(LAST) - 1
    assert 0 < taken < len(ghost)
    ready.wait_line(f"{LAST}.{ghost[:taken]}")
    ready.wait_ghost_text(ghost[taken:])
    ready.wait_rows("select 1 from outcome where kind = 'accepted_word' and how = 'notified' and accepted_chars = ?", taken)
    ready.press("Tab")
    ready.wait_line(f"{LAST}.{ghost}")
    ready.revert()
    parted = "select impression from outcome where kind = 'accepted_word'"
    (last,) = ready.wait_rows(f"select kind, accepted_chars from outcome where final and impression in ({parted})")
    assert last == ("accepted", len(ghost))


def test_the_popup_and_the_ghost_text_do_not_fight_for_tab(ready: Window, ghost: str) -> None:
    """With an entry of the popup chosen, Tab takes that entry."""
    ready.press("Control+Space")
    row = ".suggest-widget.visible .monaco-list-row.focused"
    ready.wait(f"() => document.querySelector('{row}')")
    chosen = ready.ask("evaluate", script=f"() => document.querySelector('{row}').getAttribute('aria-label')")
    ready.press("Tab")
    ready.wait_line(f"{LAST}.{chosen.split(',')[0]}")
    ready.revert()


def test_an_excluded_file_says_why(ready: Window) -> None:
    ready.open(".env", "KEY=1\n")
    ready.wait_status(r"circle-slash.*excluded.*No suggestions here: this file is excluded: .*\.env")
    ready.revert()


def test_a_language_that_is_off_can_be_switched_on_in_the_menu(ready: Window) -> None:
    ready.open("notes.md", "# Notes\n")
    ready.wait_status("circle-slash.*off.*switched off for markdown")
    ready.command("Sotto: Menu")
    ready.pick("Switch on for markdown")
    ready.wait_status("codicon-check")
    ready.command("Sotto: Menu")
    ready.pick("Switch off for markdown")
    ready.wait_status("switched off for markdown")
    ready.revert()


def test_quiet_until_it_is_ended(ready: Window) -> None:
    ready.command("Sotto: Quiet for a While")
    ready.pick("15 minutes")
    ready.wait_status("bell-slash.*Quiet until")
    ready.type(".")
    ready.pause(1)  # an answer takes a few hundredths of a second
    assert ready.ghost() == ""
    ready.command("Sotto: Quiet for a While")
    ready.wait_status("codicon-check")
    ready.type("pa")
    assert ready.wait_ghost()
    ready.revert()


def test_a_killed_engine_comes_back(ready: Window) -> None:
    (engine,) = ready.pids("assistant.model.process")
    os.kill(engine, signal.SIGKILL)
    ready.wait_status("restarting|loading")
    ready.wait_status("codicon-check")
    ready.type(".")
    assert ready.wait_ghost()
    assert engine not in ready.pids("assistant.model.process")
    ready.revert()


def test_a_killed_server_comes_back(ready: Window) -> None:
    (server,) = ready.pids("lsp_server serve")
    os.kill(server, signal.SIGKILL)
    ready.wait_status("restarting|loading")
    ready.wait_status("codicon-check")
    ready.type(".")
    assert ready.wait_ghost()
    assert server not in ready.pids("lsp_server serve")
    ready.revert()


def test_pictures(ready: Window) -> None:
    """For a person to look at; kept where `SOTTO_EDITOR_PICTURES` says."""
    ready.type(".")
    folder = Path(os.environ.get("SOTTO_EDITOR_PICTURES") or ready.folder)
    for theme in ("light", "dark"):
        ready.press("End")
        ready.command("Sotto: Suggest Here")
        assert ready.wait_ghost()
        picture = folder / f"suggestion-{theme}.png"
        ready.shot(picture)
        assert picture.stat().st_size > 10_000
        ready.toggle_theme()


def test_the_store_knows_every_suggestion_that_was_taken(ready: Window) -> None:
    kinds = [kind for kind, _ in outcomes(ready)]
    assert kinds.count("accepted") == 2
    assert ("notified",) in ready.rows("select distinct how from impression")
    assert {"rejected", "unread", "ignored", "superseded", "typed_through"} >= set(kinds) - {"accepted"}
    (sessions,) = ready.rows("select count(*) from session where client like '%Code%' or client like '%code%'")
    assert sessions[0] >= 2
