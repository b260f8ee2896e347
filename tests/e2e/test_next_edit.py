"""The next edit through the real server: followed to its end, refused, overtaken, and never against another text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assistant.gate.model import Stage
from assistant.next_edit.ranker import MISSING, TARGETS, Forest, Ranker, dumps
from tests.e2e.editor import EASY, Document, Editor

MakeEditor = Callable[..., Editor]
Json = dict[str, Any]
EAGER = {"eagerness": "eager"}
FUNCTION = """def area(¦width, height):
    total = width * height
    if width > 3:
        return width
    return total
"""


def ask(document: Document, version: int | None = None, **more: Any) -> Json | None:
    """The one next edit, or none; whatever the answer, it has its shape."""
    params = document.params(None, **more)
    params["textDocument"]["version"] = document.version if version is None else version
    answer = document.editor.client.call("textDocument/copilotInlineEdit", params)
    assert list(answer) == ["edits"]
    assert len(answer["edits"]) <= 1
    for edit in answer["edits"]:
        assert set(edit) == {"text", "range", "textDocument", "command"}
    return answer["edits"][0] if answer["edits"] else None


def wait_edit(document: Document) -> Json:
    """The next edit. On a busy machine what rules have to say may come too late; editors ask again, too."""
    found = next((edit for edit in (ask(document) for _ in range(10)) if edit is not None), None)
    assert found is not None
    return found


def rename(document: Document, old: str, new: str) -> None:
    """Type a new name over the first ``old``, key by key."""
    start = document.text.index(old)
    document.change(start, start + len(old), "")
    document.type(new)


def apply(document: Document, edit: Json, *, report: bool = True) -> None:
    """Take an edit as an editor does: the change, the cursor behind it, and the command."""
    assert edit["textDocument"] == {"uri": document.uri, "version": document.version}
    start, end = (document.offset_of(edit["range"][side]) for side in ("start", "end"))
    document.change(start, end, edit["text"])
    if report:
        execute(document.editor, edit)


def execute(editor: Editor, edit: Json, command: str = "") -> None:
    name = command or edit["command"]["command"]
    editor.client.call("workspace/executeCommand", {"command": name, "arguments": edit["command"]["arguments"]})


def started(make_editor: MakeEditor, **more: Any) -> Editor:
    """Without waiting for the model, unless asked to: the rules do not, and these tests need not. The record needs a moment."""
    editor = make_editor()
    editor.start(**{"options": EAGER, "wait": False, **more})
    return editor


@pytest.mark.parametrize("encodings", [["utf-8"], ["utf-16"]])
def test_a_renamed_parameter_is_followed_to_its_end(make_editor: MakeEditor, encodings: list[str]) -> None:
    editor = started(make_editor, capabilities={"general": {"positionEncodings": encodings}}, wait=True)
    marked = FUNCTION.replace("total = width", 'total = "🙂é", width').replace("\n", "\r\n")
    document = editor.open(marked)
    assert ask(document) is None  # nothing was done yet
    rename(document, "width", "breadth")
    taken = 0
    while (edit := ask(document)) is not None:
        editor.client.notify("textDocument/didShowInlineEdit", {"item": {"command": edit["command"]}})
        apply(document, edit)
        taken += 1
    assert document.text == marked.replace("¦", "").replace("width", "breadth")
    assert taken == 3
    assert editor.close() == 0
    shown = "SELECT i.how, c.kind, c.how FROM opportunity o JOIN impression i ON i.opportunity = o.id"
    shown += " JOIN outcome c ON c.impression = i.id WHERE o.kind = 'next_edit' AND c.final = 1 ORDER BY o.ts_ms, o.id"
    taken_so = ("accepted", "command")
    assert editor.rows(shown) == [("inferred", *taken_so), ("notified", *taken_so), ("notified", *taken_so)]
    hidden = "SELECT count(*) FROM opportunity WHERE kind = 'next_edit' AND decision <> 'show'"
    assert editor.rows(hidden)[0][0] >= 2


def test_a_rejected_edit_stays_away_until_its_code_changes(make_editor: MakeEditor) -> None:
    editor = started(make_editor, wait=True)
    document = editor.open("def twice(¦value):\n    return 2 * value\n")
    rename(document, "value", "number")
    edit = ask(document)
    assert edit is not None
    execute(editor, edit, "sotto.rejectEdit")
    assert ask(document) is None
    document.change(0, 0, "import os\n\n\n")
    document.offset = document.text.index("number") + 6
    assert ask(document) is None
    document.change(document.text.index("2 *"), document.text.index("2 *") + 1, "3")
    document.offset = document.text.index("number") + 6
    assert ask(document) is not None
    assert editor.close() == 0
    outcomes = "SELECT c.kind, c.how FROM outcome c JOIN impression i ON c.impression = i.id"
    assert ("unread", "notified") in editor.rows(outcomes)  # a person takes longer


def test_a_rename_is_followed_although_its_line_goes_on_to_change(make_editor: MakeEditor) -> None:
    """A snippet of the editor's own popup lands behind the new name; then something elsewhere is typed."""
    editor = started(make_editor, options={"eagerness": "balanced"})
    document = editor.open(FUNCTION)
    rename(document, "width", "breadth")
    first = wait_edit(document)
    at = document.text.index("height")
    document.change(at, at, "one two")
    again = wait_edit(document)
    assert (again["text"], again["range"]) == (first["text"], first["range"])
    document.change(at + 4, at + 7, "")
    document.type("three")
    third = wait_edit(document)
    assert third["range"] == first["range"]
    document.change(at, document.text.index("height"), "")
    document.change(len(document.text), len(document.text), "\n\nwhole = area(2, 3)\n")
    fourth = wait_edit(document)
    assert fourth["text"] == "breadth"


