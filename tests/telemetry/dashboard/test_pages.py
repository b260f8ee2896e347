"""The pages: complete, offline, without inline script, and with no way for text to become markup."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

import telemetry.dashboard
from tests.telemetry.dashboard.browsing import Browser

ASSETS = Path(telemetry.dashboard.__file__).parent / "assets"
FILES = sorted(file for file in ASSETS.iterdir() if file.is_file())
VENDORED = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
"""uPlot 1.6.32 as its authors published it (npm), by SHA-256; its licence lies beside it."""
PAGES = ("/", "/rows")


def test_every_asset_is_served_with_its_type(browser: Browser) -> None:
    kinds = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for file in FILES:
        answer = browser.get(f"/assets/{file.name}")
        assert answer.body == file.read_bytes()
        assert answer.headers["content-type"].startswith(kinds[file.suffix])


def test_what_others_wrote_is_what_they_published(browser: Browser) -> None:
    for name, known in VENDORED.items():
        body = browser.get(f"/assets/{name}").body
        assert hashlib.sha256(body).hexdigest() == known
        assert not re.search(r"innerHTML|\beval\b|new Function|fetch\(|XMLHttpRequest|import\(", body.decode())
    assert "MIT" in (ASSETS / "vendor" / "LICENSE.uPlot.txt").read_text()
    assert browser.get("/assets/LICENSE.uPlot.txt").status == 404


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_refers_to_is_there(browser: Browser, page: str) -> None:
    text = browser.get(page).text
    found = re.findall(r'(?:src|href)="(/[^"#]*)"', text)
    assert len(found) >= 3
    assert all(browser.get(address).status == 200 for address in found)
    anchors = set(re.findall(r'href="#([^"]+)"', text))
    assert anchors <= set(re.findall(r'id="([^"]+)"', text))


def test_modules_import_only_what_is_there(browser: Browser) -> None:
    for file in FILES:
        if file.suffix == ".js":
            for name in re.findall(r'from "\./([^"]+)"', file.read_text("utf-8")):
                assert (ASSETS / name).is_file(), (file.name, name)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_file_can_turn_text_into_markup_or_reach_out(file: Path) -> None:
    text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser", text)
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
    if file.suffix == ".html":
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style|javascript:", text)
    assert len(text.splitlines()) < 400


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_walked_by_keyboard_and_told_by_a_reader(browser: Browser, page: str) -> None:
    text = browser.get(page).text
    assert 'lang="en"' in text
    assert 'class="skip" href="#main"' in text
    assert 'role="status"' in text
    for section in re.findall(r"<section[^>]*>", text):
        label = re.search(r'aria-labelledby="([^"]+)"', section)
        assert label
        assert f'<h2 id="{label.group(1)}">' in text


def test_an_unchanged_store_is_not_counted_again(browser: Browser) -> None:
    first = browser.get("/api/summary?days=30&offset=-60")
    again = browser.get("/api/summary?days=30&offset=-60", if_none_match=first.headers["etag"])
    assert (first.status, again.status, again.body) == (200, 304, b"")


@pytest.mark.parametrize("query", ["days=31", "days=x", "offset=1500", "days=-7"])
def test_a_wrong_span_is_told(browser: Browser, query: str) -> None:
    answer = browser.get(f"/api/summary?{query}")
    assert answer.status == 400
    assert answer.text


def test_files_to_take_along_are_attachments(browser: Browser) -> None:
    for name, lines in (("export.jsonl", 2000), ("export.csv", 2001)):
        answer = browser.get(f"/{name}")
        assert answer.headers["content-disposition"].startswith("attachment; ")
        assert len(answer.text.splitlines()) >= lines
