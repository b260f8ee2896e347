"""The real process on a real port."""

from __future__ import annotations

import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.dashboard.serve import serve
from tests.telemetry.dashboard.served import start
from tests.telemetry.dashboard.stores import filled


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
