"""Nobody but this user's browser, from the dashboard's own pages, reads or changes anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from telemetry import disk, panels
from telemetry.dashboard.app import Dashboard
from telemetry.dashboard.security import BODY_BYTES, Guard
from tests.telemetry.dashboard.browsing import HOST, ORIGIN, PORT, Browser
from tests.telemetry.dashboard.stores import filled

ADDRESSES = (
    "/",
    "/rows",
    "/assets/main.js",
    "/api/summary",
    "/api/rows",
    "/api/row?id=O1",
    "/api/token",
    "/export.csv",
    "/export.jsonl",
)
ERASE = json.dumps({"word": "erase"}).encode()


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_is_told_without_the_cookie(dashboard: Dashboard, address: str) -> None:
    stranger = Browser(dashboard.guard)
    answer = stranger.get(address)
    assert answer.status == 401
    assert "set-cookie" not in answer.headers
    stranger.cookie = f"sotto_{PORT}=guess"
    assert stranger.get(address).status == 401


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", f"127.0.0.1.evil.example:{PORT}", ""]
)
def test_a_wrong_host_is_refused_also_with_the_cookie(browser: Browser, host: str) -> None:
    """A name that was made to point here (DNS rebinding) brings its own Host."""
    assert [browser.get(address, host=host).status for address in ADDRESSES] == [421] * len(ADDRESSES)


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"])
def test_our_own_names_are_let_in(browser: Browser, host: str) -> None:
    assert browser.get("/api/summary", host=host).status == 200


@pytest.mark.parametrize("headers", [
    {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": f"http://localhost:{PORT}"},
    {"origin": f"http://127.0.0.1:{PORT + 1}"}, {"origin": f"https://{HOST}"},
    {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"},
])  # fmt: skip
def test_another_origin_may_not_even_read(browser: Browser, headers: dict[str, str]) -> None:
    for address in ADDRESSES:
        answer = browser.get(address, **headers)
        assert answer.status == 403, address
        assert "access-control-allow-origin" not in answer.headers


def test_our_own_pages_and_a_typed_address_may(browser: Browser) -> None:
    assert browser.get("/api/summary", origin=ORIGIN, sec_fetch_site="same-origin").status == 200
    assert browser.get("/", sec_fetch_site="none").status == 200


def test_the_address_works_once(dashboard: Dashboard) -> None:
    address = f"/open?token={dashboard.guard.token}"
    assert Browser(dashboard.guard).get("/open?token=guess").status == 403
    assert Browser(dashboard.guard).get("/open?token=").status == 403
    first = Browser(dashboard.guard).get(address)
    assert (first.status, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith(f"sotto_{PORT}=")
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "domain" not in cookie.lower()
    assert Browser(dashboard.guard).get(address).status == 403
    assert Browser(dashboard.guard).get("/open?token=").status == 403, "a used token is not an empty one"


def test_who_is_in_already_is_led_on(browser: Browser) -> None:
    assert browser.get("/open?token=old").headers["location"] == "/"


def test_two_runs_share_nothing(weeks: Path) -> None:
    one, other = Guard(Dashboard(weeks).guard), Guard(Dashboard(weeks).guard)
    assert len({one.token, other.token, one.written, other.written}) == 4
    assert len(one.token) >= 43, "32 bytes"


@pytest.mark.parametrize("name", [
    "../security.py", "..%2fsecurity.py", "%2e%2e/%2e%2e/store.py", "..\\security.py", "/etc/passwd", "%2fetc%2fpasswd",
    "....//security.py", "style.css%00.py", "",
])  # fmt: skip
def test_no_address_becomes_a_path(browser: Browser, name: str) -> None:
    answer = browser.get(f"/assets/{name}")
    assert answer.status in (404, 307)
    assert b"import" not in answer.body
    assert b"root:" not in answer.body


@pytest.mark.parametrize("address", [*ADDRESSES, "/nothing", "/api/summary?days=1"])
def test_every_answer_is_sealed(browser: Browser, address: str) -> None:
    for answer in (browser.get(address), Browser(browser.guard).get(address), browser.get(address, host="evil.example")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_names_stay_text(browser: Browser) -> None:
    """The store holds a model whose name is markup; it comes as JSON, in no page."""
    answer = browser.get("/api/summary?days=400")
    assert answer.headers["content-type"] == "application/json"
    assert "<img src=x onerror=alert(1)> (f32)" in answer.json()["models"].values()
    assert all(b"<img" not in browser.get(page).body for page in ("/", "/rows"))


@pytest.mark.parametrize("query", [
    "step=nonsense", "order=1", "language=go&sql=1", "since=abc", "until=99999999999999999999", "step=hidden'--", "row=1.5",
])  # fmt: skip
def test_only_known_filters_are_asked(browser: Browser, query: str) -> None:
    assert browser.get(f"/api/rows?{query}").status == 400


def test_values_are_bound(browser: Browser) -> None:
    assert browser.get("/api/rows?language=go'%20OR%201=1--").json()["rows"] == []
    assert browser.get("/api/row?id='%20OR%20''='").status == 404


class TestErasing:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = filled(tmp_path / "telemetry.db", 50, 2)
        (tmp_path / "gate.json").write_text("{}")
        (tmp_path / "other.json").write_text("{}")
        return path

    @pytest.fixture
    def mine(self, path: Path) -> Browser:
        return Browser(Dashboard(path, ("gate*",)).guard).let_in()

    def test_takes_the_page_the_token_and_the_word(self, path: Path, mine: Browser) -> None:
        token = mine.get("/api/token").json()["token"]
        assert mine.post("/api/erase", ERASE, x_sotto_token=token).json() == {"erased": True}
        assert panels.total(path).opportunities == 0
        assert sorted(file.suffix for file in path.parent.glob("*.json")) == [".json"]
        assert (path.parent / "other.json").exists()
        assert mine.get("/api/summary").json()["data"]["opportunities"] == 0

    def test_is_refused_otherwise(self, path: Path, mine: Browser) -> None:
        refused: list[tuple[bytes, dict[str, str], int]] = [
            (ERASE, {"x_sotto_token": ""}, 403),
            (ERASE, {"x_sotto_token": "guess"}, 403),
            (ERASE, {"origin": ""}, 403),
            (ERASE, {"origin": "http://evil.example"}, 403),
            (ERASE, {"cookie": ""}, 401),
            (ERASE, {"content_type": "text/plain"}, 415),
            (ERASE, {"transfer_encoding": "chunked"}, 413),
            (ERASE, {"content_length": "x"}, 413),
            (b"x" * (BODY_BYTES + 1), {}, 413),
            (b'{"word":"Erase"}', {}, 400),
            (b'{"word":""}', {}, 400),
            (b"{}", {}, 400),
            (b"erase", {}, 400),
        ]
        for body, headers, status in refused:
            given = {"x_sotto_token": mine.guard.written, **headers}
            assert mine.post("/api/erase", body, **given).status == status, (body, headers)
        assert panels.tables(path)["opportunities"] == 50

    def test_is_no_read(self, path: Path, mine: Browser) -> None:
        assert mine.get("/api/erase", x_sotto_token=mine.guard.written).status == 405
        assert panels.tables(path)["opportunities"] == 50


class TestPausing:
    """The other write: it wants the same page and the same token."""

    def test_makes_a_file_that_servers_look_for(self, tmp_path: Path) -> None:
        path = filled(tmp_path / "telemetry.db", 50, 2)
        mine = Browser(Dashboard(path, ("gate*",)).guard).let_in()
        token, first = mine.guard.written, mine.get("/api/summary")
        assert mine.post("/api/pause", b'{"paused":true}', x_sotto_token=token).json() == {"paused": True}
        assert disk.paused(tmp_path)
        told = mine.get("/api/summary", if_none_match=first.headers["etag"])
        assert told.json()["data"]["paused"], "other pages of the dashboard learn of it"
        assert mine.post("/api/pause", b'{"paused":false}', x_sotto_token=token).json() == {"paused": False}
        assert not disk.paused(tmp_path)
        assert panels.tables(path)["opportunities"] == 50

    def test_is_refused_otherwise(self, tmp_path: Path) -> None:
        mine = Browser(Dashboard(tmp_path / "telemetry.db", ("gate*",)).guard).let_in()
        good = b'{"paused":true}'
        refused: list[tuple[bytes, dict[str, str], int]] = [
            (good, {"x_sotto_token": "guess"}, 403),
            (good, {"origin": "http://evil.example"}, 403),
            (good, {"host": "evil.example"}, 421),
            (good, {"cookie": ""}, 401),
            (good, {"content_type": "text/plain"}, 415),
            (b'{"paused":"yes"}', {}, 400),
            (b"[]", {}, 400),
            (b"{", {}, 400),
        ]
        for body, headers, status in refused:
            given = {"x_sotto_token": mine.guard.written, **headers}
            assert mine.post("/api/pause", body, **given).status == status, (body, headers)
        assert mine.get("/api/pause", x_sotto_token=mine.guard.written).status == 405
        assert not disk.paused(tmp_path)
