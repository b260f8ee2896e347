from datetime import date

import pytest

from .tools import Member, Tool, Workshop, WorkshopError


@pytest.fixture
def workshop() -> Workshop:
    workshop = Workshop(loan_days=7)
    workshop.add_tool(Tool("drill", 120.0))
    workshop.add_member(Member("Ada", "ada at example", date(2024, 1, 2)))
    return workshop


def test_borrow_sets_the_due_date(workshop: Workshop) -> None:
    assert workshop.borrow("Ada", "drill", date(2024, 3, 1)) == date(2024, 3, 8)


def test_a_tool_cannot_be_lent_twice(workshop: Workshop) -> None:
    workshop.borrow("Ada", "drill", date(2024, 3, 1))
    with pytest.raises(WorkshopError):
        workshop.borrow("Ada", "drill", date(2024, 3, 2))
