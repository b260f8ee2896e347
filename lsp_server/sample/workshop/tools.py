"""A small lending workshop: tools, members, and who has what. Written for the demo; it runs, and its tests pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta


class WorkshopError(Exception):
    """Something the front desk has to explain to the member."""


@dataclass
class Tool:
    name: str
    price: float
    fragile: bool = False
    borrowed_by: str | None = None
    due: date | None = None


@dataclass
class Member:
    name: str
    email: str
    joined: date
    tools: list[str] = field(default_factory=list)


class Workshop:
    def __init__(self, loan_days: int = 14) -> None:
        self.loan_days = loan_days
        self.tools: dict[str, Tool] = {}
        self.members: dict[str, Member] = {}

    def add_tool(self, tool: Tool) -> None:
        if tool.name in self.tools:
            raise WorkshopError(f"there is already a tool called {tool.name}")
        self.tools[tool.name] = tool

    def add_member(self, member: Member) -> None:
        if member.name in self.members:
            raise WorkshopError(f"there is already a member called {member.name}")
        self.members[member.name] = member

    def borrow(self, member_name: str, tool_name: str, today: date) -> date:
        member = self.members.get(member_name)
        if member is None:
            raise WorkshopError(f"nobody is called {member_name}")
        tool = self.tools.get(tool_name)
        if tool is None:
            raise WorkshopError(f"there is no tool called {tool_name}")
        if tool.borrowed_by is not None:
            raise WorkshopError(f"{tool_name} is with {tool.borrowed_by}")
        tool.borrowed_by = member.name
        tool.due = today + timedelta(days=self.loan_days)
        member.tools.append(tool.name)
        return tool.due

    def give_back(self, tool_name: str) -> None:
        tool = self.tools.get(tool_name)
        if tool is None:
            raise WorkshopError(f"there is no tool called {tool_name}")
        if tool.borrowed_by is None:
            raise WorkshopError(f"{tool_name} is not lent out")
        member = self.members[tool.borrowed_by]
        member.tools.remove(tool.name)
        tool.borrowed_by = None
        tool.due = None

    def overdue(self, today: date) -> list[Tool]:
        late = []
        for tool in self.tools.values():
            if tool.due is not None and tool.due < today:
                late.append(tool)
        return late

    def total_value(self) -> float:
        total = 0.0
        for tool in self.tools.values():
            total += tool.price
        return total
