"""The `sotto` command: parse, choose, hand over. The only reader of environment variables in the server's floor.

Each command's work stands in `lsp_server.commands`, imported when it is chosen so that `sotto serve` starts with nothing
it does not need.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from lsp_server import __version__
from lsp_server.commands import (
    attention_options,
    bench_review_options,
    gate_options,
    kernel_options,
    mixers_options,
    next_edit_options,
    review_options,
    runtime_options,
)
from lsp_server.commands import dashboard as dashboard_command
from lsp_server.commands import telemetry as telemetry_command
from lsp_server.paths import cache_dir, default_data_dir

Run = Callable[[argparse.Namespace], int]


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sotto", description="A coding assistant on your own machine that speaks only when it is worth it."
    )
    parser.add_argument("--version", action="version", version=f"sotto {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_serve(commands)
    _add_complete(commands)
    _add_search(commands)
    review_options.add(commands)
    _add_bench(commands)
    gate_options.add_gate(commands)
    telemetry_command.add(commands)
    dashboard_command.add(commands)
    _add_doctor(commands)
    _add_train(commands)
    _add_model(commands)
    return parser


def _model_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default="",
        metavar="DIR_OR_ID",
        help="a checkpoint folder, Sotto's or one that transformers loads, or an id in the Hugging Face cache"
        " (default: the model that comes with Sotto)",
    )


def _model_options(parser: argparse.ArgumentParser) -> None:
    _model_option(parser)
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="engine threads (default: chosen from the idle cores)"
    )


def _json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser("demo", help="watch Sotto complete a real file through the real server")
    demo.add_argument(
        "--path", type=Path, metavar="FILE", help="your own file instead of the bundled sample (it is never written)"
    )
    demo.add_argument("--lines", type=int, default=6, metavar="N", help="how many lines to type (default: %(default)s)")
    _json_option(demo)
    _model_options(demo)


def _add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    serve = commands.add_parser("serve", help="the language server (stdio unless --tcp)")
    serve.add_argument("--tcp", metavar="HOST:PORT", help="listen on a loopback address instead of stdio")
    serve.add_argument("--stdio", action="store_true", help="speak over stdin and stdout (the default; some editors pass it)")
    serve.add_argument("--data-dir", type=Path, metavar="DIR", help="where the private record of suggestions lives")
    _model_option(serve)


def _add_complete(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    complete = commands.add_parser("complete", help="one completion in the terminal")
    complete.add_argument(
        "place", metavar="FILE:LINE:COL", help="1-based line, 1-based column in characters; the cursor stands before it"
    )
    complete.add_argument("--multi-line", choices=("auto", "always", "never"), default="auto")
    _json_option(complete)
    _model_options(complete)


def _add_search(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    search = commands.add_parser("search", help="find code by what it does, or by a part of its name")
    search.add_argument("words", nargs="+", metavar="WORDS", help='as in: sotto search "retry a failed request"')
    search.add_argument(
        "--path", type=Path, metavar="DIR", help="the folder to search (default: the project around the current one)"
    )
    search.add_argument("--limit", type=int, default=10, metavar="N", help="most answers to print (default: %(default)s)")
    _json_option(search)


def _add_bench(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    bench = commands.add_parser("bench", help="measure")
    kinds = bench.add_subparsers(dest="kind", required=True, metavar="WHAT")
    completion = kinds.add_parser("completion", help="single-line infilling over rows of a JSONL file")
    completion.add_argument(
        "--data", type=Path, required=True, metavar="FILE.jsonl", help="rows of id, path, language, prefix, suffix, target"
    )
    completion.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N rows")
    _json_option(completion)
    _model_options(completion)
    latency = kinds.add_parser("latency", help="keystroke latency, memory and cancel-to-idle of the real server and engine")
    latency.add_argument(
        "--rounds", type=int, default=40, metavar="N", help="keystrokes and cancels to time (default: %(default)s)"
    )
    _json_option(latency)
    _model_options(latency)
    workspace = kinds.add_parser(
        "workspace", help="what the index of a folder costs, and what completion and search gain by it"
    )
    workspace.add_argument("--path", type=Path, default=Path("."), metavar="DIR", help="the folder (default: the current one)")
    workspace.add_argument("--cursors", type=int, default=120, metavar="N", help="places to complete at (default: %(default)s)")
    workspace.add_argument(
        "--grow", type=Path, metavar="FILE.svg", help="instead: cost at 1, 3, 10, 30 and 100 MB, and a picture"
    )
    _json_option(workspace)
    _model_options(workspace)
    gate_options.add_bench_gate(kinds)
    _model_options(next_edit_options.add_bench(kinds))
    gate_options.add_bench_telemetry(kinds)
    runtime_options.add(kinds)
    kernel_options.add(kinds)
    attention_options.add(kinds)
    mixers_options.add(kinds)
    bench_review_options.add(kinds)


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    doctor = commands.add_parser("doctor", help="check this machine and installation; every failing line says what to do")
    _json_option(doctor)
    _model_options(doctor)


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    # No prefix and no help of its own: whatever follows, --help too, is the trainer's.
    train = commands.add_parser(
        "train",
        help="train the default model (see: sotto train --help), or with --edits DIR which next edits to trust",
        prefix_chars="\0",
        add_help=False,
    )
    train.add_argument("arguments", nargs=argparse.REMAINDER, help="passed to python -m assistant.training")


def _add_model(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    model = commands.add_parser("model", help="describe a checkpoint, write it for other programs, prove that they agree")
    kinds = model.add_subparsers(dest="kind", required=True, metavar="WHAT")
    info = kinds.add_parser("info", help="shape, training record, checksums and files")
    _json_option(info)
    export = kinds.add_parser("export", help="a folder for transformers, or a file for llama.cpp")
    export.add_argument("--to", choices=("transformers", "gguf"), required=True)
    export.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="PATH",
        help="the folder to write; for gguf a file that ends in .gguf will do",
    )
    export.add_argument(
        "--dtype", choices=("f32", "f16", "bf16", "q8_0"), default="f32", help="f32 loses nothing (default); q8_0 is for gguf"
    )
    export.add_argument("--force", action="store_true", help="replace files that are there")
    verify = kinds.add_parser("verify", help="prove that transformers and llama.cpp compute the same from an export")
    _json_option(verify)
    calibrate = kinds.add_parser("calibrate", help="what `turbo`, `attention` and `stopBelow` need to know of a model")
    what = calibrate.add_mutually_exclusive_group(required=True)
    what.add_argument("--turbo", action="store_true", help="how sure a token must be to skip layers")
    what.add_argument("--stop", action="store_true", help="what the probabilities of a model of transformers' are worth")
    what.add_argument(
        "--attention",
        choices=("duo", "razor", "act"),
        help="the heads of a model of transformers' that must see everything; for act those that are better calmed",
    )
    calibrate.add_argument("--path", type=Path, default=Path("."), metavar="DIR", help="Python code (default: here)")
    calibrate.add_argument("--cursors", type=int, metavar="N", help="lines to complete (default: 1500; for --stop 300)")
    calibrate.add_argument("--check", action="store_true", help="measure what was found before; change nothing")
    _json_option(calibrate)
    for kind in (info, export, verify, calibrate):
        _model_option(kind)


def data_dir(option: Path | None) -> Path:
    """The option, else SOTTO_DATA_DIR, else the platform's own place."""
    named = os.environ.get("SOTTO_DATA_DIR", "")
    return option or (Path(named) if named else default_data_dir())


