"""Joins the floors: engine, completer, workspace, exclusion, outcomes and store, with the settings in force.

Importing this module loads parsers and SQLite, so `server` does it after `initialize` is answered. Knows no LSP message;
what it has to say goes to a `Host`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from assistant.cancel import Cancel
from assistant.completion.ahead import Ahead
from assistant.config import Config
from assistant.next_edit.answer import Answer, Reach
from assistant.next_edit.model_edits import ModelEdits
from assistant.service import Completer
from assistant.types import Completion, JsonObject, Reason, Snapshot
from assistant.workspace.ignore import Excluder
from lsp_server import __version__
from lsp_server.buffers import Buffer
from lsp_server.edit_model import OwnEditModel, settings_of
from lsp_server.engine_choice import EngineChoice, status_of
from lsp_server.feeder import Feeder
from lsp_server.from_lsp import path_of
from lsp_server.gatekeeper import Gatekeeper
from lsp_server.journal import Journal
from lsp_server.name_filter import NameFilter
from lsp_server.next_edits import KIND, NextEdits, as_completion, place_of, ranker_of
from lsp_server.paths import cache_dir
from lsp_server.protocol import Status
from lsp_server.retriever import IndexRetriever
from lsp_server.reviews import Reviews
from lsp_server.workspace import Workspace
from telemetry.ids import new_id
from telemetry.store import Store

T = TypeVar("T")

TICK_S = 1.0
"""How often outcomes that only time decides are looked for."""

INACTIVE = {
    Reason.DISABLED: "suggestions are switched off",
    Reason.LANGUAGE: "this language is switched off",
    Reason.EXCLUDED: "this file is excluded",
}


class Host(Protocol):
    """The editor, as seen from here."""

    def status(self, status: Status) -> None:
        """Show a status."""

    def warn(self, text: str) -> None:
        """Show a message once."""

    def log(self, text: str) -> None:
        """A line for the log."""

    async def progress(self, title: str, done: asyncio.Event, look: Callable[[], tuple[str, int]] | None = None) -> None:
        """Show that something lasts until ``done``; ``look`` says how far it is."""


class App:
    """One client's assistant. Make it inside the event loop; `start` it; `close` it."""

    def __init__(
        self,
        host: Host,
        data_dir: Path,
        config: Config,
        roots: Iterable[str],
        client: tuple[str, str] = ("", ""),
        telemetry_allowed: bool = True,
        show_comments: Callable[[str], None] = lambda path: None,
        model: str = "",
    ) -> None:
        """``show_comments`` hears of documents, by their real paths, whose review comments are other ones or elsewhere.

        ``model`` stands in for an empty setting of that name.
        """
        self.config = config
        self._model = model
        self._host = host
        self._client = client
        self._telemetry_allowed = telemetry_allowed
        self._state, self._message = "off", ""
        self._last: Completion | None = None
        self._inactive = ""
        self._startup: asyncio.Task[None] | None = None
        self._engine_runs = False
        self._loaded = asyncio.Event()
        self._switch = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.workspace = Workspace(host, cache_dir(data_dir), lambda: self._feeder.wake())
        self._feeder = Feeder(self.workspace)
        self._names = NameFilter(self.workspace)
        self._retriever = IndexRetriever(self.workspace, lambda: self.edits.changes)
        self.edits = NextEdits(
            self.workspace, lambda: self.config, self.excluded, new_id, ranker=ranker_of(data_dir, host.warn)
        )
        self._edit_model: OwnEditModel | None = None
        self._roots: tuple[str, ...] = ()
        self.reviews = Reviews(
            data_dir,
            config,
            show=show_comments,
            warn=host.warn,
            folder=self._folder,
            index=lambda: self.workspace.whole,
            model=lambda: self._engine if self._engine.info is not None else None,
            journal=lambda: self.journal,
            excluded=self.excluded,
            new_id=new_id,
        )
        self._store = Store.open(data_dir, enabled=self._recording)
        self._gate = Gatekeeper(data_dir, self._store.path, config.eagerness, host.warn)
        self._new_engine()
        self.journal = self._begin_journal()
        self.set_roots(roots)

    async def start(self) -> None:
        """Start what runs beside the requests, once. Returns before the model is loaded."""
        if self._startup is None:
            self.workspace.fit(self.config, self._roots)
            self._keep(self._tick())
            if self._recording:
                self._keep(self._gate.recall())
            self._keep(self._feeder.run())
            self._startup = self._keep(self._fit_engine())
        await asyncio.shield(self._startup)  # a request that is cancelled meanwhile must not stop it

    async def close(self, reason: str) -> None:
        self._loaded.set()
        for task in self._tasks:
            task.cancel()
        self._completer.close()
        self.reviews.close()
        self.journal.end(reason)
        self._store.close()
        self._gate.close()
        self._names.close()
        self.edits.close()
        await asyncio.gather(self.workspace.close(), self.reviews.own.close(), self._close_engine())

    async def _close_engine(self) -> None:
        async with self._switch:
            await self._engine.close()
            if self._edit_model is not None:
                await self._edit_model.close()

    def set_roots(self, roots: Iterable[str]) -> None:
        """The workspace's folders changed; read their ignore files anew."""
        self._roots = tuple(roots)
        self._excluder = Excluder(self._roots)
        self.edits.refit()
        self._fit_workspace()

    def _fit_workspace(self) -> None:
        if self._startup is not None:
            self.workspace.fit(self.config, self._roots)

    async def configure(self, config: Config) -> None:
        """Put new settings in force; restarts only what they concern."""
        before, self.config = self.config, config
        if before.telemetry != config.telemetry:
            self.journal.end("telemetry switched")
            self._store.enabled = self._recording
            self.journal = self._begin_journal()
        self._gate.configure(config.eagerness)
        self.reviews.configure(config)
        self.edits.refit()
        self._fit_edit_model()
        self._fit_workspace()
        await self._fit_engine()

    async def complete(self, snapshot: Snapshot, cancel: Cancel) -> Completion:
        """Ask the assistant. Raises `asyncio.CancelledError` only."""
        self._gate.asked()
        await self.start()  # for a client that never says `initialized`
        if not self.edits.completes(snapshot):
            return Completion(Reason.EMPTY)
        with self._feeder.completing():
            return await self._completer.complete(snapshot, self.config, cancel)

    async def next_edit(self, snapshot: Snapshot, cancel: Cancel, reach: Reach) -> Answer:
        """The next edit, or what of it is an insertion at the cursor. Raises `asyncio.CancelledError` only."""
        await self.start()
        with self._feeder.completing():
            if reach is Reach.CURSOR:
                return await self.edits.at_cursor(snapshot, cancel)
            return await self.edits.answer(snapshot, cancel, reach)

    def answered_edit(self, snapshot: Snapshot, answer: Answer) -> None:
        """A request for a next edit has ended."""
        self.journal.answered(place_of(snapshot, answer.prediction), as_completion(answer), KIND)

    def accepted(self, id: str) -> None:
        """The editor has put a suggestion into its text."""
        self.journal.accepted(id)
        self.edits.accepted(id)

    def rejected(self, id: str) -> None:
        """The user has waved a next edit away."""
        self.journal.rejected(id)
        self.edits.rejected(id)

    @staticmethod
    def outdated(completion: Completion) -> Completion:
        """The same opportunity, its answer dropped because the document moved on meanwhile."""
        return replace(completion, reason=Reason.STALE, suggestion=None, ruling=None)

    def answered(self, snapshot: Snapshot, completion: Completion) -> None:
        """An opportunity has ended, with or without an answer to the client."""
        self._last = completion
        self.journal.answered(snapshot, completion)
        if completion.suggestion is not None:
            self.edits.offered(snapshot, completion.suggestion)
        if completion.reason in INACTIVE:
            self._set_inactive(INACTIVE[completion.reason])
        elif completion.reason not in (Reason.SUPERSEDED, Reason.CANCELLED, Reason.STALE):
            self._set_inactive("")

    async def busy(self, title: str, work: Coroutine[Any, Any, T]) -> T:
        """Do something that the user has asked for, and show that it lasts."""
        done = asyncio.Event()
        self._keep(self._host.progress(title, done))
        try:
            return await work
        finally:
            done.set()

    def warn(self, text: str) -> None:
        """A message for the user."""
        self._host.warn(text)

    def focused(self, path_or_uri: str | None) -> None:
        """Another document has the user's attention."""
        why = self.excluded(path_or_uri) if path_or_uri else None
        self._set_inactive(f"{INACTIVE[Reason.EXCLUDED]}: {why}" if why else "")

    def excluded(self, path_or_uri: str) -> str | None:
        """Why this file gets nothing and leaves nothing, or ``None``."""
        return self._excluder.reason(path_or_uri, self.config)

    def edited(self, buffer: Buffer) -> None:
        """A document was opened or changed."""
        self._gate.edited(buffer.uri, len(buffer.text))
        self.workspace.open_buffer(buffer.uri, path_of(buffer.uri), buffer.text, buffer.language)

    def saved(self, uri: str) -> None:
        """A document was written to its file."""
        path = path_of(uri)
        if path is not None:
            self.workspace.saved(path)
            self._keep(self.reviews.saved(uri))

    def closed(self, uri: str) -> None:
        """A document was closed: forget what was cached of it."""
        self._completer.forget(uri)
        self.edits.closed(uri)
        self.reviews.closed(uri)
        self.journal.closed(uri)
        self._gate.closed(uri)
        self.workspace.close_buffer(uri, path_of(uri))

    async def status(self) -> JsonObject:
        """The answer to ``sotto/status``: numbers and names a user may look at; no source text."""
        info, last = self._engine.info, self._last
        return {
            "version": __version__,
            "state": self._state,
            "message": self._message,
            "model": info.name if info else None,
            "modelInfo": asdict(info) if info else None,
            "enginePid": self._engine.pid,
            "nextEditPid": self._edit_model.pid if self._edit_model is not None else None,
            "steps": self._engine.steps,
            "telemetry": self._recording,
            "store": str(self._store.path) if self._recording else None,
            "storeProblem": self._store.problem or None,
            "dropped": self._store.dropped,
            "lastReason": last.reason.value if last else None,
            "lastTimings": asdict(last.timings) if last else None,
            "gate": self._gate.status(),
            "index": {**await self.workspace.status(), **self._feeder.status()},
        }

    def _folder(self) -> str | None:
        """The folder that the user works in: that of the document last looked at, else the first one that is open."""
        focus = self.workspace.focus
        return os.path.dirname(focus) if focus and os.path.isabs(focus) else next(iter(self._roots), None)

    @property
    def _recording(self) -> bool:
        return self.config.telemetry and self._telemetry_allowed

    def _begin_journal(self) -> Journal:
        """A new session of the record; one that was switched off in between knows nothing of what was shown before."""
        journal = Journal(self._store, new_id, listen=self._gate.hear)
        journal.begin(*self._client, __version__)
        self._gate.begin(journal)
        if self._recording and self._engine.info is not None:
            journal.model(self._engine.info)
        return journal

    def _new_engine(self) -> None:
        """An engine for the settings in force, not started yet; requests wait for it."""
        self._engine_for = EngineChoice.of(self.config, self._model)
        self._engine = self._engine_for.client(self._on_engine)
        self._fit_edit_model()
        self._completer = Completer(
            self._engine,
            new_id=new_id,
            checker=self._names,
            weigher=self._gate.weigher,
            retriever=self._retriever,
            ahead=Ahead(),
        )
        self.edits.write_with(self._completer)
        self._engine_runs = False

    def _fit_edit_model(self) -> None:
        """Next edits ask the user's own model where the settings name one, else the engine's."""
        own, wanted = self._edit_model, bool(self.config.next_edit_model and self.config.next_edit and self.config.enabled)
        if own is not None and not (wanted and own.settings == settings_of(self.config)):
            self._keep(own.close())
            own = None
        if wanted:
            self._edit_model = own or OwnEditModel(self.config, self._host.warn)
            self.edits.use(self._edit_model, is_sottos=False)
        else:
            self._edit_model = None
            self.edits.use(ModelEdits(self._engine))

    async def _fit_engine(self) -> None:
        """Run the engine that the settings ask for, or none; leave one that fits alone."""
        async with self._switch:
            fits = self._engine_for == EngineChoice.of(self.config, self._model)
            if not fits or (self._engine_runs and not self.config.enabled):
                self._completer.close()
                await self._engine.close()
                self._new_engine()
            if not self.config.enabled:
                self._show("off", "")
            elif not self._engine_runs:
                self._engine_runs = True
                await self._engine.start()

    def _on_engine(self, kind: str, text: str) -> None:
        """News of the engine: loading, ready, failed, restarting, resting, and a note of what it does not do as told."""
        self._host.log(text)
        if kind == "loading":
            self._loaded.clear()
            self._keep(self._host.progress("Sotto: loading the model", self._loaded))
        elif kind == "ready" and self._engine.info is not None:
            self.journal.model(self._engine.info)
            self._gate.model(self._engine.info.sha256)
            self._feeder.begin(self._engine)
            self._keep(asyncio.to_thread(self._names.warm))
        elif kind in ("failed", "note"):
            self._host.warn(f"Sotto: {text}")
        if kind != "ready":
            self._feeder.pause()
        if kind in ("ready", "failed"):
            self._loaded.set()
        self._show(kind, text)

    def _show(self, state: str, message: str) -> None:
        self._state, self._message = state, message
        self._send_status()

    def _set_inactive(self, why: str) -> None:
        self._inactive = why
        self._send_status()

    def _send_status(self) -> None:
        self._host.status(status_of(self._state, self._message, self._inactive, self.config.enabled))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.journal.tick()
            self.reviews.tick()
            await self._gate.follow()
            if self._recording and self._gate.due():
                self._keep(self._gate.learn())

    def _keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
