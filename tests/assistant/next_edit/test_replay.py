"""Replays: line differences, commits as moments, and the judge, on made-up histories and random texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.next_edit.replay import Moment, moments
from assistant.next_edit.replay_diff import TooDifferent, distance, hunks
from assistant.next_edit.replay_git import STORED, Commit, HistoryError, commits, repositories, repository_name
from assistant.next_edit.replay_truth import Truth
from assistant.next_edit.types import Candidate, Change, Document, Scene
from tests.assistant.next_edit.histories import git, history, repeated, steps

LINES = st.lists(st.sampled_from("abcd"), max_size=10)


@settings(max_examples=150, deadline=None)
@given(LINES, LINES)
def test_hunks_lead_from_one_text_to_the_other_and_none_is_needless(old: list[str], new: list[str]) -> None:
    found = hunks(old, new)
    built, at = [], 0
    for one in found:
        built += old[at : one.start] + new[one.new_start : one.new_end]
        at = one.end
    assert built + old[at:] == new
    assert distance(old, new) == len(old) + len(new) - 2 * _common(old, new)


def _common(a: list[str], b: list[str]) -> int:
    """The longest common subsequence, the plain way."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def test_a_difference_over_the_limit_is_refused() -> None:
    with pytest.raises(TooDifferent):
        hunks(list("abcdef"), list("uvwxyz"), most=4)


def test_commits_are_read_as_they_are(tmp_path: Path) -> None:
    folder = history(tmp_path / "one", [{"a.py": "x = 1\ny = 2\n", "b.py": "z = 3\n"}, {"a.py": "x = 1\ny = 4\n"}])
    (commit,) = commits(folder, 10)
    (edit,) = commit.files
    assert (edit.path, edit.language, edit.before, edit.after) == ("a.py", "python", "x = 1\ny = 2\n", "x = 1\ny = 4\n")
    assert [(one.start, one.end, one.new_start, one.new_end) for one in edit.hunks] == [(1, 2, 1, 2)]
    assert commit.beside == (("b.py", "z = 3\n"),)


def test_what_a_project_holds_besides_is_known_as_an_index_knows_it(tmp_path: Path) -> None:
    """Files that are not open: those the changed one speaks of first, never those that the commit changes."""
    apart = {f"lib/m{number}.py": f"def name{number}(): ...\n" for number in range(60)}
    before = {"app/a.py": "from lib.m7 import name7\n", **apart, "lib/big.py": "x = 1\n" * 30_000}
    folder = history(tmp_path / "one", [before, {"app/a.py": "from lib.m7 import name7\n\nname9()\n"}])
    (commit,) = commits(folder, 10)
    assert STORED - 1 <= len(commit.stored) <= STORED  # one may be too large
    assert commit.stored[0] == ("lib/m7.py", apart["lib/m7.py"])
    assert not {path for path, _ in commit.stored} & {"app/a.py", "lib/big.py"}
    for moment in moments(commit):
        files = moment.scene.files
        assert files is not None
        assert list(files.naming("name7")) == ["lib/m7.py"]
        found = files.read("lib/m7.py")
        assert found is not None
        assert (found.language, found.version) == ("python", None)
        assert files.read("app/a.py") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a.py": "x = 1\n"}, {"a.py": "x  =  1\n"}),  # white space alone
        ({"a.py": "x = 1\r\n"}, {"a.py": "x = 2\r\n"}),
        ({"a.txt": "x\n"}, {"a.txt": "y\n"}),
        ({"a.py": "x = 1\n"}, {"a.py": "x = '" + "y" * 500 + "'\n"}),
        ({"a.py": "x\n" * 200}, {"a.py": "y\n" * 200}),
        ({"b.py": "x = 1\n"}, {"a.py": "x = 2\n"}),  # a new file
    ],
)
def test_commits_that_do_not_fit_are_left_out(tmp_path: Path, before: dict[str, str], after: dict[str, str]) -> None:
    assert list(commits(history(tmp_path / "one", [before, after]), 10)) == []


def test_a_folder_of_clones_and_a_bare_clone_are_found(tmp_path: Path) -> None:
    one = repeated(tmp_path / "all" / "one")
    git(tmp_path, "clone", "-q", "--bare", str(one), str(tmp_path / "all" / "two.git"))
    found = repositories(tmp_path / "all")
    assert [repository_name(folder) for folder in found] == ["one", "two"]
    assert [len(list(commits(folder, 10))) for folder in found] == [3, 3]
    with pytest.raises(HistoryError, match="no git history"):
        repositories(tmp_path / "all" / "one" / "app")


def replay(folder: Path) -> list[tuple[Commit, Moment]]:
    return [(commit, moment) for commit in commits(folder, 10) for moment in moments(commit)]


