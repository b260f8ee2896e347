"""The real process on a real port, and a real browser where there is one."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.dashboard.serve import serve
from tests.telemetry.dashboard.stores import filled

ROOT = Path(__file__).resolve().parents[3]
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
RUN = """
import argparse, pathlib, sys
from lsp_server.commands import dashboard
parser = argparse.ArgumentParser()
dashboard.add(parser.add_subparsers())
arguments = parser.parse_args(["dashboard", "--no-browser", *sys.argv[1:]])
sys.exit(dashboard.run(arguments, arguments.data_dir))
"""


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, "--data-dir", str(folder), *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    filled(folder / "telemetry.db", 300, 5)
    process = start(folder)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


@pytest.mark.e2e
def test_a_stranger_gets_nothing_from_the_real_process(address: str) -> None:
    found = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/open\?token=[\w-]{43}", address)
    assert found
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{found.group(1)}/api/summary", timeout=20)
    refused.value.close()
    assert refused.value.code == 401
    assert "server" not in refused.value.headers
    assert refused.value.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.e2e
def test_a_taken_port_is_told_in_a_sentence(address: str, tmp_path: Path) -> None:
    port = address.partition("/open")[0].rpartition(":")[2]
    process = start(tmp_path, "--port", port)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert error == f"sotto: port {port} is taken: choose another with --port, or leave it out\n"


def test_it_ends_when_nobody_looks(tmp_path: Path) -> None:
    seen: list[str] = []
    serve(tmp_path / "telemetry.db", 0, seen.append, idle_s=0.0)
    assert len(seen) == 1


@pytest.mark.e2e
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_a_browser_draws_every_panel_and_complains_of_nothing(address: str, tmp_path: Path) -> None:
    """Last: the address works once."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={tmp_path}"]
    command = [str(CHROMIUM), *options, "--virtual-time-budget=6000", "--dump-dom", address]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    page = run.stdout
    assert [line for line in run.stderr.splitlines() if "CONSOLE" in line] == []
    for panel in ("today", "days", "funnel", "latency", "gate", "calibration", "by", "data"):
        found = re.search(rf'<section id="{panel}".*?</section>', page, re.DOTALL)
        assert found, panel
        assert len(found.group(0)) > 500, panel
        assert not re.search(r"\bNaN\b|undefined|\[object", found.group(0)), panel
    assert page.count("<svg") > 8
    assert re.search(r'id="state" role="status" class="">Live', page)
    assert "&lt;img" not in page or "<img" not in page
