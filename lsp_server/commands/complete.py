"""`sotto complete FILE:LINE:COL`: one completion in the terminal, with its timing."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from assistant.cancel import Cancel
from assistant.config import Config
from assistant.types import Completion, EngineError, ModelInfo, Snapshot
from lsp_server.commands.local import CommandError, fail, invoked_snapshot, local_completer, read_source

WHY = {
    "empty": "the model had nothing to add here",
    "excluded": "this file is excluded (setting `exclude`, or .gitignore)",
    "language": "this language is switched off (setting `languages`)",
    "unsure": "the model was not sure enough (setting `minConfidence`)",
    "engine": "the engine could not answer; `sotto doctor` tells more",
}


@dataclass(frozen=True)
class Place:
    """A cursor: ``line`` and ``column`` count from 1, the column in characters."""

    path: Path
    line: int
    column: int


def parse_place(text: str) -> Place:
    """Read FILE:LINE:COL; the file's name may hold colons itself. Raises `CommandError`."""
    pieces = text.rsplit(":", 2)
    if len(pieces) != 3 or not (pieces[1].isdigit() and pieces[2].isdigit()):
        raise CommandError(f"expected FILE:LINE:COL, as in app.py:12:5, not {text!r}")
    place = Place(Path(pieces[0]), int(pieces[1]), int(pieces[2]))
    if place.line < 1 or place.column < 1:
        raise CommandError("lines and columns count from 1")
    return place


def offset_of(text: str, place: Place) -> int:
    """The code-point offset of a place. Raises `CommandError` when it lies outside the text."""
    lines = text.split("\n")
    if place.line > len(lines):
        raise CommandError(f"{place.path} has {len(lines)} lines, there is no line {place.line}")
    line = lines[place.line - 1].removesuffix("\r")
    if place.column > len(line) + 1:
        raise CommandError(f"line {place.line} has {len(line)} characters, so its last column is {len(line) + 1}")
    return sum(len(before) + 1 for before in lines[: place.line - 1]) + place.column - 1


async def _complete(snapshot: Snapshot, multi_line: str, model: str, threads: int) -> tuple[Completion, ModelInfo]:
    config = replace(Config(), languages={"*": True}, multi_line=multi_line)
    async with local_completer(model, threads) as (_, completer, info):
        return await completer.complete(snapshot, config, Cancel()), info


def as_json(completion: Completion, snapshot: Snapshot, info: ModelInfo) -> dict[str, object]:
    """The object that ``--json`` prints."""
    suggestion = completion.suggestion
    decode_s = completion.timings.decode / 1000
    return {
        "reason": completion.reason.value,
        "text": suggestion.inserted if suggestion else None,
        "replace": None if suggestion is None else {"start": suggestion.start, "end": suggestion.end, "text": suggestion.text},
        "offset": snapshot.offset,
        "model": info.name,
        "timings_ms": asdict(completion.timings),
        "prompt_tokens": completion.prompt_tokens,
        "new_tokens": completion.new_tokens,
        "tokens_per_second": completion.new_tokens / decode_s if decode_s > 0 else None,
        "confidence": asdict(suggestion.confidence) if suggestion and suggestion.confidence else None,
    }


def _show(completion: Completion, snapshot: Snapshot, info: ModelInfo) -> None:
    console = Console(highlight=False)
    start = snapshot.text.rfind("\n", 0, snapshot.offset) + 1
    end = snapshot.text.find("\n", snapshot.offset)
    rest = snapshot.text[snapshot.offset : end if end >= 0 else len(snapshot.text)]
    if completion.suggestion is None:
        console.print(Text(f"no suggestion: {WHY.get(completion.reason.value, completion.reason.value)}", style="yellow"))
    else:
        line = Text(snapshot.text[start : snapshot.offset])
        line.append(completion.suggestion.inserted, style="bold green")
        line.append(rest.rstrip("\r"))
        console.print(line)
    times, speed = completion.timings, ""
    if times.decode > 0 and completion.new_tokens:
        speed = f", {completion.new_tokens / times.decode * 1000:.0f} tokens/s"
    console.print(
        Text(
            f"{info.name}: {times.total:.0f} ms (prefill {times.prefill:.0f} ms of {completion.prompt_tokens} tokens, "
            f"decode {times.decode:.0f} ms of {completion.new_tokens}{speed})",
            style="dim",
        )
    )


def run(place_text: str, multi_line: str, as_json_output: bool, model: str, threads: int) -> int:
    try:
        place = parse_place(place_text)
        text = read_source(place.path)
        snapshot = invoked_snapshot(place.path, text, offset_of(text, place))
        completion, info = asyncio.run(_complete(snapshot, multi_line, model, threads))
    except (CommandError, EngineError) as error:
        return fail(str(error))
    if as_json_output:
        sys.stdout.write(json.dumps(as_json(completion, snapshot, info)) + "\n")
    else:
        _show(completion, snapshot, info)
    return 0