def telemetry_allowed() -> bool:
    """False when the user set DO_NOT_TRACK (https://consoledonottrack.com), whatever the settings say."""
    return os.environ.get("DO_NOT_TRACK", "") in ("", "0")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit code."""
    arguments = build_parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name in a script that the terminal does not know is no reason to fail
    try:
        return (BENCHES[arguments.kind] if arguments.command == "bench" else COMMANDS[arguments.command])(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


def _serve(given: argparse.Namespace) -> int:
    from lsp_server.commands import serve

    return serve.run(given.tcp, data_dir(given.data_dir), telemetry_allowed(), given.model)


def _demo(given: argparse.Namespace) -> int:
    from lsp_server.commands import demo

    return demo.run(given.path, given.lines, given.json, given.model, given.threads)


def _complete(given: argparse.Namespace) -> int:
    from lsp_server.commands import complete

    return complete.run(given.place, given.multi_line, given.json, given.model, given.threads)


def _search(given: argparse.Namespace) -> int:
    from lsp_server.commands import search

    return search.run(" ".join(given.words), given.path, given.limit, given.json, cache_dir(data_dir(None)))


def _review(given: argparse.Namespace) -> int:
    from lsp_server.commands import review

    return review.run(given, data_dir(None))


def _bench_completion(given: argparse.Namespace) -> int:
    from lsp_server.commands import bench_completion

    return bench_completion.run(given.data, given.limit, given.json, given.model, given.threads)


def _bench_latency(given: argparse.Namespace) -> int:
    from lsp_server.commands import bench_latency

    return bench_latency.run(given.rounds, given.json, given.model, given.threads)


def _bench_review(given: argparse.Namespace) -> int:
    from lsp_server.commands import bench_review

    return bench_review.run(given)


def _bench_workspace(given: argparse.Namespace) -> int:
    from lsp_server.commands import bench_workspace

    return bench_workspace.run(given.path, given.cursors, given.grow, given.json, given.model, given.threads)


def _gate(given: argparse.Namespace) -> int:
    return gate_options.run_gate(given, data_dir(None))


def _telemetry(given: argparse.Namespace) -> int:
    return telemetry_command.run(given, data_dir(given.data_dir), telemetry_allowed())


def _dashboard(given: argparse.Namespace) -> int:
    return dashboard_command.run(given, data_dir(given.data_dir))


def _doctor(given: argparse.Namespace) -> int:
    from lsp_server.commands import doctor

    return doctor.run(given.json, given.model, given.threads, data_dir(None))


def _train(given: argparse.Namespace) -> int:
    from lsp_server.commands import train

    if any(one.split("=")[0] == "--edits" for one in given.arguments):
        parser = next_edit_options.training()
        _model_options(parser)
        return next_edit_options.run_training(parser.parse_args(given.arguments), data_dir(None))
    return train.run(given.arguments)


def _model(given: argparse.Namespace) -> int:
    from lsp_server.commands import model

    if given.kind == "info":
        return model.info(given.model, given.json)
    if given.kind == "calibrate" and given.attention:
        return model.calibrate_attention(given.model, given.attention, given.path, given.json)
    if given.kind == "calibrate" and given.stop:
        return model.calibrate_stop(given.model, given.path, given.cursors or 300, given.check, given.json)
    if given.kind == "calibrate":
        return model.calibrate(given.model, given.path, given.cursors or 1500, given.check, given.json)
    if given.kind == "export":
        return model.export(given.model, given.to, given.out, given.dtype, given.force)
    return model.verify(given.model, given.json)


COMMANDS: dict[str, Run] = {
    "complete": _complete,
    "dashboard": _dashboard,
    "demo": _demo,
    "doctor": _doctor,
    "gate": _gate,
    "model": _model,
    "review": _review,
    "search": _search,
    "serve": _serve,
    "telemetry": _telemetry,
    "train": _train,
}
BENCHES: dict[str, Run] = {
    "attention": attention_options.run,
    "completion": _bench_completion,
    "gate": gate_options.run_bench_gate,
    "kernels": kernel_options.run,
    "latency": _bench_latency,
    "mixers": mixers_options.run,
    "next-edit": next_edit_options.run,
    "review": _bench_review,
    "runtime": runtime_options.run,
    "telemetry": gate_options.run_bench_telemetry,
    "workspace": _bench_workspace,
}

if __name__ == "__main__":
    sys.exit(main())
