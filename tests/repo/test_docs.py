"""The README cannot drift: every command, option and setting stands in it, and the two lines that CI runs are the README's."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import fields

import pytest

from assistant.config import Config
from lsp_server.cli import build_parser
from tests.repo.tree import ROOT

README = (ROOT / "README.md").read_text("utf-8")
RUN_LINES = ("pip install . && sotto demo", 'pip install -e ".[dev]" && pytest')


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.title() for word in tail)


def commands(parser: argparse.ArgumentParser, name: str = "sotto") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    nested = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not nested:
        yield name, parser
    for action in nested:
        for word, child in action.choices.items():
            yield from commands(child, f"{name} {word}")


@pytest.mark.parametrize("line", RUN_LINES)
def test_readme_and_ci_hold_the_same_two_lines(line: str) -> None:
    assert line in README
    assert line in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize(("name", "parser"), list(commands(build_parser())))
def test_every_command_and_option_is_in_the_readme(name: str, parser: argparse.ArgumentParser) -> None:
    assert f"`{name}" in README
    for action in parser._actions:
        for option in action.option_strings:
            if option.startswith("--") and option != "--help":
                assert option in README, f"{name} {option} is not in the README"


@pytest.mark.parametrize("name", [f.name for f in fields(Config)])
def test_every_setting_is_in_the_readme_with_its_sentence(name: str) -> None:
    sentence = next(f for f in fields(Config) if f.name == name).metadata["help"]
    assert f"| `{camel(name)}` |" in README
    assert sentence in README


def test_every_dependency_has_its_reason_in_the_readme() -> None:
    listed = re.findall(r'^    "([A-Za-z0-9_-]+)[><=]', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert len(listed) > 10
    assert [name for name in listed if f"| {name} |" not in README] == []