def test_refused_and_ignored_edits_elsewhere_do_not_silence_a_rename_in_a_fresh_file(make_editor: MakeEditor) -> None:
    editor = started(make_editor, options={"eagerness": "balanced"})
    for names in (("ink", "oak", "rye"), ("sun", "elm", "tin"), ("map", "fig", "jar")):  # no change foretells another
        far = "".join("\n" * 10 + f"{name} = {at}\n" for at, name in enumerate(names))
        ignored = editor.open(f"def ¦area(width):\n    return width\n{far}")
        rename(ignored, "width", "breadth")
        for at, name in enumerate(names):
            wait_edit(ignored)
            begin = ignored.text.index(f"{name} = ") + 6
            ignored.change(begin, begin + 1, repr(name) * (at + 1))
        assert ask(ignored) is None  # what is passed over three times is refused
    refused = editor.open("def twice(¦value):\n    return 2 * value\n")
    rename(refused, "value", "number")
    edit = wait_edit(refused)
    execute(editor, edit, "sotto.rejectEdit")
    fresh = editor.open(FUNCTION)
    rename(fresh, "width", "breadth")
    wait_edit(fresh)


def test_an_edit_taken_without_a_word_counts_too(make_editor: MakeEditor) -> None:
    """Some clients apply an edit and do not run its command."""
    editor = started(make_editor, wait=True)
    document = editor.open(FUNCTION)
    rename(document, "width", "breadth")
    first = ask(document)
    assert first is not None
    apply(document, first, report=False)
    second = ask(document)
    assert second is not None
    assert second["command"]["arguments"] != first["command"]["arguments"]
    assert editor.close() == 0
    outcomes = "SELECT kind, how FROM outcome WHERE kind <> 'censored'"
    assert editor.rows(outcomes) == [("accepted", "inferred")]


def test_a_request_about_another_version_gets_nothing(make_editor: MakeEditor) -> None:
    editor = started(make_editor)
    document = editor.open(FUNCTION)
    rename(document, "width", "breadth")
    for version in (document.version - 1, document.version + 1):
        assert ask(document, version) is None
    assert ask(document) is not None


