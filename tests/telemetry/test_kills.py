"""Four servers on one file, killed at random with no chance to tidy up: what was acknowledged is there, once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from telemetry import panels, queries
from tests.telemetry.servers import check, go, start

SERVERS = 4
EVENTS = int(os.environ.get("SOTTO_KILL_EVENTS", "120"))  # each; 5000 is the full size
KILLS = int(os.environ.get("SOTTO_KILLS", "1"))  # each


class Slot(threading.Thread):
    """One editor: its server is started again whenever it dies, until ``EVENTS`` of its events are acknowledged."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__()
        self.folder, self.chance = folder, random.Random(seed)
        self.acknowledged: set[str] = set()
        self.killed = 0

    def run(self) -> None:
        while len(self.acknowledged) < EVENTS:
            process = start(self.folder, EVENTS - len(self.acknowledged), every=10)
            go(process)
            self.listen(process)
            process.kill()
            process.communicate(timeout=60)

    def listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        fuse = self.chance.randrange(EVENTS // (KILLS + 1)) + 1 if self.killed < KILLS else -1
        for line in process.stdout:
            if line.startswith(("key", "end")) or not line.endswith("\n"):
                continue
            self.acknowledged.add(line.strip())
            fuse -= 1
            if fuse == 0:
                self.killed += 1
                process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_every_acknowledged_row_survives_kills_once(tmp_path: Path) -> None:
    slots = [Slot(tmp_path / "data", seed) for seed in range(SERVERS)]
    for slot in slots:
        slot.start()
    for slot in slots:
        slot.join()
    acknowledged = set().union(*(slot.acknowledged for slot in slots))
    assert len(acknowledged) >= SERVERS * EVENTS
    assert [slot.killed for slot in slots] == [KILLS] * SERVERS
    path = tmp_path / "data" / "telemetry.db"
    stored = check(path)
    assert acknowledged <= stored
    assert panels.total(path).opportunities == queries.summary(path).opportunities == len(stored)
