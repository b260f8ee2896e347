"""`sotto model info|export|verify`: started in an interpreter of its own, because this package never loads torch.

Knows how to show the answers of `assistant.model.export`; does not know checkpoints.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsp_server.commands.bench_kernels import listen
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


def calibrate_stop(model: str, path: Path, cursors: int, check: bool, as_json: bool) -> int:
    """Find the temperature at which a checkpoint's probabilities mean what they say, by the Python code in ``path``.

    Kept in the user's data folder; ``check`` measures on that code what is kept.
    """
    arguments = ["--model", model_place(model), "--stop", "--out", str(calibrated_dir()), "--path", str(path)]
    arguments += ["--cursors", str(cursors), *(["--check"] if check else [])]
    return _run(arguments, "calibrating", as_json, _show_stop, "assistant.model.hf.calibrate")


def _show_stop(console: Console, answer: dict[str, Any]) -> None:
    name, found = answer["model"], float(answer["checked" if "checked" in answer else "fitted"])
    way = "above 1: it is too sure of itself" if found > 1 else "below 1: it could be surer" if found < 1 else "as it is"
    which = "temperature kept" if "checked" in answer else "likeliest temperature"
    (before, after), (wrong, left), half = answer["nats"], answer["calibrationError"], answer["nearHalf"]
    where = f"{answer['files']} files" if "checked" in answer else f"{answer['files'][1]} files that did not choose"
    console.print(f"{answer['cursors']} cursors: the {which} for {name} is {found:.2f} ({way}).")
    console.print(
        f"On {where}: {before:.4f} nats a token before, {after:.4f} after; calibration error {wrong:.1%}, {left:.1%}."
    )
    if None not in half["right"]:
        first, last = half["right"]
        console.print(f"Of tokens said to be right at 40 to 60 %, {first:.0%} were before, {last:.0%} after.")
    if "checked" in answer:
        return
    console.print(f"Kept in {answer['file']}", soft_wrap=True)
    if answer["temperature"] != 1:
        console.print(f"Found temperature {found:.2f}: start Sotto again, and `stopBelow` is measured with {name} by it.")
    else:
        console.print("Found no gain beyond its error: the temperature stays 1. Start Sotto again if another one was in use.")


def _show_heads(console: Console, answer: dict[str, Any]) -> None:
    name, heads = answer["attention"], f"key heads of {answer['model']}"
    if name == "act":
        before, after = answer["perplexity"]
        console.print(f"{answer['chosen']} of {answer['keyHeads']} {heads} read half of the code better when calmed.")
        if answer["chosen"]:
            console.print(
                f"Perplexity of the other half: {before:.3f} dense, {after:.3f} with them ({after / before - 1:+.2%})."
            )
        if not answer["calmed"]:
            console.print("No gain without doubt, so none is calmed: with this model `act` is dense.")
    else:
        console.print(f"{answer['retrieving']} of {answer['keyHeads']} {heads} retrieve, by {answer['by']}; the others stream.")
        if "why" in answer:
            console.print(f"Not by gates: {answer['why']}.")
    console.print(f"Kept in {answer['file']}", soft_wrap=True)
    if answer.get("calmed", 1):
        console.print(f"To use it, set `attention` to {name} and start Sotto again.")


def _run(
    arguments: Sequence[str],
    doing: str,
    as_json: bool,
    show: Callable[[Console, dict[str, Any]], None],
    module: str = "assistant.model.export",
) -> int:
    """Run the exporter and show its answer; returns its exit code, or 2 with one sentence when it has none to give."""
    console, lines = Console(stderr=True, quiet=as_json), list[str]()
    with console.status(f"{doing} the model") as status:
        say = status.update if console.is_terminal else lambda line: console.print(line, markup=False, soft_wrap=True)
        code, answer = _ask(python_command(module, *arguments), lines, say)
    if answer is None:
        last = f" ({lines[-1]})" if lines else ""
        return code or fail(f"{doing} the model gave no answer{last}; check the installation with `sotto doctor`")
    if "error" in answer:
        return fail(answer["error"])
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
    else:
        show(Console(), answer)
    return code


def _ask(command: list[str], lines: list[str], say: Callable[[str], None]) -> tuple[int, dict[str, Any] | None]:
    """Exit code and the JSON object on the last line of stdout; ``say`` hears each line of stderr, which ``lines`` keeps.

    An interrupt reaches the exporter, which cleans up and ends.
    """
    written: list[str] = []
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, encoding="utf-8", errors="replace") as exporter:
        heard = ((exporter.stdout, written, lambda line: None), (exporter.stderr, lines, say))
        listeners = [threading.Thread(target=listen, args=each, daemon=True) for each in heard]
        for listener in listeners:
            listener.start()
        while True:
            try:
                exporter.wait()
                break
            except KeyboardInterrupt:
                continue
        for listener in listeners:
            listener.join(5.0)
    try:
        answer = json.loads(written[-1])
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
