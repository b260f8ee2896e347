"""Imports go down only, and each floor keeps to its own libraries (the table of the architecture page)."""

from __future__ import annotations

import sys

import pytest

from tests.repo.tree import PACKAGES, Import, imports, room, sources

STDLIB = sys.stdlib_module_names
SHARED = ("assistant.types", "assistant.config", "assistant.cancel", "assistant.wire", "assistant.edit_format")
"""The only modules of `assistant` that the model's floor sees: plain values, the pipe's format and the form of edits."""


def floor(module: str) -> str:
    for name in ("assistant.model", "assistant.training"):
        if module == name or module.startswith(name + "."):
            return "model"
    return module.partition(".")[0]


MAY_IMPORT_OURS = {
    "kernels": {"kernels"},
    "telemetry": {"telemetry"},
    "model": {"model", "kernels"},
    "assistant": {"assistant"},
    "lsp_server": {"lsp_server", "assistant", "telemetry"},
}
MAY_IMPORT_OTHERS = {
    "kernels": {"torch", "numpy", "numba", "llvmlite", "triton", "transformers"},
    "telemetry": {"sqlite_utils", "starlette", "uvicorn"},
    "model": {"torch", "numpy", "tokenizers", "safetensors", "rich", "transformers", "huggingface_hub"},
    "assistant": {"tree_sitter", "tree_sitter_python", "pathspec", "numpy", "watchdog"},
    "lsp_server": {"pygls", "lsprotocol", "rich", "attrs"},
}


def _ours() -> list[Import]:
    return [found for path in sources(*PACKAGES) for found in imports(path)]


@pytest.mark.parametrize("name", MAY_IMPORT_OURS)
def test_imports_of_ours_go_down_only(name: str) -> None:
    wrong = []
    for found in _ours():
        if floor(room(found.file)) != name or found.top not in PACKAGES:
            continue
        shared = found.module.startswith(SHARED) or found.module == "assistant"
        if floor(found.module) not in MAY_IMPORT_OURS[name] and not (name == "model" and shared):
            wrong.append(str(found))
    assert wrong == []


@pytest.mark.parametrize("name", MAY_IMPORT_OTHERS)
def test_each_floor_keeps_to_its_libraries(name: str) -> None:
    wrong = [
        str(found)
        for found in _ours()
        if floor(room(found.file)) == name
        and found.top not in PACKAGES
        and found.top not in STDLIB
        and found.top not in MAY_IMPORT_OTHERS[name]
    ]
    assert wrong == []


def test_compilers_stay_in_the_folders_of_their_kernels() -> None:
    compiled = [found for found in _ours() if found.top in ("numba", "llvmlite", "triton")]
    own = {"triton": ("triton_kernel", "gpu", "launch", "on_cuda")}
    wrong = [
        str(found)
        for found in compiled
        if not room(found.file).startswith("kernels.")
        or (found.top == "triton" and room(found.file).rpartition(".")[2] not in own["triton"])
        or (found.top != "triton" and not room(found.file).startswith(("kernels.decode.", "kernels.attention.compiled")))
    ]
    assert wrong == []


def test_only_one_room_can_download() -> None:
    hub = {room(found.file) for found in _ours() if found.top == "huggingface_hub"}
    assert hub <= {"assistant.model.hf.locate"}


def test_the_web_stays_in_the_dashboard() -> None:
    web = [room(found.file) for found in _ours() if found.top in ("starlette", "uvicorn")]
    assert [name for name in web if not name.startswith("telemetry.dashboard.")] == []


def test_rich_stays_in_the_commands_and_the_trainer() -> None:
    rich = [room(found.file) for found in _ours() if found.top == "rich"]
    assert [name for name in rich if not name.startswith(("lsp_server.commands.", "assistant.training."))] == []


NETWORK = {"socket", "http", "urllib", "ssl", "ftplib", "smtplib", "requests", "aiohttp", "httpx", "urllib3"}


DOORS = {"lsp_server.shared_engine", "assistant.model.serving.door"}
"""Where the servers and the engine of one user meet: Unix sockets, and nothing else of the module."""


def test_nothing_can_reach_the_network() -> None:
    """URLs are parsed (`urllib.parse`); sockets belong to pygls, on loopback, when asked for with --tcp."""
    reach = [f for f in _ours() if f.top in NETWORK and not f.module.startswith("urllib.parse") and f.module != "urllib"]
    assert [str(found) for found in reach if not (found.module == "socket" and room(found.file) in DOORS)] == []


def test_the_doors_are_unix_sockets() -> None:
    found = [path for path in sources("lsp_server", "assistant") if room(path) in DOORS]
    assert len(found) == len(DOORS)
    for path in found:
        text = path.read_text("utf-8")
        assert "AF_INET" not in text
        assert "create_connection" not in text
        assert "open_connection" not in text


def test_the_rules_see_a_wrong_import() -> None:
    """The rules themselves must be able to fail."""
    path = sources("telemetry")[0]
    assert floor("assistant.model.engine") == "model"
    assert floor("assistant.service") not in MAY_IMPORT_OURS["telemetry"]
    assert list(imports(sources("lsp_server")[0])) is not None
    assert room(path).startswith("telemetry")
