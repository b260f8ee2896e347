"""`sotto search`: ask the workspace index in plain words or by name, and print where the answers stand.

Uses the index that an editor with this folder open keeps; makes or refreshes it first, with a progress bar on a terminal.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from assistant.workspace.find import Finder
from assistant.workspace.index import WorkspaceIndex
from assistant.workspace.lookup import Lookup
from assistant.workspace.named import Answer, name_place, search
from assistant.workspace.words import prose, stem
from lsp_server.commands.local import CommandError, fail, project_root
from lsp_server.positions import Lines

WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
"""A part of a name, or a word of prose."""


@dataclass(frozen=True)
class Result:
    """One answer. ``line`` counts from 1; ``doc`` is the first line of the documentation; ``why``: words that speak for it."""

    path: str
    line: int
    name: str
    kind: str
    signature: str
    doc: str
    why: tuple[str, ...]


def run(words: str, path: Path | None, limit: int, as_json: bool, cache: Path) -> int:
    """0 with answers, 1 without any, 2 when there is nothing to search."""
    try:
        root = _root(path)
        if not words.strip() or limit < 1:
            raise CommandError('say what to find, as in: sotto search "retry a failed request"; --limit is 1 or more')
        results, files = _search(root, words, limit, cache, quiet=as_json or not sys.stderr.isatty())
    except CommandError as error:
        return fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps({"root": str(root), "files": files, "results": [asdict(one) for one in results]}) + "\n")
    elif results:
        _print(results, root, words)
    else:
        sys.stderr.write(f"sotto: nothing in the {files:,} indexed files of {root} answers that; try other words\n")
    return 0 if results else 1


def _root(path: Path | None) -> Path:
    """The named folder, else the project around the current one: the folder that an editor would open."""
    if path is None:
        return project_root(Path.cwd() / "file")
    if not path.is_dir():
        raise CommandError(f"{path} is not a folder; --path wants the folder of a project")
    return path.resolve()


def _search(root: Path, words: str, limit: int, cache: Path, quiet: bool) -> tuple[list[Result], int]:
    """The answers, and how many files were searched. Raises `CommandError`."""
    troubles: dict[str, str] = {}
    with _bar(quiet) as progressed:
        index = WorkspaceIndex([root], cache, report=troubles.__setitem__, on_progress=progressed)
        index.scan()
    try:
        files = index.store.count()
        if "disk" in troubles:
            raise CommandError(f"{troubles['disk']} SOTTO_DATA_DIR may name another folder for it.")
        if not files:
            raise CommandError(f"{root} holds no source that is not excluded or ignored; --path names another folder")
        for text in troubles.values():
            sys.stderr.write(f"sotto: {text}\n")
        return [_result(index, answer) for answer in search(index, Finder(index), words, limit)], files
    finally:
        index.close()


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Something to tell how many of how many files are read; shown, if at all, once there is something to read."""
    columns = (TextColumn("[dim]indexing"), BarColumn(), MofNCompleteColumn(), TextColumn("[dim]files"))
    bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet)
    tasks: list[TaskID] = []

    def progressed(done: int, found: int) -> None:
        if not tasks:
            tasks.append(bar.add_task("", total=found))
        bar.update(tasks[0], completed=done, total=found)

    with bar:
        yield progressed


def _result(index: WorkspaceIndex, answer: Answer) -> Result:
    symbol = answer.symbol
    text = Lookup(index).text(symbol.path)
    offset = name_place(symbol, text)
    signature = symbol.signature or _line_at(text, offset)
    doc = next((line.strip() for line in symbol.doc.splitlines() if line.strip()), "")
    line = Lines(text).position(offset, "utf-32")[0] + 1
    return Result(symbol.path, line, symbol.qualified, symbol.kind, signature, doc, answer.why)


def _line_at(text: str, offset: int) -> str:
    """The first line from there on that says something."""
    return next((line.strip() for line in text[offset : offset + 2_000].splitlines() if line.strip(" \t#/*-=\"'")), "")


def _print(results: list[Result], root: Path, words: str) -> None:
    console = Console(highlight=False)
    here = Path.cwd()
    base = here if here.is_relative_to(root) else root
    asked = set(prose(words))
    for one in results:
        console.print(Text.assemble((f"{os.path.relpath(one.path, base)}:{one.line}", "cyan"), f"  {one.name}"), soft_wrap=True)
        for text, style in ((one.signature, "green"), (one.doc, "")):
            if text:
                line = _marked(f"    {text}", style, asked | set(one.why))
                console.print(line, soft_wrap=not console.is_terminal)


def _marked(text: str, style: str, wanted: set[str]) -> Text:
    """One line, the words in it that answer the question set bold."""
    line = Text(text, style=style, no_wrap=True, overflow="ellipsis")
    for word in WORD.finditer(text):
        if stem(word[0].lower()) in wanted:
            line.stylize("bold", *word.span())
    return line
