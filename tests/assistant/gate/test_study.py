"""The numbers that were asked of the gate, on the study of 21 programmers and on made-up users, through the shipped code."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from assistant.gate import cups
from assistant.gate.evaluate import LEAK, auc, leave_one_user_out
from assistant.gate.features import STAGE_ONE, STAGE_TWO
from assistant.gate.learn import FOREST_ONE, FOREST_TWO, Labelled, fit_stage
from assistant.gate.model import PRIOR_PATH, load
from assistant.gate.simulate import States, simulate, world
from tests.assistant.gate import study
from tests.assistant.gate.study import FOLDER, needs_study

pytestmark = needs_study


def test_every_judged_display_is_a_row() -> None:
    rows = study.rows()
    assert len(rows) == 1052
    assert len({row.user for row in rows}) == 21
    assert sum(row.outcome == "accepted" for row in rows) == 370
    assert len({row.id for row in rows}) == len(rows)
    assert set().union(*(row.features for row in rows)) <= {*STAGE_ONE, *STAGE_TWO}


def test_rows_hold_no_text() -> None:
    assert not any(isinstance(value, str) for row in study.rows() for value in row.features.values())


def test_the_shipped_prior_is_the_one_that_these_rows_give() -> None:
    """Byte for byte depends on the machine's arithmetic; the predictions must agree."""
    _, fresh, _, _ = study.fitted()
    shipped = load(PRIOR_PATH)
    for row in study.rows()[::20]:
        for one, two in ((fresh.one, shipped.one), (fresh.two, shipped.two)):
            assert one.probability(row.features) == pytest.approx(two.probability(row.features), abs=0.02)


def test_nothing_that_came_after_the_display_is_in_a_row() -> None:
    """Rows are the same when every event's future is cut off right after its end."""
    events = cups.events(FOLDER / cups.EVENTS)
    user = [event for event in events if event["user"] == 3]
    whole = {row.id: row.features for row in cups._of_user(user)}
    for cut in range(10, len(user), 25):
        for row in cups._of_user(user[:cut]):
            assert row.features == whole[row.id]


def test_the_label_does_not_leak_into_the_features() -> None:
    """With every end turned round, the features of a display that follows no end are the same."""
    user = [event for event in cups.events(FOLDER / cups.EVENTS) if event["user"] == 3]
    turned = {"Accepted": "Rejected", "Rejected": "Accepted"}
    other = [{**event, "state": turned.get(event["state"], event["state"])} for event in user]
    first, second = next(cups._of_user(user)), next(cups._of_user(other))
    assert first.outcome != second.outcome
    assert first.features == second.features


@pytest.mark.slow
def test_on_people_it_has_not_seen() -> None:
    """Issue: AUC >= 0.78 (above 0.85 is a leak), log loss <= 0.54, ECE <= 0.05, stage one >= 0.68; hides >= 22 % at a
    precision >= 0.87 with <= 8.5 % of accepts lost, the threshold chosen on the other users.
    """
    louo = leave_one_user_out(study.fitted()[0])
    assert 0.78 <= louo.auc < LEAK, json.dumps(louo.to_json())
    assert louo.stage1_auc >= 0.68
    assert louo.log_loss <= 0.54
    assert louo.ece <= 0.05
    assert louo.hidden_at_90 >= 0.22
    assert louo.precision_at_90 >= 0.87
    assert louo.accepts_lost_at_90 <= 0.085
    assert louo.auc_low < louo.auc < louo.auc_high


def test_shuffled_labels_cannot_be_learned() -> None:
    """The same code on labels that mean nothing finds nothing: it cannot see the answer."""
    rows = study.rows()
    data = Labelled.of(
        [
            replace(row, outcome=other.outcome, visible_ms=2000.0)
            for row, other in zip(rows, rows[407:] + rows[:407], strict=True)
        ],
        count_unread=True,
    )
    for names in (FOREST_ONE, FOREST_TWO):
        assert auc(data.y, fit_stage(data, names)[1]) < 0.58


@pytest.mark.slow
def test_made_up_users_are_never_left_in_silence() -> None:
    """Issue: none silent for more than 25 opportunities or at the end; of what would be taken, 5 % + 1 point are hidden on
    average at most, and at most 20 % of users lose more than twice that. Twenty users here, a hundred in `sotto bench gate`.
    """
    data, gate, _, p2 = study.fitted()
    found = simulate(gate, world(data.rows, p2, States.read(FOLDER / cups.STATES)), users=20)
    assert found.longest_silence <= 25
    assert found.silent_at_end == 0
    assert found.bound_mean <= 0.06
    assert found.users_over_twice_bound <= 0.2
    assert found.hidden > 0.05  # it does hide
    assert found.acceptance > found.acceptance_ungated
    assert found.shown_early > 0.9
    assert found.explored > 0


@pytest.mark.slow
def test_the_hidden_share_follows_the_setting() -> None:
    data, gate, _, p2 = study.fitted()
    drawn = world(data.rows, p2, States.read(FOLDER / cups.STATES))
    hidden = [simulate(gate, drawn, users=6, opportunities=600, setting=name).hidden for name in ("eager", "balanced", "quiet")]
    assert hidden == sorted(hidden)
    assert hidden[0] < hidden[2]
