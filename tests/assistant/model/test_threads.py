"""Threads from idle cores, on machines that are written down as files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Set
from pathlib import Path

import pytest

from assistant.model import threads


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Choose on a machine with these cores (sets of CPUs), these busy CPUs and this quota."""

    def choose(cores: list[set[int]], busy: Set[int] = frozenset(), quota: int = 99, asked: int = 0) -> tuple[int, str]:
        cpus = set().union(*cores)
        before = {cpu: (100, 1000) for cpu in cpus}
        after = {cpu: (101 if cpu in busy else 109, 1010) for cpu in cpus}
        samples = iter([before, after])
        monkeypatch.setattr(threads, "_allowed_cpus", lambda: cpus)
        monkeypatch.setattr(threads, "_physical_cores", lambda _: cores)
        monkeypatch.setattr(threads, "_read_ticks", lambda: next(samples))
        monkeypatch.setattr(threads, "_quota", lambda: quota)
        return threads.choose(asked, sleep=lambda _: None)

    return choose


FOUR = [{0, 4}, {1, 5}, {2, 6}, {3, 7}]


@pytest.mark.parametrize(
    ("cores", "busy", "quota", "expected"),
    [
        ([{0}], set(), 99, 1),
        ([{0}, {1}], set(), 99, 1),
        ([{0}, {1}], {0, 1}, 99, 1),
        (FOUR, set(), 99, 3),
        (FOUR, {0}, 99, 3),
        (FOUR, {0, 5}, 99, 2),
        (FOUR, {0, 4}, 99, 3),
        (FOUR, set(range(8)), 99, 1),
        (FOUR, set(), 2, 2),
        ([{i} for i in range(64)], set(), 99, threads.MOST),
    ],
)
def test_never_more_than_idle_and_one_core_left(machine, cores, busy, quota, expected) -> None:  # type: ignore[no-untyped-def]
    count, why = machine(cores, busy, quota)
    assert count == expected
    assert f"{count} of {len(cores)} cores" in why
    assert "idle" in why


def test_what_the_user_set_is_taken(machine: Callable[..., tuple[int, str]]) -> None:
    assert machine(FOUR, asked=6) == (6, "6 as set")


def test_this_machine() -> None:
    count, why = threads.choose(sleep=lambda _: None)
    assert 1 <= count <= (os.cpu_count() or 1)
    assert why


def test_siblings_are_one_core(tmp_path: Path) -> None:
    for cpu, siblings in {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}.items():
        (tmp_path / f"cpu{cpu}/topology").mkdir(parents=True)
        (tmp_path / f"cpu{cpu}/topology/thread_siblings_list").write_text(f"{siblings}\n")
    assert threads._physical_cores({0, 1, 2, 3, 9}, tmp_path) == [{0, 2}, {1, 3}, {9}]


def test_reads_the_clocks_of_linux(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 3 40 5 6 7 8 90 90\ncpu12 1 1 1 1 1 1 1 1 0 0\nintr 5\n")
    assert threads._read_ticks(stat) == {0: (45, 72), 12: (2, 8)}
    assert threads._read_ticks(tmp_path / "none") is None


@pytest.mark.parametrize(("content", "expected"), [("150000 100000\n", 1), ("400000 100000\n", 4), ("50000 100000\n", 1)])
def test_a_containers_quota(tmp_path: Path, content: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert threads._quota(tmp_path / "cpu.max") == expected


def test_no_quota(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert threads._quota(tmp_path / "cpu.max") > 1000
    assert threads._quota(tmp_path / "none") > 1000


@pytest.mark.parametrize(("load", "expected"), [(0.1, 3), (2.4, 2), (9.0, 1)])
def test_elsewhere_the_load_average(monkeypatch: pytest.MonkeyPatch, load: float, expected: int) -> None:
    monkeypatch.setattr(threads, "_allowed_cpus", lambda: {0, 1, 2, 3})
    monkeypatch.setattr(threads, "_physical_cores", lambda _: [{0}, {1}, {2}, {3}])
    monkeypatch.setattr(threads, "_read_ticks", lambda: None)
    monkeypatch.setattr(threads, "_quota", lambda: 99)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    assert threads.choose()[0] == expected


def test_without_any_of_it_half_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_allowed_cpus", lambda: set(range(8)))
    monkeypatch.setattr(threads, "_physical_cores", lambda _: [{i} for i in range(8)])
    monkeypatch.setattr(threads, "_read_ticks", lambda: None)
    monkeypatch.setattr(threads, "_quota", lambda: 99)
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert threads.choose()[0] == 4


class Loaded:
    """Two idle cores whose clocks run as they are told: (seconds, cores' worth of others, of this process)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cores: int = 2, quota: int = 99) -> None:
        self.seconds = self.others = self.own = 0.0
        self.cores = cores
        monkeypatch.setattr(threads, "_allowed_cpus", lambda: set(range(cores)))
        monkeypatch.setattr(threads, "_physical_cores", lambda _: [{i} for i in range(cores)])
        monkeypatch.setattr(threads, "_quota", lambda: quota)
        monkeypatch.setattr(threads, "_read_ticks", self.ticks)
        monkeypatch.setattr(time, "process_time", lambda: self.own)

    def ticks(self) -> dict[int, tuple[int, int]]:
        total = self.seconds * self.cores - self.others - self.own
        idle, every = (int(value * threads.TICKS_PER_S / self.cores) for value in (total, self.seconds * self.cores))
        return {cpu: (idle, every) for cpu in range(self.cores)}

    def run(self, seconds: float, others: float, own: float = 0.0) -> None:
        self.seconds, self.others, self.own = self.seconds + seconds, self.others + seconds * others, self.own + seconds * own


def test_threads_follow_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Loaded(monkeypatch)
    free = threads.Free(clock=lambda: machine.seconds)
    found = []
    for others, own in ((0.0, 0.0), (0.1, 1.5), (1.0, 0.9), (1.9, 0.1), (0.6, 0.6), (0.0, 0.0)):
        machine.run(1.0, others, own)
        found.append(free.now())
    assert found == [2, 2, 1, 1, 1, 2]


def test_between_two_looks_the_last_answer_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Loaded(monkeypatch)
    free = threads.Free(clock=lambda: machine.seconds)
    machine.run(1.0, 0.0)
    assert free.now() == 2
    machine.run(0.3, 2.0)
    assert free.now() == 2
    machine.run(0.3, 2.0)
    assert free.now() == 1


@pytest.mark.parametrize(("cores", "quota", "most"), [(1, 99, 1), (2, 99, 2), (2, 1, 1), (64, 99, threads.MOST_FUSED)])
def test_never_more_than_cores_quota_and_what_helps(monkeypatch: pytest.MonkeyPatch, cores: int, quota: int, most: int) -> None:
    machine = Loaded(monkeypatch, cores, quota)
    free = threads.Free(clock=lambda: machine.seconds)
    machine.run(1.0, 0.0)
    assert (free.most, free.now()) == (most, most)


def test_what_is_asked_is_always_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Loaded(monkeypatch)
    free = threads.Free(3, clock=lambda: machine.seconds)
    machine.run(1.0, 2.0)
    assert free.now() == free.most == 3


def test_without_clocks_the_load_average(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Loaded(monkeypatch, cores=4)
    monkeypatch.setattr(threads, "_read_ticks", lambda: None)
    free = threads.Free(clock=lambda: machine.seconds)
    for load, expected in ((0.1, 4), (2.2, 2), (9.0, 1)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0.0, 0.0), raising=False)
        machine.run(1.0, 0.0)
        assert free.now() == expected
