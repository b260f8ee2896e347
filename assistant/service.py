"""The completion pipeline, top down: may this file be completed, was it answered before, is it worth asking, ask,
clean, is it good.

Knows no LSP, no engine process and no store. Every way out is a `Completion` with its reason; only cancellation raises.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from assistant.cancel import Cancel
from assistant.completion.ahead import Ahead
from assistant.completion.cache import Answer, CompletionCache, Entry, Hit
from assistant.completion.context import Site, Windows, chooses_lines, look
from assistant.completion.existing import checked
from assistant.completion.generate import Answered, confidence, generate
from assistant.completion.multiline import Mode, choose
from assistant.completion.open_file import open_file
from assistant.completion.popup import as_accepted, in_range, is_usable
from assistant.completion.postprocess import Placed, suggest
from assistant.completion.prompt import fim
from assistant.completion.retrieval import NOTHING, Retrieval, budget
from assistant.completion.schedule import Ended, Schedule
from assistant.completion.stop import Stopper
from assistant.config import Config
from assistant.gate import policy
from assistant.gate.features import signals
from assistant.gate.weigher import Case, Weigher
from assistant.types import (
    Chunk,
    Completion,
    EngineError,
    Finish,
    GenerateRequest,
    Priority,
    Reason,
    Snapshot,
    Source,
    Suggestion,
    TextModel,
    Timings,
    Trigger,
)
from assistant.workspace.aim import Retriever
from assistant.workspace.existence.verdict import Checker
from assistant.workspace.ignore import Excluder

_log = logging.getLogger(__name__)
_CONTEXT, _LAYOUT = 1024, "sotto"  # until the engine has said what it runs
_ENDED = {Ended.SUPERSEDED: Reason.SUPERSEDED, Ended.CANCELLED: Reason.CANCELLED}


@dataclass(frozen=True)
class _Ask:
    """One request on its way through the pipeline; ``asked`` is the clock at its arrival."""

    snapshot: Snapshot
    config: Config
    site: Site
    mode: Mode
    asked: float
    case: Case

    @property
    def invoked(self) -> bool:
        return self.snapshot.trigger is Trigger.INVOKED


@dataclass(frozen=True)
class _Drafted:
    """What a run of the model gave; requests for the same place share it.

    ``saved_tokens``: at most so many more would have been decoded but for a doubted one; ``None`` where doubts end nothing.
    """

    entry: Entry
    said: Answered
    started: float
    context_ms: float
    saved_tokens: int | None


@dataclass
class _Costs:
    """Clock readings and counts that become the answer's `Timings`."""

    wait: float = 0.0  # seconds; context is milliseconds
    context: float = 0.0
    new_tokens: int = 0
    saved_tokens: int | None = None
    engine: Chunk = field(default_factory=lambda: Chunk(""))
    checks: dict[str, float] = field(default_factory=dict)  # features: what the filter said


