"""The length of drafts: long while they are right and rows are cheap, none where they gain nothing, and tried again."""

from __future__ import annotations

import pytest

from assistant.model.pace import AGAIN, Pace


def run(pace: Pace, right: int, passes: int = 200, row: float = 0.1) -> list[int]:
    """The lengths chosen when ``right`` tokens of each draft are right and a further row costs ``row`` of a pass."""
    lengths = []
    for _ in range(passes):
        lengths.append(pace.length())
        pace.drafted(lengths[-1], min(right, lengths[-1]))
        pace.took(1, 1.0)
        pace.took(1 + 4, 1.0 + 4 * row)
    return lengths


def test_right_drafts_become_as_long_as_they_may() -> None:
    assert run(Pace(6), right=6)[-1] == 6


def test_wrong_drafts_end_and_are_tried_again() -> None:
    lengths = run(Pace(6), right=0)
    assert lengths[0] > 0
    tried = [at for at, length in enumerate(lengths) if length]
    assert tried[-1] - tried[-2] == AGAIN + 1
    assert lengths.count(0) > 0.8 * len(lengths)


def test_they_come_back_when_they_are_right_again() -> None:
    pace = Pace(6)
    run(pace, right=0)
    assert run(pace, right=6, passes=600)[-1] == 6


@pytest.mark.parametrize(("row", "longest"), [(0.05, 6), (0.4, 3), (0.95, 0)])
def test_what_rows_cost_shortens_them(row: float, longest: int) -> None:
    lengths = run(Pace(6), right=2, passes=150, row=row)
    assert max(lengths[-10:]) <= longest
    assert (sum(lengths[-10:]) > 0) == (longest > 0)


def test_none_where_none_may_be() -> None:
    assert set(run(Pace(0), right=0)) == {0}


def test_one_disturbed_pass_ends_no_drafts() -> None:
    pace = Pace(4)
    for _ in range(9):
        pace.took(1, 1.0)
    before = pace.length()
    pace.took(1 + before, 50.0)
    assert pace.length() == before > 0
    for _ in range(9):
        pace.took(1 + before, 50.0)
    assert pace.length() == 0
