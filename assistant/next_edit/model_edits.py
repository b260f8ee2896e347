"""Sotto's own model as an `EditModel`: asks it in the form it learnt edits in, and turns its lines back into candidates.

Knows the edit format and the engine's three edit requests. Does not know rules, thresholds or what is shown.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from assistant.cancel import Cancel, Cancelled
from assistant.edit_format import Change, Hunk, marked, render, render_question, split_lines
from assistant.next_edit.locate import Judgement
from assistant.next_edit.told import Stretch, as_lines, history, line_of, lines_of, stretch
from assistant.next_edit.types import Candidate, Document, Scene
from assistant.next_edit.windows import stretches
from assistant.types import (
    CompareRequest,
    EditEngine,
    EngineError,
    Finish,
    GenerateRequest,
    Likelihood,
    MarkRequest,
    Part,
    Rewrite,
)

log = logging.getLogger("sotto.next_edit")

SPEAKS = 0.13
"""A line's probability from which the model is asked for its text: best on made-up edits of training packages."""
PLACES = 2
"""Most places that are written."""
NEIGHBOUR = 0.5
"""A line belongs to the change beside it when it is at least this much as probable."""
MOST_TOKENS = 128
BUDGET_MS = 150.0
MOST_SCORED, MOST_STRETCHES = 8, 4
"""Candidates that are judged, and stretches that are read for it, each a prefill of some 400 tokens: about 15 ms of a core."""
REMEMBERED = 32


class ModelEdits:
    """An `EditModel` over an engine. Remembers the marks of the last stretches, for one prediction asks twice.

    It judges; it makes edits of its own only if ``proposes``. Of the shipped model's, 551 at 1,025 moments of five projects'
    commits, none was exactly right. Its judgement puts a right edit of a rule above a wrong one 69 times in 100; beside the
    ranker's other features that gained coverage on the projects it was weighed on (13.8 instead of 11.6 % of the moments, at
    60 % exact), and nothing that can be told from chance on five others (18.9 and 19.8 %).
    """

    def __init__(self, engine: EditEngine, proposes: bool = False) -> None:
        self._engine = engine
        self._proposes = proposes
        self._marks: OrderedDict[tuple[Part, ...], tuple[float, ...]] = OrderedDict()

    async def locate(self, scene: Scene, cancel: Cancel) -> list[Candidate]:
        """See `locate.EditModel`: marks the stretches worth a look, and writes the likeliest lines anew."""
        if not self._proposes:
            return []
        try:
            told = history(scene)
            seen = [(one, await self._chances(scene, told, one, cancel)) for one in stretches(scene)] if told else []
            written = [await self._write(scene, told, *place, cancel) for place in _places(scene, told, seen)]
        except (EngineError, Cancelled) as reason:
            log.debug("no edits of the model: %s", reason)
            return []
        return [candidate for candidate in written if candidate is not None]

    async def score(self, scene: Scene, candidates: Sequence[Candidate], cancel: Cancel) -> list[Judgement | None]:
        """See `locate.EditModel`. Of the first `MOST_SCORED` candidates those in the first `MOST_STRETCHES` places."""
        found: list[Judgement | None] = [None] * len(candidates)
        told = history(scene)
        try:
            places = list(_gathered(scene, candidates[:MOST_SCORED]).items()) if told else []
            for one, numbers in places[:MOST_STRETCHES]:
                judged = await self._judge(scene, told, one, [candidates[number] for number in numbers], cancel)
                for number, judgement in zip(numbers, judged, strict=True):
                    found[number] = judgement
        except (EngineError, Cancelled) as reason:
            log.debug("not all candidates are judged: %s", reason)
        return found

    async def _chances(self, scene: Scene, told: Sequence[Hunk], one: Stretch, cancel: Cancel) -> tuple[float, ...]:
        parts = _prompt(scene, told, one)
        if parts not in self._marks:
            self._marks[parts] = (await self._engine.mark(MarkRequest(parts), cancel)).chances
            while len(self._marks) > REMEMBERED:
                self._marks.popitem(last=False)
        return self._marks[parts]

    async def _write(
        self, scene: Scene, told: Sequence[Hunk], one: Stretch, lines: range, chance: float, cancel: Cancel
    ) -> Candidate | None:
        """The model's text for some lines of a stretch; ``None`` where it is what stands there, or no end was found."""
        region = one.region()
        old = "".join(region.lines[i] for i in lines)
        prompt = (*_prompt(scene, told, one), *render_question(region, lines))
        request = GenerateRequest(prompt, MOST_TOKENS, heal=False, budget_ms=BUDGET_MS, ends=("edit",), draft=old)
        answer = await self._engine.write(request, cancel)
        text = answer.text
        if answer.finish is not Finish.END or text == old or (text and not text.endswith("\n")):
            return None
        change = Change(one.first + lines.start, one.first + lines.stop, text)
        sure = sum(answer.logprobs) / max(1, len(answer.logprobs))
        found = {"model_chance": chance, "model_logprob": sure, "model_tokens": float(len(answer.logprobs))}
        return replace(_candidate(one.document, change), features=found)

    async def _judge(
        self, scene: Scene, told: Sequence[Hunk], one: Stretch, candidates: Sequence[Candidate], cancel: Cancel
    ) -> list[Judgement]:
        region = one.region()
        chances = await self._chances(scene, told, one, cancel)
        rewrites, places = [], []
        for candidate in candidates:
            change = as_lines(one.document, candidate)
            change = Change(change.start - one.first, change.end - one.first, change.text)
            whole, lines = marked(region, change)
            asked = render_question(region, lines)
            rewrites += [Rewrite(asked, whole.text), Rewrite(asked, "".join(region.lines[i] for i in lines))]
            places.append(lines)
        said = await self._engine.compare(CompareRequest(_prompt(scene, told, one), tuple(rewrites)), cancel)
        pairs = zip(places, said[::2], said[1::2], strict=True)
        return [Judgement(_gain(new, old), max(chances[i] for i in lines)) for lines, new, old in pairs]


