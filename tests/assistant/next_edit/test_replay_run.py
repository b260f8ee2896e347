"""Moments of a replay put to whoever speaks: completion is asked in all of them, and judged as the rules are."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.next_edit.complete import RULE as COMPLETE
from assistant.next_edit.complete import AtCursor
from assistant.next_edit.patterns import Trees
from assistant.next_edit.ranker import Ranker
from assistant.next_edit.replay import Moment, Stored, moments
from assistant.next_edit.replay_git import commits
from assistant.next_edit.replay_known import Known
from assistant.next_edit.replay_report import choose, report
from assistant.next_edit.replay_run import Seen, see
from assistant.next_edit.types import Candidate, Scene
from assistant.service import Completer
from tests.assistant.fakes import FakeModel, numbered
from tests.assistant.next_edit.histories import repeated


class Foresight:
    """Says what the cursor's line will be in the end; keeps the scenes that it was shown."""

    def __init__(self) -> None:
        self.final: dict[str, str] = {}
        self.scenes: list[Scene] = []

    async def __call__(self, scene: Scene, config: Config, cancel: Cancel) -> list[Candidate]:
        self.scenes.append(scene)
        text, at = scene.document.text, scene.offset
        stop = (text + "\n").find("\n", at)
        line = self.final[scene.document.uri].split("\n")[text.count("\n", 0, at)]
        said = line[at - text.rfind("\n", 0, at) - 1 :]
        here = Candidate(scene.document.uri, at, stop, said, COMPLETE, features={"complete:mean_logprob": -0.1})
        return [here] if said != text[at:stop] else []


def all_moments(tmp_path: Path) -> list[Moment]:
    folder = repeated(tmp_path / "project", commits=3)
    return [moment for commit in commits(folder, 3, 0) for moment in moments(commit, 0)]


async def seen_by(speaker: Foresight, tmp_path: Path) -> list[Seen]:
    """All moments, each with what the speaker knows of its end."""
    found = []
    for moment in all_moments(tmp_path):
        speaker.final = moment.final
        found.append(await see(moment, None, Trees(), Ranker.load(), speaker))
    return found


def test_completion_is_asked_at_every_moment_and_judged_as_the_rules_are(tmp_path: Path) -> None:
    speaker = Foresight()
    seen = asyncio.run(seen_by(speaker, tmp_path))
    assert len(speaker.scenes) == len(seen)
    assert {one.kind for one in seen} >= {"between", "typing", "finished"}
    said = [(one.kind, item) for one in seen for item in one.items if item.rule == COMPLETE]
    assert said
    assert all(item.exact and item.position for _, item in said)
    assert "finished" not in {kind for kind, _ in said}  # nothing is left to say
    assert all(item.features["complete:mends"] >= 0 for _, item in said)
    assert any(item.breaks == 0 for _, item in said)
    assert all(Seen.from_json(one.to_json()) == one for one in seen)


def test_without_a_model_nobody_completes(tmp_path: Path) -> None:
    ranker = Ranker.load()
    seen = asyncio.run(seen_by(Foresight(), tmp_path))
    rules = [replace(one, items=tuple(item for item in one.items if item.rule != COMPLETE)) for one in seen]
    for way in ("patterns", "ranked patterns"):
        for whole, bare in zip(seen, rules, strict=True):
            chosen, alone = choose(whole, ranker, way), choose(bare, ranker, way)
            assert chosen.item is None or chosen.item.rule != COMPLETE
            assert (chosen.item is None, chosen.is_shown) == (alone.item is None, alone.is_shown)
    assert COMPLETE in report(seen, ranker, has_model=True)["by"]["rule"]
    assert COMPLETE not in report(rules, ranker, has_model=False)["by"]["rule"]


class Pupil:
    """An engine as far as it learns: what it was told, in order, and what it knows once it has caught up."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None]] = []
        self.known: dict[str, str] = {}
        self.late = 0

    async def learn(self, key: str, text: str) -> None:
        self.told.append((key, text))
        self.known[key] = text
        self.late += 2

    async def unlearn(self, key: str) -> None:
        self.told.append((key, None))
        del self.known[key]

    async def waiting(self) -> int:
        self.late = max(0, self.late - 1)
        return self.late


def test_an_engine_knows_the_other_files_as_they_are_and_never_as_they_will_be(tmp_path: Path) -> None:
    async def main() -> None:
        pupil = Pupil()
        known = Known(pupil)
        for moment in all_moments(tmp_path):
            scene = moment.scene
            await known.fit(scene)
            assert pupil.late == 0
            stored = dict(scene.files.files) if isinstance(scene.files, Stored) else {}
            there = {**stored, **{one.path: one.text for one in scene.others}}
            assert {path: text for path, text in pupil.known.items() if path != scene.document.path} == there
            told = len(pupil.told)
            await known.fit(scene)
            assert len(pupil.told) == told  # nothing is taught twice
        assert pupil.told

    asyncio.run(main())


def test_the_request_has_the_file_as_it_stands(tmp_path: Path) -> None:
    async def main() -> None:
        for moment in all_moments(tmp_path):
            model = FakeModel("nothing_of_this_kind()")
            scene = moment.scene
            await AtCursor(Completer(model, new_id=numbered()), budget_ms=10_000)(scene, Config(), Cancel())
            for request in model.requests:
                assert request.file is not None
                assert (request.file.key, request.budget_ms) == (scene.document.path, 10_000)
                assert request.file.above + request.file.below == scene.document.text

    asyncio.run(main())