def test_a_change_or_a_close_right_behind_the_question(make_editor: MakeEditor) -> None:
    editor = started(make_editor)
    document = editor.open(FUNCTION)
    rename(document, "width", "breadth")
    for number in range(20):
        params = document.params(None)
        asked = editor.client.send("textDocument/copilotInlineEdit", params)
        document.change(0, 0, f"# {number}\n")
        document.offset = document.text.index("breadth") + 7
        for edit in editor.client.wait(asked)["edits"]:
            assert edit["textDocument"]["version"] == document.version - 1  # answered before the change came
    asked = editor.client.send("textDocument/copilotInlineEdit", document.params(None))
    document.close()
    editor.client.wait(asked)
    params = document.params(None)
    assert editor.client.call("textDocument/copilotInlineEdit", params) == {"edits": []}
    assert editor.close() == 0
    assert "Traceback" not in (editor.folder / "stderr.txt").read_text()


def test_changes_that_cannot_be_silence_it_until_the_text_is_sent_whole(make_editor: MakeEditor) -> None:
    editor = started(make_editor)
    document = editor.open(FUNCTION)
    rename(document, "width", "breadth")
    assert ask(document) is not None
    beyond = {"line": 500, "character": 0}
    lost = {"range": {"start": beyond, "end": {"line": 501, "character": 0}}, "text": "x"}
    tell(document, [lost], document.version + 1)
    assert ask(document) is None
    tell(document, [{"text": document.text}], document.version + 1)
    assert ask(document) is not None
    tell(document, [{"range": whole(document, 0, 0), "text": "# late\n"}], document.version - 3)
    assert ask(document, document.version) is None
    assert editor.close() == 0


def tell(document: Document, changes: list[Json], version: int) -> None:
    document.version = version
    params = {"textDocument": {"uri": document.uri, "version": version}, "contentChanges": changes}
    document.editor.client.notify("textDocument/didChange", params)


def whole(document: Document, start: int, end: int) -> Json:
    return {"start": document.place(start), "end": document.place(end)}


def test_excluded_files_and_the_setting(make_editor: MakeEditor, tmp_path: Path) -> None:
    editor = started(make_editor, wait=True)
    secret = editor.open(FUNCTION, (tmp_path / "my_secrets.py").as_uri())
    rename(secret, "width", "breadth")
    assert ask(secret) is None
    plain = editor.open(FUNCTION)
    rename(plain, "width", "breadth")
    assert ask(plain) is not None
    changed = {"settings": {"sotto": {**editor.settings, "nextEdit": False}}}
    editor.client.notify("workspace/didChangeConfiguration", changed)
    assert ask(plain) is None
    assert editor.close() == 0
    excluded = "SELECT language, file_key FROM opportunity WHERE kind = 'next_edit' AND reason = 'excluded'"
    assert editor.rows(excluded) == [("", "")]


def test_a_use_in_another_open_file_and_clients_that_cannot_show_it(make_editor: MakeEditor) -> None:
    for options, other in (({}, True), ({**EAGER, "editorPluginInfo": {"name": "x"}}, False)):
        editor = make_editor(f"editor{other}")
        editor.start(initializationOptions={**options, "model": ""}, wait=False)
        used = editor.open("from a import area\n\nprint(area(1))\n", (editor.folder / "b.py").as_uri())
        made = editor.open("def ¦area(width):\n    return width\n", (editor.folder / "a.py").as_uri())
        rename(made, "area", "surface")
        edit = ask(made)
        assert (edit is not None) == other
        assert edit is None or edit["textDocument"] == {"uri": used.uri, "version": 1}
        assert editor.close() == 0


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"textDocument": None},
        {"textDocument": {"uri": "file:///none.py"}, "position": {"line": 0, "character": 0}},
        {"position": 3},
    ],
)
def test_whatever_is_asked_the_answer_is_a_list(editor: Editor, params: Json) -> None:
    assert editor.client.call("textDocument/copilotInlineEdit", params) == {"edits": []}


