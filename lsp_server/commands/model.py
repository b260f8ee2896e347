"""`sotto model info|export|verify`: started in an interpreter of its own, because this package never loads torch.

Knows how to show the answers of `assistant.model.export`; does not know checkpoints.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsp_server.commands.local import fail
from lsp_server.paths import calibrated_dir, model_place
from lsp_server.spawn import python_command

STYLES = {"ok": "green", "failed": "bold red", "not checked": "yellow", "noted": "cyan"}


def info(model: str, as_json: bool) -> int:
    return _run(["info", "--model", model], "reading", as_json, _show_info)


def export(model: str, to: str, out: Path, dtype: str, force: bool) -> int:
    arguments = ["export", "--model", model, "--to", to, "--out", str(out), "--dtype", dtype]
    return _run([*arguments, *(["--force"] if force else [])], "writing", False, _show_export)


def verify(model: str, as_json: bool) -> int:
    return _run(["verify", "--model", model], "checking", as_json, _show_checks)


def calibrate(model: str, path: Path, cursors: int, check: bool, as_json: bool) -> int:
    """Find the thresholds of the setting `turbo` and keep them in the model's folder; ``check`` measures those it holds."""
    arguments = ["--model", model, "--path", str(path), "--cursors", str(cursors), *(["--check"] if check else [])]
    return _run(arguments, "calibrating", as_json, _show_calibration, "assistant.model.calibrate")


def calibrate_attention(model: str, attention: str, path: Path, as_json: bool) -> int:
    """Find the heads of a checkpoint that retrieve, for the setting `attention`, and keep them in the user's data folder.

    For act the heads that read the Python code in ``path`` better when they are calmed.
    """
    arguments = ["--model", model_place(model), "--attention", attention, "--out", str(calibrated_dir()), "--path", str(path)]
    return _run(arguments, "calibrating", as_json, _show_heads, "assistant.model.hf.calibrate")


def _show_heads(console: Console, answer: dict[str, Any]) -> None:
    if "calmed" in answer:
        before, after = answer["perplexity"]
        told = f"{answer['calmed']} of {answer['keyHeads']} key heads of {answer['model']} are calmed"
        gained = f"perplexity of code that did not choose them: {before:.3f} dense, {after:.3f} with those that were tried"
        console.print(f"{told}; {gained}.")
        console.print(f"Kept in {answer['file']}." + ("" if answer["calmed"] else " No head gains: `act` stays dense here."))
        return
    console.print(f"{answer['retrieving']} of {answer['keyHeads']} key heads of {answer['model']} retrieve; the others stream.")
    console.print(f"Kept in {answer['file']}. Use it with the setting `attention`: {answer['attention']}.")


def _run(
    arguments: Sequence[str],
    doing: str,
    as_json: bool,
    show: Callable[[Console, dict[str, Any]], None],
    module: str = "assistant.model.export",
) -> int:
    """Run the exporter and show its answer; returns its exit code, or 2 with one sentence when it has none to give."""
    with Console(stderr=True, quiet=as_json).status(f"{doing} the model"):
        code, answer = _ask(python_command(module, *arguments))
    if answer is None:
        return code or fail("the exporter gave no answer; check the installation with `sotto doctor`")
    if "error" in answer:
        return fail(answer["error"])
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    else:
        show(Console(), answer)
    return code


def _ask(command: list[str]) -> tuple[int, dict[str, Any] | None]:
    """Exit code and the JSON object on the last line of stdout. An interrupt reaches the exporter, which cleans up and ends."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, encoding="utf-8") as exporter:
        while True:
            try:
                written, _ = exporter.communicate()
                break
            except KeyboardInterrupt:
                continue
    try:
        answer = json.loads(written.splitlines()[-1])
    except (ValueError, IndexError):
        return exporter.returncode, None
    return exporter.returncode, answer if isinstance(answer, dict) else None


def _show_info(console: Console, answer: dict[str, Any]) -> None:
    table = Table(show_header=False, box=None)
    for key in ("name", "family", "parameters", "quantization", "context", "exits", "folder", "card"):
        value = answer[key]
        text = f"{value:,}" if key == "parameters" else ", ".join(map(str, value)) if key == "exits" else str(value)
        table.add_row(key, Text(text or "none"))
    table.add_row("shape", Text(_pairs(answer["shape"])))
    for key, value in answer["record"].items():
        table.add_row(key, Text(_pairs(value) if isinstance(value, dict) else str(value)))
    for name, size in answer["files"].items():
        verdict = answer["checksums"].get(name)
        table.add_row(name, _file(size, verdict))
    for name in answer["checksums"].keys() - answer["files"].keys():
        table.add_row(name, Text(answer["checksums"][name], style=STYLES["failed"]))
    console.print(table)


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _file(size: int, verdict: str | None) -> Text:
    text = Text(_size(size))
    if verdict is not None:
        text.append(f", checksum {verdict}", style=STYLES["ok" if verdict == "ok" else "failed"])
    return text


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def _show_export(console: Console, answer: dict[str, Any]) -> None:
    for file, size in answer["files"].items():
        console.print(Text(f"{file}  {_size(size)}"), soft_wrap=True)


def _show_checks(console: Console, answer: dict[str, Any]) -> None:
    table = Table(show_header=False, box=None)
    for check in answer["checks"]:
        advice = f"\n-> {check['advice']}" if check["advice"] else ""
        table.add_row(Text(check["verdict"], style=STYLES[check["verdict"]]), check["name"], Text(check["found"] + advice))
    console.print(table)


def _show_calibration(console: Console, answer: dict[str, Any]) -> None:
    for layer, least in answer.get("thresholds", {}).items():
        when = f"at {least:.0%}" if least < 1 else "never: too many lines would change"
        console.print(f"leaves behind layer {layer} {when}")
    found = answer.get("checked") or answer["measured"]
    if found:
        console.print(
            f"{answer['cursors']} cursors: {found['right']} lines right instead of {found['right_before']},"
            f" {found['layers_skipped']:.1%} of the layers and {found['time_saved']:.1%} of the time saved"
        )
