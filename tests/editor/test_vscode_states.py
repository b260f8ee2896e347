"""The status item and its menu in a real VS Code: why it is silent, that it is slow, the dashboard and the doctor."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editor.window import Window, until

pytestmark = pytest.mark.editor

BEFORE = "import os\n\n\ndef both(folder, first):\n    return os"
HEADINGS = "() => [...document.querySelectorAll('h2')].map(one => one.textContent).join(', ')"
USUAL = {"sotto__minConfidence": 0, "sotto__budgetMs": 10_000, "sotto__eagerness": "eager"}


@pytest.fixture
def ready(window: Window) -> Iterator[Window]:
    """The window with a fresh file in front and the model loaded; afterwards nothing is open and the settings are as before."""
    window.open(f"state{len(list(window.workspace.glob('state*.py')))}.py", BEFORE)
    window.wait_status("codicon-check")
    yield window
    window.close_all()
    window.set(**USUAL)


def test_it_says_that_the_model_is_not_sure_enough(ready: Window) -> None:
    ready.set(sotto__minConfidence=1)
    ready.type(".")
    ready.wait_status("codicon-eye-closed.*A suggestion was withheld: the model is not sure enough")
    assert ready.ghost() == ""
    ready.set(sotto__minConfidence=0)
    ready.type("pa")
    assert ready.wait_ghost()
    ready.wait_status("codicon-check")


def test_it_says_that_the_machine_is_slow_and_what_to_do(ready: Window) -> None:
    ready.set(sotto__budgetMs=20)
    for number in range(12):
        ready.press("Control+End")
        ready.type(f"\n    value_{number} = os.", delay=60)
        ready.pause(0.3)
    ready.wait_status(r"codicon-watch.*slow.*takes \d+ ms or more.*sotto.maxTokens")


def test_the_dashboard_opens_beside_the_code(ready: Window) -> None:
    ready.type(".")
    assert ready.wait_ghost()
    ready.press("Tab")
    ready.command("Sotto: Menu")
    ready.pick("Dashboard")
    heading = "() => document.querySelector('#today h2')?.textContent"
    until(lambda: ready.framed(heading) == ["Today"], lambda: f"{ready.framed(HEADINGS)}")
    numbers = "() => document.querySelector('#today .body')?.innerText.includes('suggestions shown')"
    until(lambda: ready.framed(numbers) == [True], lambda: f"{ready.framed(HEADINGS)}")
    ready.framed("() => document.querySelector('#today a[href*=rows]').click()")
    rows = "() => document.querySelector('#h-rows') !== null && document.querySelector('table') !== null"
    until(lambda: ready.framed(rows) == [True], lambda: f"{ready.framed(HEADINGS)}")
    (first,) = ready.pids("dashboard --no-browser")
    ready.ask("click", selector=".tab:has-text('state')")
    ready.command("Sotto: Dashboard")
    until(lambda: ready.framed(heading) == ["Today"], lambda: f"{ready.framed(HEADINGS)}")
    until(lambda: ready.pids("dashboard --no-browser") not in ([], [first]))
    ready.ask("click", selector=".tab:has-text('state')")  # the frame had the keyboard
    ready.command("View: Close Other Editors in Group")


def test_the_doctor_reports(ready: Window) -> None:
    """Its lines go to the log, which stays empty here: it needs a native module that this code-server is without."""
    ready.command("Sotto: Doctor")
    ready.wait(
        "() => [...document.querySelectorAll('.notification-toast')].some(one => one.textContent.includes('nothing wrong'))"
    )
    ready.wait("() => [...document.querySelectorAll('.panel select option:checked')].some(one => one.textContent === 'Sotto')")
    ready.command("View: Hide Panel")
