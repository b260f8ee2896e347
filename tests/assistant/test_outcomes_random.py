"""Whatever a user, an editor and a clock do: no impression ends twice, none is left open, nothing comes out of order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.impression import Seen
from assistant.retained import Retained
from assistant.types import Snapshot, Source, Suggestion
from tests.assistant.test_outcomes import Desk

PARTIAL = {"accepted_word", "accepted_line"}
FINAL = {"accepted", "rejected", "unread", "typed_through", "superseded", "ignored", "undone", "censored"} | PARTIAL

GHOSTS = st.sampled_from(["ab", "abc", "(a)", "a\n b", "🙂a", "b"])
STEPS = st.one_of(
    st.tuples(st.just("offer"), GHOSTS),
    st.tuples(st.just("type"), st.sampled_from(["a", "b", "c", "(", "🙂", "\n"])),
    st.tuples(st.just("take"), st.integers(0, 6)),
    st.tuples(st.just("erase"), st.integers(1, 3)),
    st.tuples(st.just("elsewhere"), st.integers(0, 30)),
    st.tuples(st.just("undo"), st.just(0)),
    st.tuples(st.sampled_from(["accepted", "shown", "rejected", "again"]), st.integers(0, 6)),
    st.tuples(st.just("part"), st.integers(0, 6)),
    st.tuples(st.just("close"), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([10.0, 900.0, 1100.0, 6000.0, 11_000.0, 70_000.0])),
)


def _step(desk: Desk, ghosts: dict[str, str], past: list[str], what: str, value: object) -> None:
    ids = list(ghosts)
    id = ids[-1 - min(value, len(ids) - 1)] if ids and isinstance(value, int) else "none"
    tracker, now = desk.tracker, desk.now
    past.append(desk.text)
    if what == "offer":
        ghosts[desk.offer(str(value))] = str(value)
    elif what == "type":
        desk.insert(str(value))
    elif what == "take" and ids:
        desk.insert(ghosts[id])
    elif what == "erase" and isinstance(value, int):
        start = max(0, desk.at - value)
        desk.set(desk.text[:start] + desk.text[desk.at :])
        desk.at = start
    elif what == "elsewhere" and isinstance(value, int):
        desk.set(desk.text[:value] + "\n" + desk.text[value:])
    elif what == "undo":
        desk.set(past[-2] if len(past) > 1 else desk.text)
        desk.at = min(desk.at, len(desk.text))
    elif what == "again" and ids:
        text = ghosts[id]
        again = Suggestion(id, text, text, desk.at, desk.at, Source.CACHE, None)
        desk.say(tracker.offered(Snapshot(desk.uri, "python", desk.text, desk.at), again, "o", now))
    elif what == "part":
        desk.say(tracker.partially_accepted(id, int(now) % 5, now))
    elif what == "close":
        desk.say(tracker.closed(desk.uri, now))
    elif what == "wait" and isinstance(value, float):
        desk.wait(value).say(tracker.tick(desk.now))
    elif what in ("accepted", "shown"):
        desk.say(getattr(tracker, what)(id, now))
    elif what == "rejected":
        desk.say(tracker.rejected(id, now))


@given(st.lists(STEPS, max_size=40))
def test_every_impression_ends_exactly_once_whatever_happens(steps: list[tuple[str, object]]) -> None:
    desk, ghosts, past = Desk(text="x\n\ny", at=2), dict[str, str](), list[str]()
    for what, value in steps:
        _step(desk, ghosts, past, what, value)
    desk.finish()
    state, given, looked = dict[str, str](), dict[str, int](), set[tuple[str, int]]()
    for fact in desk.facts:
        if isinstance(fact, Seen):
            assert fact.suggestion.id not in state, "seen twice"
            state[fact.suggestion.id] = "open"
        elif isinstance(fact, Retained):
            assert state[fact.suggestion] == "ended", "retained before it was accepted"
            assert 0 <= fact.chars <= fact.accepted_chars == given[fact.suggestion]
            assert (fact.suggestion, fact.horizon_s) not in looked
            looked.add((fact.suggestion, fact.horizon_s))
        else:
            given[fact.suggestion] = fact.accepted_chars
            assert state[fact.suggestion] == "open", "an end without a beginning, or after the end"
            assert fact.kind in (FINAL if fact.final else PARTIAL)
            assert 0 <= fact.accepted_chars <= len(ghosts[fact.suggestion])
            assert fact.visible_ms >= 0
            state[fact.suggestion] = "ended" if fact.final else "open"
    assert set(state.values()) <= {"ended"}
    assert desk.tracker.finish(desk.now) == []
