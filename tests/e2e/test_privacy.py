"""What must stay out of sight stays out of sight: no suggestion, no name, no text, in the raw bytes of whatever is on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.editor import EASY, Document, Editor

MakeEditor = Callable[..., Editor]


def on_disk(editor: Editor) -> bytes:
    """Every byte the server keeps."""
    return b"".join(path.read_bytes() for path in editor.data.rglob("*") if path.is_file())


def record(editor: Editor) -> list[Path]:
    """The files of the private record: all but the search index, which is a cache of the workspace."""
    return [path for path in editor.data.rglob("*") if path.is_file() and "cache" not in path.relative_to(editor.data).parts]


def secret(editor: Editor, path: Path) -> Document:
    path.parent.mkdir(parents=True, exist_ok=True)
    return editor.open(EASY.replace("add", "zebrastripe"), path.as_uri())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository, and a plain folder that ignores some of its files: its rules count only as a workspace folder's."""
    (tmp_path / "first" / ".git").mkdir(parents=True)
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / ".gitignore").write_text("hidden_folder/\nprivate_*.py\n")
    return tmp_path


def test_excluded_files_get_nothing_and_leave_nothing(make_editor: MakeEditor, project: Path) -> None:
    editor = make_editor()
    editor.start(folders=[project / "first", project / "second"])
    plain = secret(editor, project / "first" / "hidden_folder" / "plain_file.py")
    assert plain.complete() is not None
    excluded = [
        ("first/.env.walrus", "first"),
        ("first/id_rsa_walrus", "first"),
        ("first/walrus_secret.py", "first"),
        ("second/hidden_folder/walrus.py", "second"),
        ("second/private_walrus.py", "second"),
    ]
    for name, _ in excluded:
        document = secret(editor, project / name)
        assert [document.complete(kind) for kind in (1, 2)] == [None, None], name
        assert editor.status()["lastReason"] == "excluded"
        document.type("walrus_typed")
        document.close()
    last = editor.client.notified("didChangeStatus")[-1]
    assert (last["kind"], "excluded" in last["message"]) == ("Inactive", True)
    assert editor.close() == 0
    rows = editor.rows("select reason, file_key, language from opportunity")
    assert [row[0] for row in rows] == ["shown"] + ["excluded"] * 10
    assert rows[0][1] != ""
    assert {row[1:] for row in rows[1:]} == {("", "")}
    kept = on_disk(editor)
    assert b"opportunity" in kept
    for word in (b"walrus", b"zebrastripe", b"plain_file", b"hidden_folder", b"id_rsa", b".env", str(project).encode()):
        assert word not in kept, word


def test_a_folder_that_joins_later_brings_its_rules(make_editor: MakeEditor, project: Path) -> None:
    editor = make_editor()
    editor.start(folders=[project / "first"])
    folder = {"uri": (project / "second").as_uri(), "name": "second"}
    editor.client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
    assert secret(editor, project / "second" / "private_a.py").complete() is None
    assert secret(editor, project / "second" / "public_a.py").complete() is not None
    assert editor.messages() == []


def test_focus_on_an_excluded_file_shows_in_the_status(make_editor: MakeEditor, project: Path) -> None:
    editor = make_editor()
    editor.start(folders=[project / "first"], wait=False)
    uri = (project / "first" / ".env").as_uri()
    editor.client.notify("textDocument/didFocus", {"textDocument": {"uri": uri}})
    editor.status()
    assert editor.client.notified("didChangeStatus")[-1]["kind"] == "Inactive"
    editor.client.notify("textDocument/didFocus", {})
    editor.status()
    assert editor.client.notified("didChangeStatus")[-1]["kind"] == "Normal"


def test_telemetry_off_leaves_nothing(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.start(options={"telemetry": False})
    document = editor.open(EASY)
    item = document.complete()
    assert item is not None
    document.insert(item, report=True)
    status = editor.status()
    assert (status["telemetry"], status["store"]) == (False, None)
    assert editor.close() == 0
    assert record(editor) == []


def test_do_not_track_overrules_the_setting(make_editor: MakeEditor) -> None:
    editor = make_editor(environment={"DO_NOT_TRACK": "1"})
    editor.start(options={"telemetry": True, "enabled": False}, wait=False)
    editor.open(EASY).complete()
    assert editor.status()["telemetry"] is False
    assert editor.close() == 0
    assert record(editor) == []


def test_switching_telemetry_off_holds_at_once(make_editor: MakeEditor) -> None:
    editor = make_editor()
    editor.start(options={"enabled": False}, wait=False)
    for recording, requests in ((True, 1), (False, 4), (True, 2)):
        settings = {**editor.settings, "telemetry": recording}
        editor.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": settings}})
        editor.wait_status(lambda now, wanted=recording: now["telemetry"] is wanted)  # type: ignore[misc]
        for _ in range(requests):
            editor.open(EASY).complete()
    assert editor.close() == 0
    assert editor.rows("select count(*) from opportunity group by session order by min(mono_ms)") == [(1,), (2,)]
