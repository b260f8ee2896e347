"""What became of each suggestion: a state machine over plain values, text and times in, facts out.

Knows nothing of editors, clocks, threads or the store: the caller passes ``now`` (milliseconds of a monotonic clock) and
writes the facts down. It compares whole texts, so it needs no positions and works with full and incremental sync alike.

How the facts are decided:
- Until a client reports its first display, an answer counts as seen when it is sent (``how`` inferred). From that report on,
  only reported displays count, and an answer that is never reported leaves no fact.
- While the user types what is shown, or the same result is offered again (a cached remainder under a new id), it stays one
  impression under its first id; later ids are accepted as its aliases.
- A text that becomes the suggestion's result in one step is an acceptance; in single keystrokes, `typed_through`. At least
  80 % typed is `typed_through` however it ends. Whole words in one step are a partial acceptance, and that is its end then.
- Any other edit of the cursor's line is a rejection, and `unread` if it came sooner than one can read; edits elsewhere move it.
- Explicit signals win over inference. Therefore an end is held back a while before it is told (`HOLD_MS`): an
  acceptance until an undo would no longer be "right after", a timeout while the text may still stand there to be taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from assistant.ghost import Ghost, is_keystroke, is_piece
from assistant.impression import PARTIAL, Ended, Seen, Track
from assistant.retained import Retained, Watches
from assistant.types import Snapshot, Suggestion

IGNORE_MS = 10_000.0  # Continue counts a suggestion as not taken after the same ten seconds
GRACE_MS = 1_000.0  # an accept command follows its text change within milliseconds; one second is generous
HOLD_MS = {"accepted": 5_000.0, "ignored": 50_000.0}


Fact = Seen | Ended | Retained


class OutcomeTracker:
    """The impressions of one session. Every method returns the facts that became certain, in order; none raises.

    Call `changed` after every change of a document, `tick` about once a second, and `finish` at the end. Times must not
    go backwards. Not thread-safe.
    """

    def __init__(self) -> None:
        self._documents: dict[str, _Document] = {}
        self._tracks: dict[str, Track] = {}
        self._used: dict[str, None] = {}
        self._watches = Watches()
        self._notifies = False

    def offered(self, snapshot: Snapshot, suggestion: Suggestion, opportunity: str, now: float) -> list[Fact]:
        """An answer with ``suggestion`` for ``snapshot`` was sent to the client."""
        facts = self.tick(now)
        if suggestion.id in self._used:
            return facts
        self._remember(suggestion.id)
        facts += self.changed(snapshot.uri, snapshot.text, now)
        document = self._documents.setdefault(snapshot.uri, _Document(snapshot.text))
        ghost = Ghost.of(snapshot, suggestion)
        if self._continues(document, ghost, suggestion.id, now):
            return facts
        track = Track(suggestion, opportunity, snapshot.uri, ghost, now, [suggestion.id])
        return facts + self._add(document, track, now)

    def shown(self, id: str, now: float) -> list[Fact]:
        """The client reports that it displays the suggestion ``id``."""
        facts = self.tick(now)
        self._notifies = True
        track = self._tracks.get(id)
        if track is not None:
            track.touch(now)
            facts += self._see(track, "notified", now)
        return facts

    def changed(self, uri: str, text: str, now: float) -> list[Fact]:
        """The document's whole text is now ``text``."""
        facts = self.tick(now)
        self._watches.changed(uri, text)
        document = self._documents.get(uri)
        if document is not None and text != document.text:
            for track in list(document.tracks):
                facts += self._follow(track, document.text, text, now)
            document.text = text
            self._watches.changed(uri, text)  # also those that have just begun
        return facts

    def accepted(self, id: str, now: float, how: str = "command") -> list[Fact]:
        """The client says the whole suggestion was taken: by the item's command, or a notification (``how`` notified)."""
        facts = self.tick(now)
        track = self._tracks.get(id)
        if track is None:
            return facts
        facts += self._see(track, "inferred", now)
        if track.ended is not None and track.ended.kind == "accepted":
            track.ended = replace(track.ended, how=how)
            return facts
        text = self._documents[track.uri].text
        if text != track.ghost.target:
            track.undo = text  # the insertion is still to come
        return facts + self._end(track, "accepted", how, now)

    def partially_accepted(self, id: str, chars: int, now: float) -> list[Fact]:
        """The client says that the first ``chars`` code points of ``Suggestion.text`` were taken (cumulative)."""
        facts = self.tick(now)
        track = self._tracks.get(id)
        taken = 0 if track is None else chars - track.ghost.lead
        if track is None or taken >= track.total:
            return facts + self.accepted(id, now, how="notified")
        told = taken < track.taken or (taken == track.taken and track.taken_how != "inferred")
        if taken <= 0 or told or (track.ended is not None and track.ended.kind in ("accepted", "typed_through")):
            return facts
        return facts + self._part(track, taken, "notified", now)

    def rejected(self, id: str, now: float) -> list[Fact]:
        """The client says the user dismissed the suggestion."""
        facts = self.tick(now)
        track = self._tracks.get(id)
        if track is None or (track.ended is not None and track.ended.kind in ("accepted", "typed_through")):
            return facts
        return facts + self._end(track, track.refused(now), "notified", now)

    def closed(self, uri: str, now: float) -> list[Fact]:
        """The document was closed; what stood there untouched counts as ignored."""
        facts = self.tick(now) + self._close(uri, "ignored", now)
        self._watches.closed(uri)
        return facts

    def tick(self, now: float) -> list[Fact]:
        """Time went by: timeouts, and ends that were held back long enough. Every other method does this too."""
        facts: list[Fact] = []
        for track in [track for document in list(self._documents.values()) for track in document.tracks]:
            due = track.active_ms + IGNORE_MS
            if track.ended is None and now >= due:
                facts += self._end(track, track.passive("ignored"), "inferred", due)
            if track.ended is not None and now >= track.until:
                facts += self._tell(track)
        return [*facts, *self._watches.due(now)]

    def finish(self, now: float) -> list[Fact]:
        """The session ends: open impressions are censored, held ends are told."""
        facts = self.tick(now)
        for uri in list(self._documents):
            facts += self._close(uri, "censored", now)
        self._watches = Watches()
        return facts

    def _continues(self, document: _Document, ghost: Ghost, id: str, now: float) -> bool:
        """Whether this answer leads to the same text as one that stands there; then ``id`` becomes its alias."""
        for track in document.tracks:
            if track.waiting() and track.ghost.target == ghost.target:
                track.ids.append(id)
                self._tracks[id] = track
                if track.seen_ms is None or not self._notifies:
                    track.touch(now)
                return True
        return False

    def _add(self, document: _Document, track: Track, now: float) -> list[Fact]:
        for other in list(document.tracks):
            if other.seen_ms is None:
                self._forget(other)
        self._documents[track.uri] = document
        self._tracks[track.suggestion.id] = track
        document.tracks.append(track)
        return [] if self._notifies else self._see(track, "inferred", now)

    def _see(self, track: Track, how: str, now: float) -> list[Fact]:
        """Count ``track`` as displayed, once; whatever stood in its document before has been replaced by it."""
        if track.seen_ms is not None:
            return []
        facts: list[Fact] = []
        for other in list(self._documents[track.uri].tracks):
            if other is not track and other.ended is None:
                facts += self._end(other, other.passive("superseded"), "inferred", now)
            elif other is not track and other.waiting():
                facts += self._tell(other)
        track.seen_ms = track.active_ms = now
        return [*facts, Seen(track.suggestion, track.opportunity, now, how)]

    def _follow(self, track: Track, old: str, text: str, now: float) -> list[Fact]:
        """What the step from ``old`` to ``text`` means for one suggestion."""
        if not track.waiting():
            return self._undone(track, text, now)
        if text == track.ghost.target:
            return self._reached(track, old, text, now)
        progress = track.ghost.progress(text)
        if progress is not None:
            start = track.given
            track.advance(progress, now)
            if is_keystroke(old, text) or not is_piece(track.ghost.tail, start, progress):
                return []
            return self._part(track, progress, "inferred", now)
        if track.ghost.rebase(old, text):
            return []
        if track.ended is not None:
            return self._tell(track)
        return self._end(track, track.refused(now), "inferred", now)

    def _part(self, track: Track, taken: int, how: str, now: float) -> list[Fact]:
        """The first ``taken`` characters were taken as such; more may follow."""
        facts = self._see(track, "inferred", now)
        track.touch(now)
        track.taken, track.taken_how = taken, how
        if track.ended is not None:  # decided, but not yet told
            track.ended = track.result(track.partial_kind(), how, track.ended.at_ms)
            self._watch(track, track.ended)
        return [*facts, track.result(track.partial_kind(), how, now, final=False)]

    def _reached(self, track: Track, old: str, text: str, now: float) -> list[Fact]:
        typed = is_keystroke(old, text)
        facts = [] if typed else self._see(track, "inferred", now)
        track.progress, track.undo = track.total, old
        return facts + self._end(track, "typed_through" if typed else "accepted", "inferred", now)

    def _undone(self, track: Track, text: str, now: float) -> list[Fact]:
        if track.ended is None or track.ended.kind != "accepted" or text != track.undo:
            return []
        track.ended = replace(track.ended, kind="undone", how="inferred", at_ms=now, accepted_chars=0, accepted_lines=0)
        self._watches.forget(track.suggestion.id)
        return self._tell(track)

    def _end(self, track: Track, kind: str, how: str, at_ms: float) -> list[Fact]:
        """Decide an end; it is told at once only when nothing can change it. What was never seen leaves no fact."""
        if track.seen_ms is None:
            self._forget(track)
            return []
        track.ended = track.result(kind, how, at_ms)
        self._watch(track, track.ended)
        track.until = at_ms + HOLD_MS.get(kind, GRACE_MS)
        return [] if how == "inferred" or kind == "accepted" else self._tell(track)

    def _watch(self, track: Track, ended: Ended) -> None:
        """From now on, see how long what was taken or typed of it stays."""
        if ended.kind not in ("accepted", "typed_through", *PARTIAL):
            return
        text = track.ghost.target if track.progress == track.total else self._documents[track.uri].text
        span = track.ghost.span(text)
        if span is not None:
            accepted = track.ghost.tail[: ended.accepted_chars]
            self._watches.add(track.suggestion.id, track.uri, text, accepted, span, ended.at_ms)

    def _tell(self, track: Track) -> list[Fact]:
        self._forget(track)
        return [] if track.ended is None else [track.ended]

    def _forget(self, track: Track) -> None:
        for id in track.ids:
            self._tracks.pop(id, None)
        document = self._documents[track.uri]
        document.tracks.remove(track)
        if not document.tracks:
            del self._documents[track.uri]

    def _close(self, uri: str, kind: str, now: float) -> list[Fact]:
        document = self._documents.get(uri)
        facts: list[Fact] = []
        for track in [] if document is None else list(document.tracks):
            if track.ended is None:
                facts += self._end(track, track.passive(kind), "inferred", now)
            if track.ended is not None:
                facts += self._tell(track)
        return facts

    def _remember(self, id: str) -> None:
        """An id is used once; ten thousand remembered ids outlast any client's retry."""
        self._used[id] = None
        if len(self._used) > 10_000:
            del self._used[next(iter(self._used))]


@dataclass
class _Document:
    text: str
    tracks: list[Track] = field(default_factory=list)
