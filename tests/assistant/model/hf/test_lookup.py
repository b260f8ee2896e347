"""Drafts from the context itself: what followed the last tokens where they stood before, the longest common past first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.model.hf.lookup import LONGEST, MOST, Lookup


def draft(ids: list[int], room: int = 99) -> list[int]:
    lookup = Lookup(1000)
    lookup.begin()
    return lookup.draft(ids, room)


def test_what_followed_may_follow_again() -> None:
    assert draft([1, 2, 3, 4, 5, 9, 1, 2]) == [3, 4, 5, 9, 1, 2]
    assert draft([1, 2, 3, 4, 5, 9, 1, 2], room=2) == [3, 4]
    assert draft([1, 2, 3, 1, 3]) == []
    assert draft([1, 2]) == []


def test_the_place_with_the_longest_common_past_wins_and_of_equals_the_later() -> None:
    assert draft([7, 1, 2, 30, 8, 1, 2, 40, 7, 1, 2], room=1) == [30]
    assert draft([7, 1, 2, 30, 8, 1, 2, 40, 6, 1, 2], room=1) == [40]


@given(ids=st.lists(st.integers(0, 3), max_size=60), room=st.integers(0, 9))
def test_it_is_the_naive_search(ids: list[int], room: int) -> None:
    def common(end: int) -> int:
        size = 0
        while size < min(LONGEST, end) and ids[end - 1 - size] == ids[len(ids) - 1 - size]:
            size += 1
        return size

    places = [at for at in range(2, len(ids)) if ids[at - 2 : at] == ids[-2:]] if len(ids) > 2 else []
    best = max(reversed(places), key=common) if places else len(ids)
    assert draft(ids, room) == ids[best : best + min(room, MOST)]


@given(ids=st.lists(st.integers(0, 3), min_size=1, max_size=60), cut=st.integers(1, 60))
def test_a_context_that_grows_is_searched_as_one_read_at_once(ids: list[int], cut: int) -> None:
    lookup = Lookup(1000)
    lookup.begin()
    lookup.draft(ids[:cut], 6)
    assert lookup.draft(ids, 6) == draft(ids, 6)
    lookup.begin()
    assert lookup.draft(ids[: len(ids) // 2], 6) == draft(ids[: len(ids) // 2], 6)