def test_every_moment_is_on_the_way_from_the_old_text_to_the_new(tmp_path: Path) -> None:
    seen = replay(repeated(tmp_path / "one"))
    assert {moment.kind for _, moment in seen} >= {"between", "typing", "finished"}
    assert len({moment.order for _, moment in seen}) >= 3
    for commit, moment in seen:
        scene = moment.scene
        last = scene.changes[-1]
        assert scene.find(last.uri) is not None
        assert 0 <= scene.offset <= len(scene.document.text)
        for earlier, later in zip(scene.changes, scene.changes[1:], strict=False):
            assert earlier.at < later.at
            if earlier.uri == later.uri:
                assert earlier.after == later.before
        texts = {one.uri: one.text for one in (scene.document, *scene.others)}
        assert last.after == texts[last.uri]
        if moment.kind == "finished":
            assert all(texts[uri] == text for uri, text in moment.final.items())
        assert Truth(scene, moment.final).anything == (moment.kind != "finished")
        assert {f"replay:///{path}" for path, _ in commit.beside} <= texts.keys()


def test_the_same_seed_gives_the_same_moments(tmp_path: Path) -> None:
    folder = repeated(tmp_path / "one")
    assert replay(folder) == replay(folder)


def test_what_is_left_is_right_and_anything_else_is_not(tmp_path: Path) -> None:
    judged = 0
    for _, moment in replay(repeated(tmp_path / "one")):
        truth = Truth(moment.scene, moment.final)
        for document in (moment.scene.document, *moment.scene.others):
            for one in truth.left(document):
                lines, final = document.text.split("\n"), moment.final[document.uri].split("\n")
                start, end = (sum(len(line) + 1 for line in lines[:at]) for at in (one.start, one.end))
                text = "".join(line + "\n" for line in final[one.new_start : one.new_end])
                right = truth.judge(Candidate(document.uri, start, end, text, "r"))
                wrong = truth.judge(Candidate(document.uri, start, end, text + "pass\n", "r"))
                assert (right.exact, right.position, wrong.exact) == (True, True, False)
                judged += 1
    assert judged > 20


OLD, NEW = "a = 1\nb = 2\nc = 3\nd = 4\n", "a = 1\nb = 9\nc = 8\nd = 4\ne = 5\n"


@pytest.mark.parametrize(
    ("start", "end", "text", "exact", "position"),
    [
        (6, 12, "b = 9\n", True, True),  # one line of two
        (10, 11, "9", True, True),
        (6, 18, "b = 9\nc = 8\n", True, True),
        (6, 12, "b = 7\n", False, True),
        (0, 1, "z", False, False),
        (24, 24, "e = 5\n", True, True),
        (24, 24, "e = 6\n", False, True),
        (6, 12, "", False, True),  # it will be replaced
        (12, 12, "c = 8\n", False, True),  # it will stand in the other's place
        (0, 24, NEW, True, True),
        (6, 12, "b = 2\n", False, False),  # nothing
    ],
)
def test_an_edit_is_exact_when_all_of_it_is_to_come(start: int, end: int, text: str, exact: bool, position: bool) -> None:
    scene = Scene(Document("u", "a.py", "python", OLD), 0)
    found = Truth(scene, {"u": NEW}).judge(Candidate("u", start, end, text, "r"))
    assert (found.exact, found.position) == (exact, position)


def test_what_brings_the_old_text_back_is_a_reversal() -> None:
    change = Change("u", OLD, 10, "2", "9", 1.0)
    scene = Scene(Document("u", "a.py", "python", change.after), 11, changes=(change,))
    truth = Truth(scene, {})
    assert truth.judge(Candidate("u", 10, 11, "2", "r")).reversal == 1.0
    assert truth.judge(Candidate("u", 0, 1, "z", "r")).reversal == 0.0


def test_writing_on_in_a_line_that_was_begun_undoes_nothing() -> None:
    change = Change("u", "a = 1\n\n", 6, "", "total = su", 1.0)
    scene = Scene(Document("u", "a.py", "python", change.after), 16, changes=(change,))
    truth = Truth(scene, {})
    assert truth.judge(Candidate("u", 16, 16, "m(b)", "r")).reversal == 0.0
    assert truth.judge(Candidate("u", 14, 16, "len(b)", "r")).reversal > 0.3
    begun = replace(change, removed="total = sum(b)", before="a = 1\ntotal = sum(b)\n")
    scene = replace(scene, changes=(begun,))
    assert Truth(scene, {}).judge(Candidate("u", 16, 16, "m(b)", "r")).reversal == 1.0


def test_lines_among_equal_ones_count_wherever_they_are_put() -> None:
    scene = Scene(Document("u", "a.py", "python", "x\nx\ny\n"), 0)
    truth = Truth(scene, {"u": "x\nx\nx\ny\n"})
    assert all(truth.judge(Candidate("u", at, at, "x\n", "r")).exact for at in (0, 2, 4))


def test_steps_differ_as_the_test_needs() -> None:
    assert len(hunks(steps("a").split("\n"), steps("b").split("\n"))) == 6
