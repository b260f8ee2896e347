"""The pages in a real headless Chromium (marked `browser`): drawn, walked, read, in both colours, and day zero."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry import disk, panels
from telemetry.connection import reading
from tests.telemetry.dashboard.served import serving
from tests.telemetry.dashboard.stores import filled

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
PICTURES = os.environ.get("SOTTO_PICTURES", "")
"""A folder for a picture of each panel, to be looked at."""

SECTIONS = (
    *("today", "days", "funnel", "latency", "timeline", "model", "gate", "calibration"),
    *("by", "edits", "review", "data"),
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium here: apt-get install chromium chromium-driver"),
]


def opened(folder: Path) -> Any:
    selenium = pytest.importorskip("selenium.webdriver", reason="no selenium here: pip install selenium")
    options = selenium.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1300,1000", f"--user-data-dir={folder}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return selenium.Chrome(options=options, service=selenium.ChromeService(str(DRIVER)))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    driver = opened(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    """The dashboard over a store of some weeks that tests may change; nothing has been complained of at the end."""
    filled(tmp_path / "telemetry.db", 3000, 20)
    with serving(tmp_path) as address:
        chromium.get_log("browser")
        show(chromium, address)
        yield chromium
        complaints = chromium.get_log("browser")
        chromium.get("about:blank")  # a page whose server has gone complains of that
        assert [line["message"] for line in complaints if line["level"] == "SEVERE"] == []


def show(driver: Any, address: str, dark: bool = False) -> None:
    paint(driver, dark)
    driver.get(address)
    until(driver, "return document.getElementById('state').textContent.startsWith('Live')")


def paint(driver: Any, dark: bool) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def until(driver: Any, script: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 60).until(lambda one: one.execute_script(script))


def text(driver: Any, section: str) -> str:
    return str(driver.find_element("css selector", f"#{section} .body").text)


@pytest.mark.parametrize("dark", [False, True])
def test_every_panel_is_drawn(page: Any, dark: bool) -> None:
    paint(page, dark)
    for section in SECTIONS:
        body = page.find_element("css selector", f"#{section} .body")
        html = body.get_attribute("innerHTML")
        assert len(html) > 300, section
        assert not re.search(r"\bNaN\b|undefined|\[object|Infinity", html), section
        assert "<img" not in html, "a model's name is markup, and stays text"
        page.execute_script("document.getElementById(arguments[0]).scrollIntoView({block: 'start'})", section)
        picture = page.find_element("id", section).screenshot_as_png
        assert len(picture) > 3000, section
        if PICTURES:
            Path(PICTURES, f"{section}-{'dark' if dark else 'light'}.png").write_bytes(picture)
    ground = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(21, 24, 28)" if dark else "rgb(246, 246, 243)")
    assert page.execute_script("return document.querySelectorAll('#timeline canvas').length") == 1


def test_nothing_is_wider_than_the_window(page: Any) -> None:
    page.set_window_size(420, 900)
    try:
        until(page, "return document.documentElement.scrollWidth <= innerWidth")
    finally:
        page.set_window_size(1300, 1000)


def test_the_slider_tells_what_another_threshold_would_have_done(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    slider, told = page.find_element("id", "threshold"), page.find_element("css selector", "#calibration output")
    before = told.text
    slider.send_keys(Keys.END)
    assert "Threshold 1.00: 0 % shown" in told.text != before
    slider.send_keys(Keys.HOME)
    assert "Threshold 0.00: 100 % shown" in told.text
    assert "0 % of all you would take hidden" in told.text


def test_the_keyboard_reaches_every_control_in_order(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    seen = []
    body = page.find_element("tag name", "body")
    body.send_keys(Keys.TAB)
    for _ in range(600):
        active = page.switch_to.active_element
        where = page.execute_script("return (arguments[0].closest('section') || {}).id || ''", active)
        seen.append((where, active.get_attribute("id") or ""))
        if seen[-1] == ("data", "word"):
            break
        active.send_keys(Keys.TAB)
    visited = list(dict.fromkeys(where for where, _ in seen if where))
    assert visited == [name for name in SECTIONS if name in visited], "in the order of the page"
    assert {"today", "funnel", "gate", "calibration", "by", "edits", "review", "data"} <= set(visited)
    assert {"span", "curve", "threshold", "dimension", "pause", "word"} <= {name for _, name in seen}


def test_a_number_leads_to_its_rows_and_a_row_to_its_story(page: Any) -> None:
    link = page.find_element("css selector", "#review td a")
    n = int(link.text.replace(",", ""))
    page.get(link.get_attribute("href"))
    until(page, "return document.getElementById('state').textContent.includes('rows')")
    assert len(page.find_elements("css selector", "tbody tr")) == min(n, 100)
    page.get(page.find_element("css selector", "tbody td a").get_attribute("href"))
    until(page, "return document.getElementById('state').textContent === '1 row'")
    assert "review" in page.find_element("id", "detail").text


def test_pausing_and_erasing(page: Any, tmp_path: Path) -> None:
    page.find_element("id", "pause").click()
    until(page, "return document.getElementById('pause').textContent === 'Go on recording'")
    assert disk.paused(tmp_path)
    page.find_element("id", "pause").click()
    until(page, "return document.getElementById('pause').textContent === 'Pause recording'")
    assert not disk.paused(tmp_path)
    page.find_element("id", "word").send_keys("erase")
    page.find_element("css selector", "button.danger").click()
    until(page, "return document.querySelector('#today .body').textContent.includes('Nothing yet today')")
    assert panels.total(tmp_path / "telemetry.db").opportunities == 0


def test_the_page_follows_the_store(page: Any, tmp_path: Path) -> None:
    before = text(page, "funnel")
    with reading(tmp_path / "telemetry.db") as reader:
        assert reader.execute("SELECT count(*) FROM opportunity").fetchone()[0] == 3000
    from telemetry.events import Opportunity
    from telemetry.store import Store

    store = Store.open(tmp_path)
    now = page.execute_script("return Date.now()")
    store.record(Opportunity("NEW", "S1", now, 1.0, decision="show", reason="shown", new_tokens=4))
    assert store.close(30)
    until(page, "return document.querySelector('#funnel .body').textContent.includes('2,9')")
    until(page, f"return document.querySelector('#funnel .body').innerText !== {before!r}")


def test_day_zero(chromium: Any, tmp_path: Path) -> None:
    with serving(tmp_path) as address:
        show(chromium, address)
        for section in SECTIONS:
            assert len(text(chromium, section)) > 25, section
            chromium.execute_script("document.getElementById(arguments[0]).scrollIntoView({block: 'start'})", section)
            if PICTURES:
                Path(PICTURES, f"{section}-empty.png").write_bytes(chromium.find_element("id", section).screenshot_as_png)
        assert "0 %" not in text(chromium, "today")
        assert chromium.execute_script("return document.querySelectorAll('#funnel svg, #timeline canvas').length") == 0
        chromium.get("about:blank")
