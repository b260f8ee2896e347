"""A review in a real VS Code: the comment in the margin and in the tree, its fix applied, its dismissal kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editor.window import Window, git, until

pytestmark = pytest.mark.editor

BAG = "def gather(item, into):\n    into.append(item)\n    return into\n\n\ndef size(found):\n    return len(found)\n"
CHANGED = BAG.replace("into):", "into=[]):", 1)
RULE = "mutable-default"

TREE = """() => [...document.querySelectorAll('.pane [aria-label="Sotto Review"] .monaco-list-row, .pane .monaco-list-row')]
  .map(row => row.getAttribute('aria-label') ?? '').filter(label => label.includes('%s'))"""


@pytest.fixture
def reviewed(window: Window, request: pytest.FixtureRequest) -> Iterator[Window]:
    """A committed file, changed for the worse, and reviewed."""
    name = f"bag_{request.node.name}.py"
    (window.workspace / name).write_text(BAG)
    git(window.workspace, "add", name)
    git(window.workspace, "commit", "-q", "-m", name)
    window.open(name, CHANGED)
    window.wait_status("codicon-check")
    window.command("Sotto: Review Changes in This File")
    window.wait("() => document.querySelector('.squiggly-warning')")
    yield window
    window.close_all()
    git(window.workspace, "checkout", "-q", name)


def remarks(window: Window) -> list[str]:
    found: list[str] = window.ask("evaluate", script=TREE % RULE)
    return found


def test_a_comment_stands_in_the_margin_and_in_the_tree(reviewed: Window) -> None:
    until(lambda: len(remarks(reviewed)) >= 1)
    assert reviewed.ask(
        "evaluate", script="() => document.querySelectorAll('.comment-thread-unresolved, .comment-range-glyph').length"
    )
    reviewed.wait("() => [...document.querySelectorAll('.pane .message')].some(one => one.textContent.includes('to read'))")


def choose(window: Window, label: str) -> None:
    """Take an entry of the light bulb's menu on the first line."""
    window.press("Control+Home", "Control+.")
    row = "label => [...document.querySelectorAll('.action-widget .monaco-list-row')].some(r => r.textContent.includes(label))"
    window.wait(row, label)
    window.ask("click", selector=f'.action-widget .monaco-list-row:has-text("{label}")')
    window.wait("() => !document.querySelector('.squiggly-warning')")


def test_its_quick_fix_is_applied(reviewed: Window) -> None:
    choose(reviewed, "Fix:")
    until(lambda: "=[]" not in reviewed.text()[0], lambda: reviewed.text()[0])
    joined = "opportunity o join impression i on i.opportunity = o.id join outcome x on x.impression = i.id"
    reviewed.wait_rows(f"select 1 from {joined} where o.kind = 'review' and x.kind = 'accepted'")


def test_a_dismissed_comment_does_not_come_back(reviewed: Window) -> None:
    choose(reviewed, "Dismiss this")
    reviewed.command("Sotto: Review Changes in This File")
    reviewed.pause(3)
    assert not reviewed.ask("evaluate", script="() => document.querySelector('.squiggly-warning') !== null")


def test_a_commit_is_reviewed(window: Window) -> None:
    """As long as `sotto.reviewOnCommit` says so; made by the editor's own command."""
    for name, value in (("user.name", "a"), ("user.email", "a@b.c"), ("commit.gpgsign", "false")):
        git(window.workspace, "config", name, value)
    (window.workspace / "bag_commit.py").write_text(BAG)
    git(window.workspace, "add", "bag_commit.py")
    git(window.workspace, "commit", "-q", "-m", "before")
    window.open("bag_commit.py", CHANGED)
    window.wait_status("codicon-check")
    window.command("Git: Commit All")
    window.wait("() => document.activeElement.closest('.quick-input-widget') !== null")
    window.type("after")
    window.press("Enter")
    window.wait("() => document.querySelector('.squiggly-warning')")
    until(lambda: any("into" in label for label in remarks(window)), lambda: f"{remarks(window)}")
    window.close_all()
