"""A server in miniature, run as a process by the tests: opens the store, records, and says on stdout what is committed.

Arguments: folder, number of events, events between two flushes. Waits for a line on stdin after its imports, so that several
start at the same instant. Prints each acknowledged id, then the problem and the drop count as one line.
"""

from __future__ import annotations

import sys
from pathlib import Path

from telemetry.store import Store
from tests.telemetry.samples import opportunity


def main(folder: str, count: int, every: int) -> None:
    say("ready")
    sys.stdin.readline()
    store = Store.open(Path(folder))
    say(f"key {store.file_key('a.py')}")
    pending: list[str] = []
    for number in range(1, count + 1):
        event = opportunity()
        store.record(event)
        pending.append(event.id)
        if number % every == 0:
            if store.flush(30) and not store.dropped:
                say("\n".join(pending))
            pending = []
    store.close(30)
    say(f"end {store.dropped} {store.problem}")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
