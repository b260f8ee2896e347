"""A comment's rows: what was shown and what became of it, what was hidden, and none of the user's text."""

from __future__ import annotations

from itertools import count

from assistant.review.rank import Comment
from lsp_server.journal import Journal
from telemetry.events import Event, Impression, Opportunity, Outcome
from tests.assistant.review.findings import finding


class Kept:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def record(self, event: Event) -> None:
        self.events.append(event)

    def file_key(self, path: str) -> str:
        return f"<{len(path)}>"


def journal() -> tuple[Journal, Kept]:
    store, ids, times = Kept(), count(1), iter([0.0, 0.0, 0.0, 2.5, 2.5, 2.5, 2.5, 2.5])
    return Journal(store, lambda: f"id{next(ids)}", monotonic=lambda: next(times), wall=lambda: 100.0), store


def test_a_shown_comment_and_its_end() -> None:
    book, store = journal()
    comment = Comment(finding("private.py", 3, "odd", severity="medium", message="secret words"), 0.83)
    book.commented("seen", comment, "project/private.py", automatic=True)
    book.comment_ended("seen", "rejected", "command")
    book.comment_ended("seen", "rejected", "command")  # told once
    opportunity, impression, outcome = store.events
    assert isinstance(opportunity, Opportunity)
    assert (opportunity.kind, opportunity.rule, opportunity.decision, opportunity.p2) == ("review", "odd", "show", 0.83)
    assert (opportunity.threshold, opportunity.trigger, opportunity.language) == (0.7, "automatic", "python")
    assert isinstance(impression, Impression)
    assert (impression.id, impression.opportunity) == ("seen", opportunity.id)
    assert isinstance(outcome, Outcome)
    assert (outcome.impression, outcome.kind, outcome.how) == ("seen", "rejected", "command")
    assert "private" not in repr(store.events)
    assert "secret" not in repr(store.events)


def test_a_hidden_one_leaves_no_impression() -> None:
    book, store = journal()
    book.commented("", Comment(finding(), 0.2, "less sure"), "p/m.py", automatic=False)
    book.comment_ended("", "ignored", "inferred")
    (opportunity,) = store.events
    assert isinstance(opportunity, Opportunity)
    assert (opportunity.decision, opportunity.reason) == ("hide", "gated_hide")
