"""Next edits for one session: changes in, at most one prediction out.

An answer is made so: what is shown still fits? what follows an acceptance is ready? else rules and model propose, the ranker
weighs, the never-rules drop, and the threshold decides. Knows no LSP, no engine process and no store; whoever calls it drops
an answer whose document has changed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from assistant.cancel import Cancel
from assistant.completion.schedule import Ended, Schedule
from assistant.config import Config
from assistant.ghost import is_keystroke
from assistant.history import History
from assistant.next_edit.ahead import Ahead, after
from assistant.next_edit.answer import Answer, Left, Prediction, Reach, Step
from assistant.next_edit.complete import RULE, Completions, read
from assistant.next_edit.filters import Filters
from assistant.next_edit.locate import EditModel
from assistant.next_edit.memory import Memory
from assistant.next_edit.patterns import Trees
from assistant.next_edit.place import Edit, difference, fitted, smallest
from assistant.next_edit.produce import Ask, Limits, Run, judge, produce
from assistant.next_edit.rank import Placed, Weigher, is_proven, passes, placed, threshold, widened
from assistant.next_edit.ranker import Ranker
from assistant.next_edit.rebase import moved, rebase
from assistant.next_edit.types import Candidate, Document, Scene
from assistant.types import Reason

log = logging.getLogger("sotto.next_edit")

MOST_JUDGED = 16  # candidates that the model reads
MOST_PARSED = 8  # that are tried, the likeliest first, until one brings no syntax error
MOST_LEFT = 8  # of a prediction, for the one after
_LANES = ("edits", "cursor")  # one prediction at a time in each, whatever the document
_ENDED = {Ended.SUPERSEDED: Reason.SUPERSEDED, Ended.CANCELLED: Reason.CANCELLED}


class NextEditor:
    """Call from one event loop. ``clock`` counts seconds; ``run`` does blocking work in one thread of its own."""

    def __init__(
        self,
        *,
        new_id: Callable[[], str],
        model: EditModel | None = None,
        ranker: Weigher | None = None,
        run: Run | None = None,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
        completions: Completions | None = None,
    ) -> None:
        self.history, self.completions = History(), completions
        self._own_ranker, self._own_limits = ranker or Ranker.load(), limits or Limits()
        self.use(model)
        self._new_id, self._clock = new_id, clock
        self._pool = None if run is not None else ThreadPoolExecutor(1, "sotto-edits")
        self._run: Run = run or self._in_pool
        self._trees = Trees()
        self._memory = Memory()
        self._schedule: Schedule[Answer] = Schedule(clock)
        self._shown: Prediction | None = None
        self._is_fresh = False
        self._taken: tuple[str, str, Edit, str] | None = None
        self._left: Sequence[Left] = ()
        self._ahead: Ahead[Answer] | None = None
        self._texts: dict[str, str] = {}

    @property
    def shown(self) -> Prediction | None:
        """What the user may see now: the last answer, moved along with the text since."""
        return self._shown

    def use(self, model: EditModel | None, ranker: Weigher | None = None, limits: Limits | None = None) -> None:
        """The model that is asked from now on; with a ranker and limits of its own, where those given first do not suit it."""
        self.model, self._ranker, self._limits = model, ranker or self._own_ranker, limits or self._own_limits

    # What happens

    def opened(self, document: Document) -> None:
        """A document was opened, or its text came about in a way that is no edit."""
        self._texts[document.uri] = document.text
        self._memory.opened(document.uri, document.text)
        self.history.reset(document.uri)
        self._drop(document.uri)

    def closed(self, uri: str, forget: bool = False) -> None:
        """A document was closed. ``forget``: it is out of sight from now on, and so is what was done in it."""
        text = self._texts.pop(uri, None)
        if text is not None:
            self._memory.closed(uri, text)
        if forget:
            self.history.forget(uri)
        else:
            self.history.reset(uri)
        self._drop(uri)

    def changed(self, before: Document, after: Document, at: float, steps: Sequence[Step] = (), accepted: bool = False) -> None:
        """The editor's text of a document is ``after`` now. ``steps``: the single edits, where they are known.

        ``accepted``: the user took a suggestion, of completion say; this editor's own it knows itself.
        """
        self._supersede()
        if before.text == after.text:
            self._renumber(after)
            return
        self._texts[after.uri] = after.text
        count, shown = len(self.history.changes), self._shown
        taken = shown is not None and shown.document.uri == after.uri and after.text == shown.target
        in_one = taken and not is_keystroke(before.text, after.text)
        self._record(before, after, at, () if in_one else steps, accepted or in_one)
        self._memory.changed(after.uri, before.text, after.text)
        self._refuse_undone(after, at)
        if taken and shown is not None:
            self._taken = after.uri, before.text, shown.edit, shown.rule
            self._memory.taken(at)
            self._shown = None
            self._left = _moved_along(self._left, before, after)
        else:
            self._left = ()
            self._follow(before, after, at, is_new=len(self.history.changes) != count)
        if self._ahead is not None and not self._ahead.arrives(after):
            self._ahead.stop()
            self._ahead = None

    def accepted(self, id: str) -> None:
        """The editor says that it took a prediction; its change comes before or after this."""
        if self._shown is not None and self._shown.id == id:
            self._memory.taken(self._clock())

    def rejected(self, id: str) -> None:
        """The user does not want a prediction: it stays away until that code changes."""
        shown = self._shown
        if shown is None or shown.id != id:
            return
        self._memory.refused(shown.document.uri, shown.document.text, shown.edit, self._clock(), shown.rule)
        self._drop(shown.document.uri)

    def close(self) -> None:
        self._supersede()
        self._stop_ahead()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    # What comes next

    async def predict(self, scene: Scene, config: Config, cancel: Cancel) -> Prediction | None:
        """The next edit, or none. Raises only `asyncio.CancelledError`."""
        return (await self.answer(scene, config, cancel)).prediction

    async def answer(self, scene: Scene, config: Config, cancel: Cancel, reach: Reach = Reach.OPEN) -> Answer:
        """The same with its reasons. ``scene.changes`` are filled in. Raises only `asyncio.CancelledError`."""
        began = self._clock()
        try:
            answer = await self._answer(replace(scene, changes=self.history.changes), config, cancel, reach)
        except Exception:
            log.exception("a prediction failed; the editor gets none")
            answer = Answer(Reason.ENGINE)
        return replace(answer, total_ms=(self._clock() - began) * 1000)

    async def _answer(self, scene: Scene, config: Config, cancel: Cancel, reach: Reach) -> Answer:
        if not (config.enabled and config.next_edit):
            return Answer(Reason.DISABLED)
        if not config.languages.get(scene.document.language, config.languages.get("*", True)):
            return Answer(Reason.LANGUAGE)
        shown = self._shown
        if shown is not None and self._is_fresh and _stands(shown, scene, reach):
            return Answer(Reason.SHOWN, shown, shown.probability, shown.threshold, shown.features)
        if not scene.changes:
            return Answer(Reason.EMPTY)
        key = (scene.document, scene.offset, reach)
        lane = _LANES[reach is Reach.CURSOR]
        found = await self._schedule.run(lane, key, 0.0, lambda stop: self._found(scene, config, stop, reach), cancel)
        if isinstance(found, Ended):
            return Answer(_ENDED[found])
        return replace(found, prediction=self._show(found, scene, config, reach))

    async def _found(self, scene: Scene, config: Config, cancel: Cancel, reach: Reach) -> Answer:
        """What was made ready for this text, else what is found now."""
        ahead = self._ahead
        if (
            ahead is not None
            and ahead.has_arrived
            and ahead.purpose is reach
            and scene.find(ahead.document.uri) == ahead.document
        ):
            answer = await ahead.result(self._limits.produce_s + self._limits.judge_s)
            made = answer.prediction if answer is not None else None
            now = scene.find(made.document.uri) if made is not None else None
            if answer is not None and made is None:
                return answer
            if answer is not None and made is not None and now is not None and now.text == made.document.text:
                return replace(answer, prediction=replace(made, document=now))
        return await self._compute(scene, config, cancel, reach, self._left)

    async def _compute(self, scene: Scene, config: Config, cancel: Cancel, reach: Reach, left: Sequence[Left] = ()) -> Answer:
        said = await produce(scene, self._trees, self._others(scene, config, reach), self._run, self._limits, cancel)
        said += [_again(one) for one in left if scene.find(one.document.uri) == one.document]
        wide = await self._run(lambda: widened(scene, said)) if reach is Reach.ALL else scene
        filters, weigher = Filters(wide, self._trees), self._ranker
        found = await self._run(lambda: _screened(wide, read(wide, said, self._trees), reach, filters))
        found = [one for one in found if not self._memory.forbids(one.document.uri, one.document.text, one.edit)]
        first = await self._run(lambda: _likeliest(wide, found, weigher)[:MOST_JUDGED]) if found else []
        model = None if self._is_settled(first, config) else self.model
        judged = await judge(wide, [one.candidate for one in first], model, self._limits, cancel)
        ranked = [replace(one, judgement=said) for one, said in zip(first, judged, strict=True)]
        if any(judged):
            ranked = await self._run(lambda: _likeliest(wide, ranked, weigher))
        return await self._best(ranked, config, filters) if ranked else Answer(Reason.EMPTY)

    def _others(self, scene: Scene, config: Config, reach: Reach) -> list[Ask]:
        """Who is asked beside the rules: nobody where completion has asked about the cursor already."""
        model, completions = self.model, self.completions
        asks: list[Ask] = []
        if model is not None and reach is not Reach.CURSOR:
            asks.append(lambda stop: model.locate(scene, stop))
        if completions is not None and reach is not Reach.CURSOR:
            asks.append(lambda stop: completions(scene, config, stop))
        return asks

    def _is_settled(self, found: Sequence[Placed], config: Config) -> bool:
        """Whether the latest change proves one of these: it is shown whatever the model says, some 60 ms earlier unasked."""
        now = self._clock()
        return any(not _order(one)[0] and passes(self._ranker, one, config.eagerness, self._memory, now) for one in found)

    async def _best(self, ranked: list[Placed], config: Config, filters: Filters) -> Answer:
        """The likeliest edit that is probable enough and breaks nothing."""
        now = self._clock()
        caution = self._memory.caution(now)
        sure = [one for one in ranked if passes(self._ranker, one, config.eagerness, self._memory, now)]
        sure = sorted(sure, key=_order)[:MOST_PARSED]
        best = await self._run(lambda: _unbroken(sure, filters)) if sure else None
        first = best or ranked[0]
        known = first.probability, threshold(self._ranker, first, config.eagerness, caution), dict(first.candidate.features)
        if best is None:
            return Answer(Reason.UNSURE, None, *known)
        rest = tuple(Left(one.document, one.edit, one.candidate) for one in ranked if _outlasts(one, best))[:MOST_LEFT]
        return Answer(Reason.SHOWN, self._prediction(best, known[1]), *known, left=rest)

    def _prediction(self, best: Placed, least: float) -> Prediction:
        made, features = best.candidate, dict(best.candidate.features)
        if best.judgement is not None:
            features |= {"gain": best.judgement.gain, "chance": best.judgement.chance}
        place = self._new_id(), best.document, best.edit
        return Prediction(*place, made.rule, made.why, best.probability, least, best.at_cursor, features)

    def _show(self, answer: Answer, scene: Scene, config: Config, reach: Reach) -> Prediction | None:
        """The prediction is what the user sees from now on; what follows it is made ready. The same edit keeps its name.

        Nothing at the cursor says nothing of what is shown elsewhere.
        """
        made, shown = answer.prediction, self._shown
        if made is None and reach is Reach.CURSOR:
            return None
        self._is_fresh, self._left = True, answer.left
        if made is not None and shown is not None and made.document == shown.document and made.target == shown.target:
            made = replace(made, id=shown.id)
        is_other = made is not None and (shown is None or made.id != shown.id or made.document != shown.document)
        self._shown = made
        if made is None or is_other:
            self._stop_ahead()
        if made is not None and is_other:
            document, following = after(scene, made.document, made.edit, self._clock())
            self._ahead = Ahead(document, lambda cancel: self._compute(following, config, cancel, reach), reach)
        return made

    # Following the text

    def _record(self, before: Document, after: Document, at: float, steps: Sequence[Step], accepted: bool) -> None:
        if not steps:
            whole = difference(before.text, after.text)
            steps = [Step(before.text, after.text, whole.start, whole.end)]
        for step in steps:
            self.history.changed(after.uri, step.before, step.after, step.start, step.end, at, accepted)

    def _renumber(self, document: Document) -> None:
        """The same text is another version."""
        if self._shown is not None and self._shown.document.uri == document.uri:
            self._shown = replace(self._shown, document=document)
        self._left = ()
        self._stop_ahead()

    def _refuse_undone(self, after: Document, at: float) -> None:
        """An edit that was taken and taken back is not wanted."""
        if self._taken is not None and self._taken[:2] == (after.uri, after.text):
            self._memory.refused(after.uri, after.text, self._taken[2], at, self._taken[3])
            self._taken = None

    def _follow(self, before: Document, after: Document, at: float, is_new: bool) -> None:
        """What is shown shrinks, moves or goes; its own text typed, it stays what it is."""
        shown = self._shown
        if shown is None or shown.document.uri != after.uri:
            self._is_fresh = False
            return
        edit = rebase(shown.edit, before.text, after.text)
        if edit is None:
            self._shown, self._is_fresh = None, False
            return
        edit = fitted(edit, after.text)
        self._is_fresh = self._is_fresh and edit.apply(after.text) == shown.target
        self._shown = replace(shown, document=after, edit=edit)
        if is_new and not self._is_fresh:
            self._memory.passed_over(after.uri, after.text, edit, at)

    def _supersede(self) -> None:
        for lane in _LANES:
            self._schedule.supersede(lane)

    def _drop(self, uri: str) -> None:
        """Nothing that was thought of this document counts any more."""
        self._supersede()
        self._is_fresh = False
        self._left = ()
        if self._shown is not None and self._shown.document.uri == uri:
            self._shown = None
        self._stop_ahead()

    def _stop_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.stop()
            self._ahead = None

    async def _in_pool(self, job: Callable[[], Any], /) -> Any:
        assert self._pool is not None
        return await asyncio.get_running_loop().run_in_executor(self._pool, job)


def _stands(shown: Prediction, scene: Scene, reach: Reach) -> bool:
    """Whether what is shown is still an answer: its document is as it was, and may be spoken of."""
    is_closed = reach is Reach.ALL and shown.document.version is None and scene.find(shown.document.uri) is None
    is_same = is_closed or scene.find(shown.document.uri) == shown.document
    return is_same and _reaches(reach, scene, shown.document, shown.edit)


def _reaches(reach: Reach, scene: Scene, document: Document, edit: Edit) -> bool:
    if reach is Reach.CURSOR:
        core = smallest(edit, document.text)
        return document.uri == scene.document.uri and core.start == core.end == scene.offset
    return reach is not Reach.HERE or document.uri == scene.document.uri


def _screened(scene: Scene, said: Sequence[Candidate], reach: Reach, filters: Filters) -> list[Placed]:
    """What may be shown at all, each edit once."""
    found = (one for one in placed(scene, said) if _reaches(reach, scene, one.document, one.edit))
    kept = [one for one in found if not filters.objection(one.document, one.edit)]
    if any(is_proven(one.candidate, True) for one in kept):
        is_whole = filters.is_whole()
        return [replace(one, is_proven=is_proven(one.candidate, is_whole)) for one in kept]
    return kept


def _likeliest(scene: Scene, found: Sequence[Placed], weigher: Weigher) -> list[Placed]:
    """With their probabilities, the likeliest first; of equals the nearest."""
    weighed = [replace(one, probability=weigher.probability(scene, one.candidate, one.judgement)) for one in found]
    return sorted(weighed, key=lambda one: (-one.probability, one.rows is None, one.rows or 0))


def _order(one: Placed) -> tuple[bool, bool, int]:
    """What the latest change proves first, the nearest of it; the rest stays as it is: the likeliest first."""
    is_first = one.is_proven and one.candidate.features.get("recent") == 1.0
    far = (one.rows is None, one.rows or 0) if is_first else (False, 0)
    return not is_first, *far


def _unbroken(found: Sequence[Placed], filters: Filters) -> Placed | None:
    return next((one for one in found if not filters.breaks(one.document, one.edit)), None)


def _outlasts(one: Placed, best: Placed) -> bool:
    """Whether a candidate is still one when another was taken; the cursor moves, and what was to be written there is not."""
    return one is not best and one.candidate.rule != RULE


def _again(one: Left) -> Candidate:
    return replace(one.candidate, start=one.edit.start, end=one.edit.end, text=one.edit.text)


def _moved_along(left: Sequence[Left], before: Document, after: Document) -> tuple[Left, ...]:
    """What is left of a prediction, after one of it was taken."""
    found = []
    for one in left:
        if one.document.uri != after.uri:
            found.append(one)
        elif one.document == before and (edit := moved(one.edit, before.text, after.text)) is not None:
            found.append(Left(after, edit, one.candidate))
    return tuple(found)
