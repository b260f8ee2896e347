"""The extension's manifest cannot drift: settings are `Config`'s, texts exist, the lock file names no other registry."""

from __future__ import annotations

import json
import re
import typing
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import pytest

from assistant.config import Config

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = ROOT / "vscode-extension"
if not EXTENSION.exists():
    pytest.skip("installed or unpacked without the extension", allow_module_level=True)
PACKAGE: dict[str, Any] = json.loads((EXTENSION / "package.json").read_text("utf-8"))
TEXTS: dict[str, str] = json.loads((EXTENSION / "package.nls.json").read_text("utf-8"))
SERVER, OWN = (part["properties"] for part in PACKAGE["contributes"]["configuration"])
TYPES = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}
REPAIR = "run: python vscode-extension/scripts/settings.py"


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.title() for word in tail)


def default(field: Field[Any]) -> Any:
    value = field.default
    if field.default_factory is not MISSING:
        value = field.default_factory()
    return list(value) if isinstance(value, tuple) else value


def test_the_settings_are_the_servers() -> None:
    assert list(SERVER) == [f"sotto.{camel(field.name)}" for field in fields(Config)], REPAIR


@pytest.mark.parametrize("field", fields(Config), ids=lambda field: field.name)
def test_a_setting_is_declared_as_the_server_reads_it(field: Field[Any]) -> None:
    name = f"sotto.{camel(field.name)}"
    entry = SERVER.get(name, {})
    kind = str(field.type)
    assert entry.get("type") == TYPES.get(kind, "array" if kind.startswith("tuple") else "object"), REPAIR
    assert json.dumps(entry["default"]) == json.dumps(default(field)), REPAIR
    assert entry.get("enum") == (list(field.metadata["choices"]) if "choices" in field.metadata else None), REPAIR
    assert (entry.get("minimum"), entry.get("maximum")) == (field.metadata.get("minimum"), field.metadata.get("maximum")), (
        REPAIR
    )
    assert (entry["markdownDescription"], TEXTS.get(name)) == (f"%{name}%", field.metadata["help"]), REPAIR


def test_the_extensions_own_settings_do_not_look_like_the_servers() -> None:
    named = {f"sotto.{camel(field.name)}" for field in fields(Config)}
    assert named & set(OWN) == set()
    assert {name for name in OWN if not name.startswith(("sotto.server.", "sotto.trace."))} == {"sotto.reviewOnCommit"}


def test_every_text_is_there_and_used() -> None:
    used = set(re.findall(r'"%([\w.]+)%"', (EXTENSION / "package.json").read_text("utf-8")))
    assert used == set(TEXTS)


def test_every_command_of_a_key_or_menu_is_declared() -> None:
    contributes = PACKAGE["contributes"]
    declared = {entry["command"] for entry in contributes["commands"]}
    named = {entry["command"] for entry in contributes["keybindings"]}
    named |= {entry["command"] for menu in contributes.get("menus", {}).values() for entry in menu}
    walked = re.findall(r"\(command:([\w.]+)\)", (EXTENSION / "package.nls.json").read_text("utf-8"))
    assert (named | set(walked)) - declared == set()


def test_every_declared_command_is_registered() -> None:
    sources = "".join(path.read_text("utf-8") for path in (EXTENSION / "src").rglob("*.ts"))
    assert [entry["command"] for entry in PACKAGE["contributes"]["commands"] if f"'{entry['command']}'" not in sources] == []


def test_every_sentence_is_offered_to_translators() -> None:
    bundle: dict[str, str] = json.loads((EXTENSION / "l10n" / "bundle.l10n.json").read_text("utf-8"))
    said: set[str] = set()
    for path in (EXTENSION / "src").rglob("*.ts"):
        said |= {text for _, text in re.findall(r"l10n\.t\(\s*(['\"])((?:(?!\1).)+)\1", path.read_text("utf-8"))}
    assert set(bundle) == said, "run: npm run l10n"


def test_only_published_api_is_used() -> None:
    assert "enabledApiProposals" not in PACKAGE
    assert PACKAGE["extensionKind"] == ["workspace"]
    assert PACKAGE["devDependencies"]["@types/vscode"] == PACKAGE["engines"]["vscode"].lstrip("^")


def test_the_lock_file_names_no_other_registry() -> None:
    lock = (EXTENSION / "package-lock.json").read_text("utf-8")
    hosts = set(re.findall(r'"resolved": "https?://([^/"]+)', lock))
    assert hosts <= {"registry.npmjs.org"}
    packages = typing.cast(dict[str, Any], json.loads(lock)["packages"])
    assert all("integrity" in entry for name, entry in packages.items() if name and not entry.get("link"))
