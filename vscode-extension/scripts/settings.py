"""Writes the server's settings into the manifest: `assistant/config.py` -> `package.json` and `package.nls.json`.

Run it from anywhere after a setting changed: ``python vscode-extension/scripts/settings.py``. Leaves all else in the two
files as it is. Knows the fields of `Config` and VS Code's JSON schema, nothing of what a setting does.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import typing
from pathlib import Path
from typing import Any

EXTENSION = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(EXTENSION.parent))

from assistant.config import Config  # noqa: E402
from lsp_server.settings import camel  # noqa: E402

JSON_TYPES: dict[Any, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
MACHINE = ("model", "threads", "next_edit_model")
"""Settings that are about this machine, which an extension's sync must not carry to another one."""

Json = dict[str, Any]


def properties() -> Json:
    """Every setting of the server as an entry of ``contributes.configuration``."""
    hints, defaults = typing.get_type_hints(Config), Config()
    return {
        f"sotto.{camel(field.name)}": _property(field, hints[field.name], getattr(defaults, field.name))
        for field in dataclasses.fields(Config)
    }


def sentences() -> dict[str, str]:
    return {f"sotto.{camel(field.name)}": field.metadata["help"] for field in dataclasses.fields(Config)}


def _property(field: dataclasses.Field[Any], kind: Any, default: Any) -> Json:
    rules = field.metadata
    entry: Json = {"type": JSON_TYPES.get(kind, "object")}
    if typing.get_origin(kind) is tuple:
        entry = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    elif typing.get_origin(kind) is dict:
        entry["additionalProperties"] = {"type": "boolean"}
    entry["default"] = list(default) if isinstance(default, tuple) else default
    if "choices" in rules:
        entry["enum"] = list(rules["choices"])
    entry.update({rule: rules[rule] for rule in ("minimum", "maximum") if rule in rules})
    entry["scope"] = "machine-overridable" if field.name in MACHINE else "window"
    entry["markdownDescription"] = f"%sotto.{camel(field.name)}%"
    return entry


def main() -> None:
    manifest, texts = EXTENSION / "package.json", EXTENSION / "package.nls.json"
    package: Json = json.loads(manifest.read_text("utf-8"))
    package["contributes"]["configuration"][0]["properties"] = properties()
    _write(manifest, package)
    mine = {name for name in package["contributes"]["configuration"][1]["properties"]}
    others = {
        key: text for key, text in json.loads(texts.read_text("utf-8")).items() if not key.startswith("sotto.") or key in mine
    }
    _write(texts, {**others, **sentences()})


def _write(path: Path, value: Json) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