@pytest.mark.parametrize("arguments", [None, [], ["no such id"], [3], [{"a": 1}]])
def test_commands_about_nothing_do_nothing(editor: Editor, arguments: Any) -> None:
    for command in ("sotto.didAccept", "sotto.rejectEdit"):
        assert editor.client.call("workspace/executeCommand", {"command": command, "arguments": arguments}) is None


def test_fifty_thousand_lines(make_editor: MakeEditor) -> None:
    """Whatever it answers is right; and it answers."""
    editor = started(make_editor)
    lines = "".join(f"name_{number} = {number}\n" for number in range(50_000))
    document = editor.open(FUNCTION + lines)
    rename(document, "width", "breadth")
    for _ in range(4):
        edit = ask(document)
        if edit is not None:
            assert edit["text"] == "breadth"
            apply(document, edit)
    assert editor.close() == 0


def credulous(editor: Editor) -> None:
    """For this user every edit is probable: a ranker of their own says so."""
    forest = Forest(Stage(("support",), (MISSING,), 4.0, ()), dict.fromkeys(TARGETS, 0.5))
    place = editor.data / "next_edit" / "ranker.json"
    place.parent.mkdir(parents=True)
    place.write_text(dumps(Ranker(forest, forest, {"by": "a test"})))


def test_a_client_that_asks_for_next_edits_alone_gets_the_rest_of_the_line(make_editor: MakeEditor) -> None:
    """Until it asks for completions: then it has that from these."""
    editor = make_editor()
    credulous(editor)
    editor.start(options=EAGER, capabilities={})
    document = editor.open(EASY)
    document.type("t")
    edit = wait_edit(document)
    place = document.offset
    assert [document.offset_of(edit["range"][side]) for side in ("start", "end")] == [place, place]
    assert edit["text"].startswith("h")  # os.path
    assert "\n" not in edit["text"]
    again = ask(document)
    assert again is not None
    assert again["command"] == edit["command"]
    assert document.complete(2) is None  # it is on show
    apply(document, edit)
    other = editor.open(EASY)
    for key in "th.":
        other.type(key)
        assert other.complete(2) is not None
        assert ask(other) is None
    assert editor.close() == 0
    rows = editor.rows(
        "SELECT o.kind, o.rule, c.kind FROM opportunity o JOIN impression i ON i.opportunity = o.id"
        " JOIN outcome c ON c.impression = i.id WHERE o.kind = 'next_edit'"
    )
    assert rows == [("next_edit", "complete", "accepted")]


def test_an_insertion_at_the_cursor_comes_as_inline_completion_but_never_twice(make_editor: MakeEditor) -> None:
    """Where completion itself is not sure enough."""
    editor = started(make_editor, wait=True)
    editor.client.notify("workspace/didChangeConfiguration", {"settings": {"sotto": {**editor.settings, "minConfidence": 1}}})
    for inline_first in (True, False):
        document = editor.open("def twice(¦value):\n    return 2 * value\n")
        document.change(document.text.index("value") + 5, document.text.index("value") + 5, "s")
        document.offset = document.text.rindex("value") + 5
        if inline_first:
            item = document.complete(2)
            assert item is not None
            assert document.ghost(item) == "s"
            assert ask(document) is None
            document.insert(item, report=True)
            assert document.text == "def twice(values):\n    return 2 * values\n"
        else:
            assert ask(document) is not None
            assert document.complete(2) is None
        document.close()
    assert editor.close() == 0
    kinds = "SELECT c.kind FROM opportunity o JOIN impression i ON i.opportunity = o.id JOIN outcome c ON c.impression = i.id"
    assert ("accepted",) in editor.rows(f"{kinds} WHERE o.kind = 'next_edit'")
    assert editor.rows(f"{kinds} WHERE o.kind = 'inline'") == []
