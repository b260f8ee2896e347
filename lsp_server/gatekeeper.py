"""The gate in the server: which one is in force, what it hears, and when it learns.

Reading the store and learning happen in a thread and a process beside the event loop, which takes a new gate in by one
assignment. Knows no LSP message. A broken gate, an unreadable store or a failed lesson leave the gate that is there.
"""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from assistant.gate.model import PRIOR_PATH, ArtefactError, Gate, dumps, load, loads
from assistant.gate.policy import Policy
from assistant.gate.rows import LABEL_AGE_MS, GateRow, target, to_json
from assistant.gate.weigher import Weigher
from assistant.impression import Ended, Seen
from assistant.outcomes import Fact
from assistant.types import JsonObject
from lsp_server import gate_file
from lsp_server.background import Background
from lsp_server.journal import Journal
from lsp_server.spawn import python_command

log = logging.getLogger("sotto.gate")

RECALLED = 500  # opportunities of earlier sessions that the policy takes up
LESSON = 50  # new judgements, old enough to learn from, before the gate learns again
ROWS = 10_000  # rows of a lesson, hides among them; older judgements weigh 2 ** -12 and less
IDLE_S = 60.0
PATIENCE_S = 120.0
FOLLOW_S = 2.0  # how often the gate's file is looked at: `sotto gate train` and `reset`, and other servers, replace it

WORDS = {
    "invoked": "you asked for it",
    "new": "you are new here: all above the quality floor is shown",
    "sure": "you are likely to take it",
    "silence": "nothing was shown for a long time",
    "budget": "hiding more would cost you suggestions that you take",
    "explored": "shown to learn from it; it would have been hidden",
    "gate": "you are unlikely to take it",
    "error": "the gate failed, so everything is shown",
}


