"""Recorded messages held against LSP 3.18 as Microsoft's library for Node declares it, from which the meta-model is made.

Every message, in both directions, is compiled as a literal of the type declared for its method: a key that the protocol does
not know, a wrong type or a missing field does not compile. Knows messages; nothing of who sent them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

from tests.editor.tools import Tools

Json = dict[str, Any]

HEAD = """import * as lsp from 'vscode-languageserver-protocol';
type Wire<R> = void extends R ? R | null : R; // JSON has no void
type RequestParams<T> = T extends lsp.ProtocolRequestType<infer P, infer _R, infer _PR, infer _E, infer _O> ? P : never;
type RequestResult<T> = T extends lsp.ProtocolRequestType<infer _P, infer R, infer _PR, infer _E, infer _O> ? Wire<R>
  : T extends lsp.ProtocolRequestType0<infer R, infer _PR, infer _E, infer _O> ? Wire<R> : never;
type NotificationParams<T> = T extends lsp.ProtocolNotificationType<infer P, infer _O> ? P
  : T extends lsp.NotificationType<infer P> ? P : never;
"""
NAMES = """const lsp = require('vscode-languageserver-protocol/node');
const known = Object.entries(lsp)
  .filter(([, value]) => value?.type && value.method).map(([name, value]) => [value.method, name]);
process.stdout.write(JSON.stringify(Object.fromEntries(known)));"""
OPTIONS = ["--noEmit", "--strict", "--skipLibCheck", "--module", "node16", "--moduleResolution", "node16", "--target", "es2022"]


def names(tools: Tools) -> dict[str, str]:
    """Methods of the standard and the names under which the library declares them."""
    done = subprocess.run([str(tools.node), "-e", NAMES], cwd=tools.modules, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def literals(record: Iterable[Json], names: dict[str, str]) -> Iterator[str]:
    """A typed constant for each parameter and result of the standard's methods, each once."""
    asked: dict[tuple[int | None, str, Any], str] = {}  # a server started again counts its ids from the start
    seen: set[str] = set()
    for number, one in enumerate(record):
        message, other = one["message"], "server" if one["from"] == "client" else "client"
        method = message.get("method")
        if method is not None and "id" in message:
            asked[(one.get("session"), other, message["id"])] = method
        name = names.get(method or asked.get((one.get("session"), one["from"], message.get("id"))) or "")
        if name is None or "error" in message:
            continue
        kind = "RequestResult" if method is None else "RequestParams" if "id" in message else "NotificationParams"
        value = message.get("result") if method is None else message.get("params")
        typed = f"{kind}<typeof lsp.{name}.type> = {json.dumps(value)};"
        if (method is None or value is not None) and typed not in seen:
            seen.add(typed)
            yield f"const m{number}: {typed}"


def complaints(tools: Tools, name: str, told: Iterable[str]) -> str:
    """What the compiler has against them; nothing, if they are what the library declares."""
    source = tools.modules.parent / "recorded" / f"{name}.ts"
    source.parent.mkdir(exist_ok=True)
    source.write_text(HEAD + "\n".join(told) + "\n", "utf-8")
    compiler = [str(tools.node), str(tools.modules / "typescript" / "bin" / "tsc"), *OPTIONS, str(source)]
    done = subprocess.run(compiler, capture_output=True, text=True, timeout=180, check=False)
    return done.stdout[-3000:] if done.returncode else ""
