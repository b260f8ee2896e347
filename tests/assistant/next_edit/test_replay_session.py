"""Recorded sessions: pauses between changes become moments, what comes next is the truth; broken files are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.next_edit.replay_session import SessionError, session_moments
from assistant.next_edit.replay_truth import Truth
from assistant.next_edit.types import Candidate

CODE = "".join(f"def step_{n}(client):\n    client.flush({n})\n" for n in range(12))
OTHER = "from steps import step_1\n"


def typed(text: str, place: int, old: str, new: str, at: float) -> tuple[list[dict[str, Any]], str]:
    """Deleting a word and typing another, key by key."""
    events = [{"path": "steps.py", "start": place, "end": place + len(old), "text": "", "at": at}]
    for number, key in enumerate(new):
        events.append(
            {"path": "steps.py", "start": place + number, "end": place + number, "text": key, "at": at + 0.1 * (number + 1)}
        )
    return events, text[:place] + new + text[place + len(old) :]


def recording() -> dict[str, Any]:
    """`flush` becomes `sync` at three places, far apart, with pauses between them."""
    events: list[dict[str, Any]] = []
    text = CODE
    for number, line in enumerate((0, 5, 11)):
        place = text.index(f"flush({line})")
        more, text = typed(text, place, "flush", "sync", 10.0 * number)
        events += more
    return {"version": 1, "name": "three", "files": {"steps.py": CODE, "other.py": OTHER}, "events": events}


def saved(folder: Path, data: object) -> Path:
    file = folder / "one.session.json"
    file.write_text(json.dumps(data))
    return file


def test_each_pause_is_a_moment_with_what_came_next(tmp_path: Path) -> None:
    first, second = session_moments(saved(tmp_path, recording()))
    for moment, done in ((first, 1), (second, 2)):
        text = moment.scene.document.text
        assert text.count("sync") == done
        assert len(moment.scene.changes) == done
        assert (moment.kind, moment.order, moment.scene.document.language) == ("between", "recorded", "python")
        assert [one.path for one in moment.scene.others] == ["other.py"]
        place = text.index("flush(5)" if done == 1 else "flush(11)")
        assert Truth(moment.scene, moment.final).judge(Candidate("replay:///steps.py", place, place + 5, "sync", "r")).exact
    assert first.scene.changes[0].inserted == "sync"
    assert first.scene.offset == first.scene.document.text.index("sync(0)") + 4


def test_two_changes_ahead_count_and_no_more(tmp_path: Path) -> None:
    data = recording()
    text = CODE.replace("flush(0)", "sync(0)").replace("flush(5)", "sync(5)").replace("flush(11)", "sync(11)")
    more, _ = typed(text, text.index("flush(8)"), "flush", "sync", 40.0)
    data["events"] += more
    first, *_ = session_moments(saved(tmp_path, data))
    (final,) = first.final.values()
    assert ("sync(5)" in final, "sync(11)" in final, "sync(8)" in final) == (True, True, False)


def test_a_session_without_events_has_no_moments(tmp_path: Path) -> None:
    assert list(session_moments(saved(tmp_path, {"version": 1, "files": {}, "events": []}))) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version 2"),
        ({"events": [{"path": "gone.py", "start": 0, "end": 0, "text": "", "at": 0}]}, "not among the files"),
        ({"events": [{"path": "other.py", "start": 0, "end": 99, "text": "", "at": 0}]}, "outside"),
        ({"events": [{"path": "other.py", "start": -1, "end": 0, "text": "", "at": 0}]}, "outside"),
        ({"events": [{"path": "other.py", "start": 0, "end": 0, "text": "", "at": at} for at in (2, 1)]}, "before"),
        ({"events": [{"path": "other.py", "start": 0, "end": 0, "at": 0}]}, "KeyError"),
        ({"events": [{"path": "other.py", "start": "0", "end": 0, "text": "", "at": 0}]}, "whole numbers"),
        ({"files": []}, "AttributeError"),
        ({"files": {"a": 3}}, "must be a text"),
    ],
)
def test_a_broken_session_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(SessionError, match=words):
        list(session_moments(saved(tmp_path, recording() | change)))


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_what_is_no_session_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(SessionError, match="no recorded session"):
        list(session_moments(file))
    with pytest.raises(SessionError):
        list(session_moments(tmp_path / "missing.json"))