class Gatekeeper:
    """Make it inside the event loop. ``weigher`` is what the completer asks."""

    def __init__(
        self,
        data_dir: Path,
        store: Path,
        eagerness: str,
        warn: Callable[[str], None],
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``warn`` tells the user. ``store`` is the database's path; ``draw`` gives uniform numbers in [0, 1)."""
        self._data_dir, self._store, self._clock = data_dir, store, clock
        gate = _first(data_dir, warn)
        policy = Policy(gate, draw, eagerness, clock) if gate else None
        self._mark, self._followed = gate_file.mark(data_dir), clock()
        self._model, self._since = "", gate_file.since(gate) if gate else 0
        self._trial: JsonObject = {}
        self.weigher = Weigher(policy, clock)
        self._journal: Journal | None = None
        self._work = Background("sotto-gate")
        self._child: subprocess.Popen[str] | None = None
        self._labels: deque[float] = deque()  # when each new judgement was heard, by the clock
        self._busy = False
        self._active = clock()
        self._lengths: dict[str, int] = {}

    def begin(self, journal: Journal) -> None:
        """A session of the record begins."""
        self._journal = journal
        if self.weigher.policy is not None:
            _declare(journal, self.weigher.policy.gate)

    async def recall(self) -> None:
        """Take up where earlier sessions ended."""
        policy = self.weigher.policy
        if policy is None:
            return
        try:
            rows = await self._work.run(lambda: gate_file.last(self._store, RECALLED, gate_file.since(policy.gate)))
        except Exception as error:
            log.info("the gate begins without what earlier sessions knew: %s", error)
            return
        policy.recall(rows)
        unlearned = sum(row.ts_ms > _until(policy.gate) for row in _lessons(rows))
        self._labels.extendleft([self._clock() - LABEL_AGE_MS / 1000] * unlearned)

    def model(self, id: str) -> None:
        """Answers come from this model from now on; what was learned of another one's probabilities is put aside."""
        self._model = id
        policy = self.weigher.policy
        if policy is None:
            return
        if not self._fits(policy.gate):
            log.info("the gate was learned with another model; Sotto starts from its prior for this one")
            self._put(load(PRIOR_PATH))
        elif not gate_file.is_own(policy.gate):
            self._mark = None  # the file may hold what was learned with this model before: `follow` looks

    def _fits(self, gate: Gate) -> bool:
        learned = gate.record.get("model", "")
        return not (learned and self._model and learned != self._model)

    async def follow(self) -> None:
        """Take up a gate that another process has put in force, or that the user reset. Never raises."""
        policy, now = self.weigher.policy, self._clock()
        if policy is None or self._busy or now - self._followed < FOLLOW_S:
            return
        self._followed = now
        try:
            found = await self._work.run(lambda: _changed(self._data_dir, self._mark))
        except Exception as error:
            log.info("the gate's file is not followed: %s", error)
            return
        if found is None:
            return
        self._mark, gate = found
        erased, since = gate_file.is_own(policy.gate) and not gate_file.is_own(gate), gate_file.since(gate)
        if erased or since != self._since:
            policy.forget()
            self._labels.clear()
        self._since = since
        if self._fits(gate) and gate.id != policy.gate.id:
            self._put(gate)

    def _put(self, gate: Gate) -> None:
        """From the next decision on."""
        if self.weigher.policy is not None:
            self.weigher.policy.gate = gate
        if self._journal is not None:
            _declare(self._journal, gate)

    def configure(self, eagerness: str) -> None:
        if self.weigher.policy is not None:
            self.weigher.policy.setting = eagerness

    def hear(self, fact: Fact) -> None:
        """A display, or what became of one."""
        if isinstance(fact, Seen):
            self.weigher.shown(fact.suggestion.id)
        if isinstance(fact, Ended) and fact.final and self.weigher.ended(fact.suggestion, fact.kind, fact.visible_ms):
            self._labels.append(self._clock())

    def asked(self) -> None:
        """The user is at work."""
        self._active = self._clock()

    def edited(self, uri: str, length: int) -> None:
        """A document is ``length`` characters long now."""
        self.asked()
        self.weigher.typed(length - self._lengths.get(uri, length))
        self._lengths[uri] = length

    def closed(self, uri: str) -> None:
        self._lengths.pop(uri, None)

    def due(self) -> bool:
        """Whether to `learn` now: there is enough news, and the user rests. Says so once."""
        now = self._clock()
        ripe = sum(now - at >= LABEL_AGE_MS / 1000 for at in self._labels)
        if self._busy or ripe < LESSON or now - self._active < IDLE_S:
            return False
        for _ in range(ripe):
            self._labels.popleft()
        return True

    async def learn(self) -> None:
        """Fit this user's gate anew, and put it in force unless it is worth less than the one that is."""
        policy = self.weigher.policy
        if policy is None or self._busy:
            return
        self._busy, setting = True, policy.setting
        try:
            gate = await self._work.run(lambda: self._lesson(setting))
        except Exception as error:
            log.warning("the gate could not learn and stays as it is: %s", error)
            return
        finally:
            self._busy = False
        if gate.id != policy.gate.id:
            self._put(gate)

    def status(self) -> JsonObject:
        """For ``sotto/status``."""
        policy, last = self.weigher.policy, self.weigher.last
        return {
            "kind": _kind(policy.gate) if policy else "none",
            "id": policy.gate.id if policy else "",
            "decisions": policy.decisions if policy else 0,
            "hidden": self.weigher.hidden,
            "lastReason": WORDS.get(last.reason, last.reason) if last else "",
            "lastLesson": self._trial,
            "alarmed": bool(policy and policy.alarmed),
        }

    def close(self) -> None:
        """A lesson that goes on is given up."""
        self._work.end()
        if self._child is not None:
            self._child.kill()

    def _lesson(self, setting: str) -> Gate:
        """In the thread: rows to a process with numpy, its gate to the disk and back. Raises what goes wrong."""
        gate, _ = gate_file.current(self._data_dir)
        since = gate_file.since(gate)
        rows = deque(_of_model(gate_file.judged(self._store, since), self._model), maxlen=ROWS)
        options = ["--setting", setting, "--since", str(since)]
        if self._fits(gate) and (self._data_dir / gate_file.FILE).exists():
            options += ["--incumbent", str(self._data_dir / gate_file.FILE)]
        lines = "".join(to_json(row) + "\n" for row in rows)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
        with subprocess.Popen(
            [*python_command("assistant.gate.refit"), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
        ) as self._child:
            try:
                out, problem = self._child.communicate(lines, PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                raise
        if self._child.returncode:
            raise RuntimeError(problem.strip()[-300:] or f"exit code {self._child.returncode}")
        text, _, told = out.partition("\n")
        gate, self._trial = loads(text), json.loads(told)
        if self._trial["promoted"]:
            gate_file.save(self._data_dir, text + "\n")
            self._mark = gate_file.mark(self._data_dir)
        else:
            log.info("the gate just learned is worth less than the one in force, which stays: %s", told.strip())
        return gate


def _first(data_dir: Path, warn: Callable[[str], None]) -> Gate | None:
    """The gate to begin with: this user's, else the prior; ``None`` if there is not even that one."""
    try:
        return gate_file.current(data_dir)[0]
    except ArtefactError as error:
        warn(f"Sotto: {gate_file.FILE}: {error}")
    try:
        return load(PRIOR_PATH)
    except ArtefactError:
        log.exception("the shipped gate cannot be read; everything above the quality floor is shown")
        return None


def _changed(data_dir: Path, seen: tuple[int, int] | None) -> tuple[tuple[int, int] | None, Gate] | None:
    """The file's mark and its gate (the prior without one), if it is not as it was ``seen``. Raises `ArtefactError`."""
    found = gate_file.mark(data_dir)
    return None if found == seen else (found, gate_file.current(data_dir)[0])


def _of_model(rows: Iterable[GateRow], model: str) -> Iterable[GateRow]:
    """Of this model's answers, where the rows say whose they are; for a trial, hides count as well."""
    return (row for row in rows if not model or not row.model or row.model == model)


def _lessons(rows: Iterable[GateRow]) -> Iterable[GateRow]:
    """Those that one can learn from."""
    return (row for row in rows if row.trigger != "invoked" and target(row) is not None)


def _until(gate: Gate) -> float:
    """Rows after this time are not in ``gate``, UTC milliseconds."""
    return max(float(gate.record.get("yours", {}).get("until_ms", LABEL_AGE_MS)) - LABEL_AGE_MS, gate_file.since(gate))


def _kind(gate: Gate) -> str:
    return "personal" if gate_file.is_own(gate) else "prior"


def _declare(journal: Journal, gate: Gate) -> None:
    """Parameters and figures; where the prior comes from is no number."""
    yours = gate.record.get("yours", {})
    figures = {name: float(value) for name, value in yours.items() if isinstance(value, (int, float))}
    journal.gate(gate.id, _kind(gate), dumps(replace(gate, record={})).strip(), gate.decided, figures)