def _gain(new: Likelihood, old: Likelihood) -> float:
    return (new.logprob - old.logprob) / max(1, new.tokens)


def _prompt(scene: Scene, told: Sequence[Hunk], one: Stretch) -> tuple[Part, ...]:
    cursor = None
    if one.document.uri == scene.document.uri:
        line = line_of(scene.document.text, scene.offset)
        if one.first <= line < one.last:
            cursor = (line - one.first, scene.offset - (scene.document.text.rfind("\n", 0, scene.offset) + 1))
    return render(told, one.region(), cursor)


def _places(
    scene: Scene, told: Sequence[Hunk], seen: Sequence[tuple[Stretch, tuple[float, ...]]]
) -> list[tuple[Stretch, range, float]]:
    """The likeliest lines, each with its likely neighbours: (stretch, lines of it, probability).

    Of the lines that the user has just written only the one with the cursor may change: marks are high on all of them.
    """
    written = {line for hunk in told for line in split_lines(hunk.new)}
    cursor = line_of(scene.document.text, scene.offset)
    found: list[tuple[Stretch, range, float]] = []
    for one, chances in seen:
        lines = lines_of(one.document)
        at_cursor = cursor - one.first if one.document.uri == scene.document.uri else -1
        free = {at for at in range(len(chances)) if at == at_cursor or lines[one.first + at] not in written}
        while free and chances[peak := max(free, key=chances.__getitem__)] >= SPEAKS:
            start, stop = peak, peak + 1
            while start - 1 in free and chances[start - 1] >= max(0.5, NEIGHBOUR * chances[peak]):
                start -= 1
            while stop in free and chances[stop] >= max(0.5, NEIGHBOUR * chances[peak]):
                stop += 1
            found.append((one, range(start, stop), chances[peak]))
            free -= set(range(start - 1, stop + 1))
    return sorted(found, key=lambda place: -place[2])[:PLACES]


def _gathered(scene: Scene, candidates: Sequence[Candidate]) -> dict[Stretch, list[int]]:
    """Candidates by a stretch that holds them; those that lie near each other share one."""
    found: dict[Stretch, list[int]] = {}
    for number, candidate in enumerate(candidates):
        document = scene.find(candidate.uri)
        if document is None:
            continue
        change = as_lines(document, candidate)
        holds = (one for one in found if one.document is document and _holds(one, change))
        one = next(holds, None)
        if one is None:
            around = stretch(document, lines_of(document), (change.start + change.end) // 2)
            one = around if _holds(around, change) else None
        if one is not None:
            found.setdefault(one, []).append(number)
    return found


def _holds(one: Stretch, change: Change) -> bool:
    """Whether the change lies in the stretch with a line to spare on both sides."""
    first, last = change.start - (change.start == change.end), change.end
    return one.first <= max(0, first) and last <= one.last and one.last > one.first


def _candidate(document: Document, change: Change) -> Candidate:
    """A change of whole lines as one of the document's own text, its line ends kept."""
    starts = [0]
    for line in document.text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    begin, stop = starts[change.start], min(starts[change.end], len(document.text))
    text = change.text.replace("\n", "\r\n") if "\r\n" in document.text else change.text
    if stop == len(document.text) and not document.text.endswith("\n"):
        text = text.removesuffix("\n")
    return Candidate(document.uri, begin, stop, text, rule="model", why="what usually follows such changes")
