"""Recorded sessions: keystrokes as they came, and the moments at which a next edit could have been shown.

A file is JSON::

    {"version": 1, "name": "what it is", "files": {"src/a.py": "text when it was opened", ...},
     "events": [{"path": "src/a.py", "start": 120, "end": 124, "text": "new", "at": 3.2}, ...]}

``start`` and ``end`` are code points of the file's text at that moment; ``at`` counts seconds and never goes back. A moment is
the pause before a change that joins none before it (`assistant.history`); right is what the next `AHEAD` changes bring.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from assistant.history import History
from assistant.next_edit.replay import Moment
from assistant.next_edit.replay_git import LANGUAGES
from assistant.next_edit.types import Document, Scene

VERSION = 1
AHEAD = 2
LARGEST_FILE = 64_000_000


class SessionError(ValueError):
    """A file is no recorded session; the text says what is wrong with it."""


@dataclass(frozen=True)
class Event:
    """``[start, end)`` of the file at ``path`` became ``text``."""

    path: str
    start: int
    end: int
    text: str
    at: float


@dataclass(frozen=True)
class Session:
    name: str
    files: dict[str, str]
    events: tuple[Event, ...]


@dataclass(frozen=True)
class _Pause:
    """The texts and the record before a change of its own; ``offset`` is where the one before it ended."""

    texts: dict[str, str]
    scene: Scene


def read(path: Path) -> Session:
    """Raises `SessionError` for anything that is not exactly such a file."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise SessionError(f"{path} is over {LARGEST_FILE // 1_000_000} MB; record shorter sessions")
        data = json.loads(path.read_text("utf-8"))
        if data["version"] != VERSION:
            raise SessionError(f"{path} is of version {data['version']}; this Sotto reads version {VERSION}")
        files = {str(name): _text(text) for name, text in data["files"].items()}
        events = tuple(_event(one) for one in data["events"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, SessionError):
            raise
        raise SessionError(f"{path} is no recorded session ({type(error).__name__}: {error}); see the README") from error
    _check(path, files, events)
    return Session(str(data.get("name", path.stem)), files, events)


def session_moments(path: Path) -> Iterator[Moment]:
    """Each pause of a recorded session with what came next. Raises `SessionError`."""
    session = read(path)
    pauses = list(_pauses(session))
    for number, pause in enumerate(pauses):
        later = pauses[min(number + AHEAD, len(pauses) - 1)]
        final = {_uri(name): text for name, text in later.texts.items() if text != pause.texts[name]}
        if pause.scene.changes and number < len(pauses) - 1:
            kind = "between" if final else "finished"
            yield Moment(session.name, f"{session.name}:{number}", kind, "recorded", pause.scene, final)


def _pauses(session: Session) -> Iterator[_Pause]:
    """Before every change that begins anew, and at the end."""
    history, texts, front = History(), dict(session.files), (session.events[0].path if session.events else "", 0)
    for event in session.events:
        held, known = dict(texts), history.changes
        before = texts[event.path]
        texts[event.path] = before[: event.start] + event.text + before[event.end :]
        history.changed(_uri(event.path), before, texts[event.path], event.start, event.end, event.at)
        if len(history.changes) > len(known):
            yield _Pause(held, _scene(held, front, known))
        front = event.path, event.start + len(event.text)
    if session.events:
        yield _Pause(dict(texts), _scene(texts, front, history.changes))


def _scene(texts: dict[str, str], front: tuple[str, int], changes: Sequence[Any]) -> Scene:
    documents = [
        Document(_uri(name), name, LANGUAGES.get(PurePosixPath(name).suffix, ""), text, 1) for name, text in texts.items()
    ]
    first = next(one for one in documents if one.path == front[0])
    return Scene(first, min(front[1], len(first.text)), tuple(one for one in documents if one is not first), tuple(changes))


def _event(data: dict[str, Any]) -> Event:
    start, end, at = data["start"], data["end"], data["at"]
    if type(start) is not int or type(end) is not int or type(at) not in (int, float):
        raise TypeError("start and end are whole numbers, at is a number")
    return Event(_text(data["path"]), start, end, _text(data["text"]), float(at))


def _check(path: Path, files: dict[str, str], events: Sequence[Event]) -> None:
    """Every event must lie in its file's text at that moment, and none before the one before it."""
    sizes = {name: len(text) for name, text in files.items()}
    at = float("-inf")
    for number, event in enumerate(events):
        if event.path not in sizes:
            raise SessionError(f"{path}: event {number} is of {event.path}, which is not among the files")
        if not 0 <= event.start <= event.end <= sizes[event.path] or event.at < at:
            raise SessionError(f"{path}: event {number} lies outside of its file, or before the event before it")
        sizes[event.path] += len(event.text) - (event.end - event.start)
        at = event.at


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} must be a text")
    return value


def _uri(path: str) -> str:
    return f"replay:///{path}"
