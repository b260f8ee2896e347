"""The workspace's index through the real server: found by name and by meaning, buffers before files, gone when deleted."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.editor import CURSOR, Editor
from tests.e2e.raw_client import PATIENCE_S

MakeEditor = Callable[..., Editor]
Json = dict[str, Any]

FILES = {
    "net/retry.py": '"""Network helpers."""\n\n\ndef call_again(request):\n    """Retry a failed request with pauses."""\n',
    "net/parse.py": "class HeaderReader:\n    def read_line(self, stream):\n        pass\n",
    "shop/cart.py": "import net.retry\n\n\ndef total_price(items):\n    # the sum of what the customer pays\n    return 0\n",
}
NO_MODEL = {"enabled": False}
PROGRESS = {"window": {"workDoneProgress": True}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def opened(make_editor: MakeEditor, folder: Path) -> Iterator[Editor]:
    editor = make_editor()
    editor.start(options=NO_MODEL, wait=False, folders=[folder])
    indexed(editor)
    yield editor
    assert editor.messages() == []
    assert editor.close() == 0
    assert "Traceback" not in (editor.folder / "stderr.txt").read_text()


def indexed(editor: Editor) -> Json:
    return editor.wait_status(lambda now: now["index"]["state"] == "ready")["index"]  # type: ignore[no-any-return]


def found(editor: Editor, query: str) -> list[Json]:
    answer: list[Json] = editor.client.call("workspace/symbol", {"query": query})
    return answer


def names(editor: Editor, query: str) -> list[str]:
    return [symbol["name"] for symbol in found(editor, query)]


def eventually(editor: Editor, name: str, is_there: bool = True) -> None:
    """Wait until a name is found, before all others, or until it is not found any more."""
    deadline = time.monotonic() + PATIENCE_S
    while (now := names(editor, name))[:1] != [name] if is_there else name in (now := names(editor, name)):
        assert time.monotonic() < deadline, f"{name} still finds {now}"
        time.sleep(0.05)


def test_natural_words_find_a_function(opened: Editor, folder: Path) -> None:
    best = found(opened, "try again when a request fails")[0]
    assert best["name"] == "call_again"
    assert best["kind"] == 12
    place = best["location"]
    assert place["uri"] == (folder / "net" / "retry.py").as_uri()
    assert place["range"] == {"start": {"line": 3, "character": 4}, "end": {"line": 3, "character": 14}}


@pytest.mark.parametrize("query", ["HeaderReader", "headerrea", "HeRe", "hr", "header_reader", "adere"])
def test_a_part_of_a_name_finds_it(opened: Editor, query: str) -> None:
    assert names(opened, query)[0] == "HeaderReader"


def test_a_member_by_its_class(opened: Editor) -> None:
    best = found(opened, "HeaderReader.read")[0]
    assert (best["name"], best["containerName"]) == ("read_line", "HeaderReader")


def test_odd_queries_are_answered(opened: Editor) -> None:
    assert {"call_again", "HeaderReader", "total_price"} <= set(names(opened, ""))
    assert names(opened, "zzzz qqqq") == []
    assert names(opened, "%_\\") == []
    assert isinstance(names(opened, "x" * 10_000), list)
    assert opened.client.call("workspace/symbol", {}) == []


def test_an_edit_is_in_the_next_answer(opened: Editor, folder: Path) -> None:
    path = folder / "shop" / "cart.py"
    document = opened.open(path.read_text(), path.as_uri())
    assert names(opened, "total_price")[0] == "total_price"
    for key in "\n\n\ndef give_discount(items):\n    pass\n":
        document.type(key)
    eventually(opened, "give_discount")  # on a busy machine not the first time
    best = found(opened, "give_discount")[0]
    assert best["location"]["uri"] == document.uri
    assert best["location"]["range"]["start"] == {"line": 9, "character": 4}
    assert "give_discount" not in path.read_text()
    document.close()  # without saving
    eventually(opened, "give_discount", False)
    assert names(opened, "total_price")[0] == "total_price"


def test_files_come_change_and_go(opened: Editor, folder: Path) -> None:
    (folder / "new.py").write_text("def brand_new():\n    pass\n")
    eventually(opened, "brand_new")
    (folder / "new.py").write_text("def older_now():\n    pass\n")
    eventually(opened, "older_now")
    assert "brand_new" not in names(opened, "brand_new")
    (folder / "new.py").unlink()
    (folder / "net" / "retry.py").unlink()
    eventually(opened, "older_now", False)
    eventually(opened, "call_again", False)


def test_excluded_files_stay_out(opened: Editor, folder: Path) -> None:
    """Whether they lie on the disk or are open in the editor; and settings that change are obeyed."""
    (folder / "my_secrets.py").write_text("def launch_code():\n    pass\n")
    (folder / ".gitignore").write_text("local/\n")
    (folder / ".git").mkdir()
    (folder / "local").mkdir()
    (folder / "local" / "mine.py").write_text("def unshared():\n    pass\n")
    (folder / "seen.py").write_text("def in_sight():\n    pass\n")
    opened.open("def launch_code_two():\n    pass\n", (folder / "my_secrets.py").as_uri())
    eventually(opened, "in_sight")
    hidden = {"launch_code", "launch_code_two", "unshared"}
    assert not hidden & {name for query in hidden for name in names(opened, query)}
    settings = {**NO_MODEL, "exclude": ["**/net/**"], "respectGitignore": False}
    opened.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": settings}})
    eventually(opened, "unshared")
    assert "launch_code_two" in names(opened, "launch_code_two")
    assert "call_again" not in names(opened, "call_again")


def test_a_range_is_resolved_where_the_client_can_ask(make_editor: MakeEditor, folder: Path) -> None:
    editor = make_editor()
    can = {"workspace": {"symbol": {"resolveSupport": {"properties": ["location.range"]}}}}
    editor.start(options=NO_MODEL, wait=False, folders=[folder], capabilities=can)
    indexed(editor)
    best = found(editor, "call_again")[0]
    assert "range" not in best["location"]
    resolved = editor.client.call("workspaceSymbol/resolve", best)
    assert resolved["name"] == best["name"]
    assert resolved["location"]["range"]["start"] == {"line": 3, "character": 4}
    (folder / "net" / "retry.py").unlink()
    eventually(editor, "call_again", False)
    assert editor.client.call("workspaceSymbol/resolve", best)["location"]["range"]["start"] == {"line": 0, "character": 0}
    assert editor.close() == 0


def test_the_status_tells_of_the_index(opened: Editor) -> None:
    status = opened.status()["index"]
    assert status["files"] == len(FILES)
    assert status["symbols"] >= 4
    assert status["bytes"] > 0
    assert status["lastError"] is None
    path = Path(status["path"])
    assert opened.data in path.parents
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0


def test_switched_off_and_on(opened: Editor) -> None:
    opened.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": {**NO_MODEL, "workspaceIndex": False}}})
    opened.wait_status(lambda now: now["index"]["state"] == "off")
    assert "call_again" not in names(opened, "call_again")
    opened.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": {**NO_MODEL, "workspaceIndex": True}}})
    indexed(opened)
    assert names(opened, "call_again")[0] == "call_again"


def test_folders_come_and_go(opened: Editor, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.py").write_text("def elsewhere():\n    pass\n")
    here, there = ({"uri": path.as_uri(), "name": path.name} for path in (folder, other))
    opened.client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [there], "removed": []}})
    eventually(opened, "elsewhere")
    assert names(opened, "call_again")[0] == "call_again"
    opened.client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [here]}})
    eventually(opened, "call_again", False)
    eventually(opened, "elsewhere")


def test_a_single_file_without_a_folder(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.start(options=NO_MODEL, wait=False)
    editor.open("def lonely():\n    pass\n")
    editor.open("def unnamed():\n    pass\n", "untitled:Untitled-1")
    eventually(editor, "lonely")
    assert found(editor, "unnamed")[0]["location"]["uri"] == "untitled:Untitled-1"
    assert editor.close() == 0


def test_two_editors_on_one_folder(make_editor: MakeEditor, folder: Path, tmp_path: Path) -> None:
    """They share one file; what one has not saved the other does not see."""
    shared = {"arguments": ["--data-dir", str(tmp_path / "shared")]}
    one, other = make_editor("one", **shared), make_editor("other", **shared)
    for editor in (one, other):
        editor.start(options=NO_MODEL, wait=False, folders=[folder])
    assert {indexed(editor)["path"] for editor in (one, other)} == {indexed(one)["path"]}
    one.open("def only_mine():\n    pass\n", (folder / "shop" / "cart.py").as_uri())
    eventually(one, "only_mine")
    assert "only_mine" not in names(other, "only_mine")
    (folder / "fresh.py").write_text("def for_both():\n    pass\n")
    for editor in (one, other):
        eventually(editor, "for_both")
        assert editor.close() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_folder_that_is_a_link_keeps_its_name(make_editor: MakeEditor, folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    editor = make_editor()
    editor.start(options=NO_MODEL, wait=False, folders=[link])
    indexed(editor)
    assert found(editor, "call_again")[0]["location"]["uri"] == (link / "net" / "retry.py").as_uri()


def test_no_room_for_an_index_is_a_line_in_the_log(make_editor: MakeEditor, folder: Path) -> None:
    """The folder for it cannot be made: open buffers are searched all the same."""
    editor = make_editor()
    editor.data.mkdir()
    (editor.data / "cache").write_text("a file where the folder should be")
    editor.start(options=NO_MODEL, wait=False, folders=[folder])
    status = editor.wait_status(lambda now: now["index"]["state"] == "failed")["index"]
    assert "workspace index" in status["lastError"]
    editor.open("def still_here():\n    pass\n")
    eventually(editor, "still_here")
    told = [line["message"] for line in editor.client.notified("window/logMessage")]
    assert sum("workspace index" in line for line in told) == 1
    assert editor.messages() == []
    assert editor.close() == 0


def large(root: Path, count: int) -> None:
    body = "".join(f"def function_{i}(first, second):\n    return first.call_{i}(second)\n\n\n" for i in range(100))
    for i in range(count):
        (root / f"package{i // 100}").mkdir(parents=True, exist_ok=True)
        (root / f"package{i // 100}" / f"module{i}.py").write_text(body)


def test_progress_of_a_first_index_and_a_quick_end(make_editor: MakeEditor, tmp_path: Path) -> None:
    """The editor is told how far it is, and may leave in the middle without waiting."""
    large(tmp_path / "big", 1_500)
    editor = make_editor()
    editor.client.answers["window/workDoneProgress/create"] = lambda _: None
    editor.start(options=NO_MODEL, wait=False, folders=[tmp_path / "big"], capabilities=PROGRESS)
    editor.client.until(lambda: any(_values(editor, "report")), "a report")
    begin, report = _values(editor, "begin")[0], _values(editor, "report")[-1]
    assert "workspace" in begin["title"]
    assert begin["percentage"] == 0
    assert "of 1,500 files" in report["message"]
    assert 0 <= report["percentage"] < 100
    assert editor.status()["index"]["state"] == "indexing"
    began = time.monotonic()
    assert editor.close() == 0
    assert time.monotonic() - began < PATIENCE_S / 4, "it waited for the index"
    assert "Traceback" not in (editor.folder / "stderr.txt").read_text()


def _values(editor: Editor, kind: str) -> list[Json]:
    values = [params["value"] for params in editor.client.notified("$/progress")]
    return [value for value in values if value["kind"] == kind]


def prompt_tokens(editor: Editor, folder: Path, tokens: int) -> int:
    """How long prompts get in a call of what another file of the folder defines."""
    editor.start(options={"contextTokens": tokens}, folders=[folder])
    indexed(editor)
    text = f"from net.retry import call_again\n\n\ndef again(request):\n    return call_again({CURSOR}\n"
    document = editor.open(text, (folder / "shop" / "again.py").as_uri())
    for key in "wxyz":  # what is found after the deadline counts for the next key, if no answer is typed through
        document.complete()
        editor.settle()
        document.type(key)
    document.complete()
    assert editor.close() == 0
    ((length,),) = editor.rows("SELECT max(prompt_tokens) FROM opportunity WHERE kind = 'inline'")
    return int(length)


def test_context_from_other_files_enters_the_prompt_where_it_is_wanted(make_editor: MakeEditor, folder: Path) -> None:
    without, with_context = (prompt_tokens(make_editor(), folder, tokens) for tokens in (0, 300))
    stub = "def call_again(request)  # Retry a failed request with pauses"
    assert with_context - without > len(stub) / 5, "the stub of what is called, and its path"
