"""A review through the editor's protocol: comments on what changed, which move, go, are fixed and are dismissed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.editor import INLINE, Document, Editor

Json = dict[str, Any]

BEFORE = "def gather(item, into):\n    into.append(item)\n    return into\n\n\ndef size(found):\n    return len(found)\n"
AFTER = "def gather(item, into=[]):\n    into.append(item)\n    return into\n\n\ndef size(found):\n    return len(found)\n"
CAPABLE = {
    **INLINE,
    "workspace": {"workspaceEdit": {"documentChanges": True}, "applyEdit": True},
}
CAPABLE["textDocument"] = {**INLINE["textDocument"], "publishDiagnostics": {"relatedInformation": True}}
RULE = "mutable-default"


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One commit, and a change that is only in the working tree."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "bag.py").write_text(BEFORE)
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    (folder / "bag.py").write_text(AFTER)
    return folder


@pytest.fixture
def editor(make_editor: Callable[..., Editor], repository: Path) -> Editor:
    made = make_editor()
    made.start(capabilities=CAPABLE, folders=[repository], wait=False)
    return made


def command(editor: Editor, name: str, *arguments: object) -> Any:
    return editor.client.call("workspace/executeCommand", {"command": name, "arguments": list(arguments)})


def diagnostics(editor: Editor, uri: str, wanted: Callable[[list[Json]], bool]) -> list[Json]:
    """Wait until the last diagnostics of a document are as wanted."""
    last: list[Json] = []

    def happened() -> bool:
        sent = [m["params"] for m in editor.client.notifications if m["method"] == "textDocument/publishDiagnostics"]
        mine = [params["diagnostics"] for params in sent if params["uri"] == uri]
        last[:] = mine[-1] if mine else []
        return bool(mine) and wanted(last)

    editor.client.until(happened, f"the wanted diagnostics of {uri}")
    return list(last)


def actions(document: Document, line: int, trigger: int = 1) -> list[Json]:
    span = {"start": {"line": line, "character": 0}, "end": {"line": line, "character": 0}}
    params = {"textDocument": {"uri": document.uri}, "range": span, "context": {"diagnostics": [], "triggerKind": trigger}}
    result: list[Json] = document.editor.client.call("textDocument/codeAction", params)
    return result


def apply(document: Document, edit: Json) -> None:
    """Apply a workspace edit to the open document as an editor does: only to the version it was made for."""
    (change,) = edit["documentChanges"]
    assert change["textDocument"] == {"uri": document.uri, "version": document.version}
    spans = [
        (document.offset_of(e["range"]["start"]), document.offset_of(e["range"]["end"]), e["newText"]) for e in change["edits"]
    ]
    for start, end, new in sorted(spans, reverse=True):
        document.change(start, end, new)


def opened(editor: Editor, repository: Path) -> Document:
    return editor.open(AFTER, uri=(repository / "bag.py").as_uri())


def test_a_comment_is_shown_moves_with_its_line_and_goes_when_the_line_changes(editor: Editor, repository: Path) -> None:
    document = opened(editor, repository)
    report = command(editor, "sotto.review")
    assert [(c["path"], c["line"], c["rule"]) for c in report["comments"]] == [("bag.py", 1, RULE)]
    (shown,) = diagnostics(editor, document.uri, bool)
    assert (shown["source"], shown["code"], shown["range"]["start"]["line"]) == ("sotto", RULE, 0)
    assert shown["relatedInformation"][0]["location"]["range"]["start"]["line"] == 1
    document.change(0, 0, "import os\n\n")
    (moved,) = diagnostics(editor, document.uri, lambda found: bool(found) and found[0]["range"]["start"]["line"] == 2)
    assert moved["relatedInformation"][0]["location"]["range"]["start"]["line"] == 3
    place = document.text.index("[]")
    document.change(place, place + 2, "()")
    assert diagnostics(editor, document.uri, lambda found: not found) == []


def test_the_quick_fix_applies_cleanly_and_is_recorded(editor: Editor, repository: Path) -> None:
    document = opened(editor, repository)
    command(editor, "sotto.reviewFile", document.uri)
    document.change(0, 0, "import os\n")
    fix = next(one for one in actions(document, 1) if "edit" in one)
    assert fix["isPreferred"]
    apply(document, fix["edit"])
    command(editor, fix["command"]["command"], *fix["command"]["arguments"])
    assert "into=None" in document.text
    assert "if into is None:\n        into = []\n" in document.text
    compile(document.text, "bag.py", "exec")
    assert command(editor, "sotto.reviewFile", document.uri)["comments"] == []
    assert editor.close() == 0
    assert editor.rows("SELECT kind, rule, decision FROM opportunity WHERE kind = 'review'") == [("review", RULE, "show")]
    assert editor.rows("SELECT kind, how FROM outcome") == [("accepted", "command")]
    text = (editor.data / "review.json").read_text()
    assert json.loads(text)["rules"] == {RULE: {"applied": 1}}
    assert "gather" not in text
    assert "bag.py" not in text


def test_a_dismissed_comment_never_returns(editor: Editor, repository: Path) -> None:
    document = opened(editor, repository)
    command(editor, "sotto.review")
    dismiss = next(one["command"] for one in actions(document, 0) if one["command"]["command"] == "sotto.dismissComment")
    command(editor, dismiss["command"], *dismiss["arguments"])
    assert diagnostics(editor, document.uri, lambda found: not found) == []
    document.change(0, 0, "import os\n\n\n")
    report = command(editor, "sotto.review")
    assert (report["comments"], report["hidden"]) == ([], 0)


def test_unsaved_text_is_what_is_reviewed(editor: Editor, repository: Path) -> None:
    document = opened(editor, repository)
    place = document.text.index("[]")
    document.change(place, place + 2, "()")
    assert command(editor, "sotto.reviewFile", document.uri)["comments"] == []


def test_a_client_that_pulls_is_not_pushed_to(make_editor: Callable[..., Editor], repository: Path) -> None:
    editor = make_editor()
    workspace = {**CAPABLE["workspace"], "diagnostics": {"refreshSupport": True}}
    able = {**CAPABLE, "workspace": workspace, "textDocument": {**CAPABLE["textDocument"], "diagnostic": {}}}
    assert "diagnosticProvider" in editor.start(capabilities=able, folders=[repository], wait=False)
    document = opened(editor, repository)
    asked = {"textDocument": {"uri": document.uri}}
    assert editor.client.call("textDocument/diagnostic", asked)["items"] == []
    command(editor, "sotto.review")
    editor.client.until(
        lambda: any(r["method"] == "workspace/diagnostic/refresh" for r in editor.client.requested), "a request to pull again"
    )
    (item,) = editor.client.call("textDocument/diagnostic", asked)["items"]
    assert item["code"] == RULE
    assert editor.client.notified("textDocument/publishDiagnostics") == []


def test_what_cannot_be_reviewed_is_a_sentence(make_editor: Callable[..., Editor], tmp_path: Path) -> None:
    editor = make_editor()
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n")
    editor.start(capabilities=CAPABLE, folders=[folder], wait=False)
    report = command(editor, "sotto.review")
    assert report["comments"] == []
    assert "is not in a git repository" in report["problem"]
    editor.client.until(lambda: bool(editor.messages()), "a message")


def test_saving_reviews_only_where_the_setting_says_so(make_editor: Callable[..., Editor], repository: Path) -> None:
    editor = make_editor()
    editor.start(capabilities=CAPABLE, folders=[repository], wait=False, options={"review": "save"})
    document = opened(editor, repository)
    editor.client.notify("textDocument/didSave", {"textDocument": {"uri": document.uri}})
    (shown,) = diagnostics(editor, document.uri, bool)
    assert shown["code"] == RULE
    editor.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": {"review": "off"}}})
    assert diagnostics(editor, document.uri, lambda found: not found) == []
    assert "switched off" in command(editor, "sotto.review")["problem"]


def test_a_draft_says_what_the_code_says(editor: Editor, repository: Path) -> None:
    document = opened(editor, repository)
    asked: list[Json] = []
    editor.client.answers["workspace/applyEdit"] = lambda params: asked.append(params) or {"applied": True}
    drafts = [one for one in actions(document, 5) if one["command"]["command"] == "sotto.draftComment"]
    assert len(drafts) == 5
    assert actions(document, 5, trigger=2) == [], "no lamp on every line that begins a function"
    what = drafts[0]["command"]
    command(editor, what["command"], *what["arguments"])
    editor.client.until(lambda: bool(asked), "an edit")
    apply(document, asked[0]["edit"])
    assert 'def size(found):\n    """Size.\n\n    Args:\n        found\n    """\n    return len(found)\n' in document.text


def test_a_dismissed_matter_is_dismissed_at_all_its_places(editor: Editor, repository: Path) -> None:
    text = "def one(x):\n    if x is 'a':\n        return 1\n\n\ndef two(x):\n    if x is 'a':\n        return 2\n"
    (repository / "bag.py").write_text(BEFORE)
    document = editor.open(text, uri=(repository / "new.py").as_uri())
    report = command(editor, "sotto.review")
    (comment,) = report["comments"]
    assert comment["message"].endswith("The same at 1 other place.")
    dismiss = next(one["command"] for one in actions(document, 1) if one["command"]["command"] == "sotto.dismissComment")
    command(editor, dismiss["command"], *dismiss["arguments"])
    document.change(0, 0, "import os\n")
    report = command(editor, "sotto.review")
    assert (report["comments"], report["hidden"]) == ([], 0)


def test_typing_while_a_review_runs_leaves_no_comment_on_a_wrong_line(editor: Editor, repository: Path) -> None:
    document = opened(editor, repository)
    id = editor.client.send("workspace/executeCommand", {"command": "sotto.review", "arguments": []})
    document.change(0, 0, "import os\n\n\n")
    editor.client.wait(id)
    (shown,) = diagnostics(editor, document.uri, lambda found: bool(found))
    line = shown["range"]["start"]["line"]
    assert document.text.splitlines()[line] == "def gather(item, into=[]):"