class Completer:
    """Completions for all documents of one client, with one model."""

    def __init__(
        self,
        model: TextModel,
        *,
        clock: Callable[[], float] = time.perf_counter,
        new_id: Callable[[], str],
        checker: Checker | None = None,
        weigher: Weigher | None = None,
        retriever: Retriever | None = None,
        ahead: Ahead | None = None,
    ) -> None:
        """``clock`` counts seconds from anywhere; ``new_id`` names suggestions. ``checker`` is asked in the
        event loop: it answers in a few milliseconds; ``retriever`` in a thread. Without a ``weigher`` only the quality floor
        hides anything. With ``ahead``, what follows a shown suggestion is computed before it is taken.
        """
        self._model, self._clock, self._new_id = model, clock, new_id
        self._checker = checker
        self._retrieval = Retrieval(retriever) if retriever is not None else None
        self._weigher = weigher or Weigher(clock=clock)
        self._ahead = ahead
        self._unread: set[str] = set()  # documents in which the last prompt was given up before the model had read it
        self._cache = CompletionCache()
        self._schedule: Schedule[_Drafted] = Schedule(clock)
        self._excluders: dict[str | None, Excluder] = {}

    def close(self) -> None:
        """Nothing is computed ahead any more."""
        if self._ahead is not None:
            self._ahead.stop()

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self.close()
        self._unread.discard(uri)
        self._cache.forget(uri)
        self._schedule.forget(uri)
        if self._checker is not None:
            self._checker.forget(uri)
        if self._retrieval is not None:
            self._retrieval.forget(uri)

    async def complete(self, snapshot: Snapshot, config: Config, cancel: Cancel) -> Completion:
        """What to suggest at the snapshot's cursor, or why nothing. Raises only `asyncio.CancelledError`."""
        asked = self._clock()
        self.close()
        try:
            refused = self._refusal(snapshot, config)
            if refused is None:
                return await self._answer(self._look(snapshot, config, asked), cancel)
            self._schedule.supersede(snapshot.uri)
            return self._nothing(refused, asked)
        except EngineError:
            return self._nothing(Reason.ENGINE, asked)
        except Exception:
            _log.exception("a completion failed; the editor gets none")
            return self._nothing(Reason.ENGINE, asked)

    async def write(self, snapshot: Snapshot, config: Config, cancel: Cancel) -> Completion:
        """The same for one who weighs it himself, as next-edit prediction does: no wait, no gate, and nothing is noted of the
        user, told of him, or taken as shown; the features are of the place and the text alone. A text that the budget, a doubt
        or its length has cut short is none. Raises only `asyncio.CancelledError`.
        """
        asked, uri = self._clock(), snapshot.uri
        try:
            refused = self._refusal(snapshot, config)
            if refused is not None:
                return self._nothing(refused, asked)
            site, mode = self._place(snapshot, config)
            case = Weigher(clock=self._clock).case(site, snapshot.trigger, mode.several, False)
            ask = _Ask(snapshot, config, site, mode, asked, case)
            hit = self._cache.get(uri, site, mode)
            if hit is None and policy.skip(site):
                return self._finish(ask, Reason.SKIPPED)
            if hit is None:
                drafted = await self._draft(ask, cancel, Priority.NEXT_EDIT)
                hit, said = Hit(drafted.entry, 0), drafted.said
                if said.new_tokens >= config.max_tokens:
                    hit.entry.answer = replace(hit.entry.answer, hurried=True)
            known = replace(hit, entry=replace(hit.entry))
            answer = self._from_cache(ask, known) if not hit.entry.answer.hurried else None
            return answer or self._finish(ask, Reason.EMPTY)
        except EngineError:
            return self._nothing(Reason.ENGINE, asked)
        except Exception:
            _log.exception("a completion failed; there is no next edit at the cursor")
            return self._nothing(Reason.ENGINE, asked)

    def _refusal(self, snapshot: Snapshot, config: Config) -> Reason | None:
        if not config.enabled:
            return Reason.DISABLED
        if not config.languages.get(snapshot.language, config.languages.get("*", True)):
            return Reason.LANGUAGE
        excluder = self._excluders.get(snapshot.root)
        if excluder is None:
            roots = (snapshot.root,) if snapshot.root else ()
            excluder = self._excluders[snapshot.root] = Excluder(roots)
        return Reason.EXCLUDED if excluder.reason(snapshot.path or snapshot.uri, config) else None

    def _look(self, snapshot: Snapshot, config: Config, asked: float) -> _Ask:
        site, mode = self._place(snapshot, config)
        case = self._weigher.case(site, snapshot.trigger, mode.several, snapshot.selected is not None)
        return _Ask(snapshot, config, site, mode, asked, case)

    def _place(self, snapshot: Snapshot, config: Config) -> tuple[Site, Mode]:
        info = self._model.info
        room = (info.context if info else _CONTEXT) - self._budget(config)
        windows = Windows.of(room, config.max_tokens_multi_line, chooses_lines(info, config.attention))
        site = look(as_accepted(snapshot), windows)
        return site, choose(site, snapshot.trigger, config.multi_line)

    def _budget(self, config: Config) -> int:
        """Tokens of a prompt for what the workspace says."""
        return budget(self._model.info, config.context_tokens) if self._retrieval is not None else 0

    async def _answer(self, ask: _Ask, cancel: Cancel) -> Completion:
        uri = ask.snapshot.uri
        key = (ask.site.offset, ask.mode, ask.site.text, ask.invoked)
        wait = self._schedule.pace(uri, key, ask.config.debounce_ms / 1000)
        hit = self._cache.get(uri, ask.site, ask.mode, patient=ask.invoked)
        if hit is not None:
            answer = self._from_cache(ask, hit)
            if answer is not None:
                self._schedule.supersede(uri)
                return answer
        if not ask.invoked and policy.skip(ask.site):
            self._schedule.supersede(uri)
            return self._finish(ask, Reason.SKIPPED)
        if not ask.case.runs():
            self._schedule.supersede(uri)
            return self._finish(ask, Reason.GATED_SKIP)
        wait = 0.0 if ask.invoked else wait
        if wait > 0 and uri in self._unread and self._ahead is not None and ask.config.look_ahead:
            self._ahead.begin(lambda stop: self._read(ask, stop), pause=0.0)
        drafted = await self._schedule.run(uri, key, wait, lambda stop: self._draft(ask, stop), cancel)
        if isinstance(drafted, Ended):
            return self._finish(ask, _ENDED[drafted], costs=_Costs(wait=self._clock() - ask.asked))
        waited, said = max(0.0, drafted.started - ask.asked), drafted.said
        costs = _Costs(waited, drafted.context_ms, said.new_tokens, drafted.saved_tokens, said.costs)
        return self._judge(ask, drafted.entry.placed, Hit(drafted.entry, 0), costs, drafted.started)

    def _from_cache(self, ask: _Ask, hit: Hit) -> Completion | None:
        """The answer an earlier one still gives; ``None`` if nothing of it is left that fits the line as it is now."""
        placed = hit.placed(ask.site)
        if placed is None and hit.entry.placed is not None:
            return None
        return self._judge(ask, placed, hit, _Costs())

    async def _follow(self, ask: _Ask, suggestion: Suggestion, cancel: Cancel) -> None:
        """Answer what is asked next if the suggestion is taken, unless that is known or would not be asked."""
        seen, start, end = ask.snapshot, suggestion.start, suggestion.end
        text = seen.text[:start] + suggestion.text + seen.text[end:]
        after = replace(seen, text=text, offset=start + len(suggestion.text), trigger=Trigger.AUTOMATIC, selected=None)
        site, mode = self._place(after, ask.config)
        if not policy.skip(site) and self._cache.get(after.uri, site, mode) is None:
            await self._draft(replace(ask, snapshot=after, site=site, mode=mode), cancel, Priority.AHEAD)

    async def _read(self, ask: _Ask, cancel: Cancel) -> None:
        """Let a slow model read the prompt while the user types: the answer is asked for when the wait is over."""
        request = replace(await self._request(ask, cancel), max_tokens=0, priority=Priority.AHEAD)
        async for chunk in self._model.generate(request, cancel):
            if chunk.finish is Finish.LENGTH:
                self._unread.discard(ask.snapshot.uri)

    async def _draft(self, ask: _Ask, cancel: Cancel, priority: Priority = Priority.INLINE) -> _Drafted:
        """Run the model for this place and remember what it said."""
        started, uri, config = self._clock(), ask.snapshot.uri, ask.config
        request = replace(await self._request(ask, cancel), priority=priority)
        context_ms = (self._clock() - started) * 1000
        least = 0.0 if ask.invoked else config.stop_below
        self._unread.add(uri)
        said = await generate(self._model, request, Stopper(ask.site, ask.mode), cancel, self._clock, least)
        self._unread.discard(uri)
        here = as_accepted(ask.snapshot)
        placed, objected = checked(self._checker, here, suggest(said.text, ask.site, ask.mode))
        answer = Answer(said.text, said.tokens, ask.mode, said.hurried or said.doubted, objected)
        entry = Entry.of(ask.site, placed, answer)
        if (placed or not said.hurried) and not said.cut_off:
            self._cache.put(uri, entry)
        saved = (request.max_tokens - said.new_tokens if said.doubted else 0) if least else None
        return _Drafted(entry, said, started, context_ms, saved)

    async def _request(self, ask: _Ask, cancel: Cancel) -> GenerateRequest:
        """What the model is asked at this place; looks up what the workspace knows of it."""
        config, info, found, tokens = ask.config, self._model.info, NOTHING, self._budget(ask.config)
        if self._retrieval is not None and tokens:
            found = await self._retrieval.at(as_accepted(ask.snapshot), ask.site, tokens, cancel)
        return GenerateRequest(
            parts=fim(info.layout if info else _LAYOUT, ask.site, found),
            max_tokens=config.max_tokens_multi_line if ask.mode.several else config.max_tokens,
            stop=() if ask.mode.several else ("\n",),
            budget_ms=config.budget_invoked_ms if ask.invoked else config.budget_ms,
            temperature=config.temperature,
            top_p=config.top_p,
            turbo=config.turbo,
            file=open_file(ask.site, ask.snapshot),
        )

    def _judge(self, ask: _Ask, placed: Placed | None, hit: Hit, costs: _Costs, started: float | None = None) -> Completion:
        """The quality floor, the gate's stage two, and the suggestion itself. ``started``: when the model was asked for it."""
        if self._checker is not None:
            costs.checks["existence"] = float(hit.entry.answer.objected)
        if placed and is_usable(ask.snapshot):
            placed = in_range(placed, ask.snapshot)
        if placed is None:
            return self._finish(ask, Reason.EMPTY, costs=costs)
        answer = hit.entry.answer
        sure = confidence(answer.raw, answer.tokens, hit.entry.text[: hit.typed], placed.inserted)
        source = Source.CACHE if started is None else Source.MODEL
        suggestion = Suggestion(self._new_id(), placed.text, placed.inserted, placed.start, placed.end, source, sure)
        ask.case.tells(suggestion, None if started is None else (self._clock() - started) * 1000, signals(costs.engine))
        if not (ask.invoked or hit.entry.shown or policy.is_sure(sure, ask.config.min_confidence)):
            return self._finish(ask, Reason.UNSURE, costs=costs)
        if not ask.case.shows(hit.entry.shown):
            return self._finish(ask, Reason.GATED_HIDE, costs=costs)
        hit.entry.shown = True
        if self._ahead is not None and ask.config.look_ahead:
            self._ahead.begin(lambda cancel: self._follow(ask, suggestion, cancel))
        ask.case.offered(suggestion)
        return replace(self._finish(ask, Reason.SHOWN, costs=costs), suggestion=suggestion)

    def _nothing(self, reason: Reason, asked: float) -> Completion:
        return Completion(reason, timings=Timings(total=(self._clock() - asked) * 1000))

    def _finish(self, ask: _Ask, reason: Reason, *, costs: _Costs | None = None) -> Completion:
        costs = costs or _Costs()
        engine, total = costs.engine, (self._clock() - ask.asked) * 1000
        return Completion(
            reason,
            timings=Timings(costs.wait * 1000, costs.context, engine.prefill_ms, engine.decode_ms, total),
            prompt_tokens=engine.prompt_tokens,
            reused_tokens=engine.reused_tokens,
            new_tokens=costs.new_tokens,
            features={**ask.case.features, **costs.checks},
            ruling=ask.case.ruling(reason),
            exits=engine.exits,
            saved_tokens=costs.saved_tokens,
        )
