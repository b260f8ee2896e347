"""The code around a change: the same answers from files, from git's objects and from a live index, and the true ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from assistant.review import changes
from assistant.review.git import Git
from assistant.review.project import IndexProject, TextsProject, TreeProject
from assistant.review.types import ChangeSet, Project
from assistant.workspace.index import WorkspaceIndex
from tests.assistant.review.repos import Repo

FILES = {
    "core.py": "def load(path):\n    return path\n",
    "use.py": "from core import load\n\nload('a')\n",
    "pkg/more.py": "import core\n\ncore.load('b')\nreload = 1\n",
    "pkg/préfix.py": "loadé = 1\nLOAD = 2\n",
    "web/a.js": "load();\n",
    "old.py": "load = 0\n",
}
NAMES = ("load", "oad", "path", "reload", "core", "LOAD", "loadé", "nothing")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "r", FILES)
    made.git("mv", "old.py", "new.py")
    made.write({"core.py": "def load(path, mode):\n    return path, mode\n", "fresh.py": "from core import load\n"})
    return made


def truth(repo: Repo, name: str) -> set[str]:
    found = set()
    for path in [*repo.folder.rglob("*.py"), *repo.folder.rglob("*.js")]:
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", path.read_text("utf-8")):
            found.add(path.relative_to(repo.folder).as_posix())
    return found


def tree(repo: Repo, what: str = "", staged: bool = False) -> tuple[TreeProject, ChangeSet]:
    git = Git.around(str(repo.folder))
    where = changes.scope(git, what, staged)
    found = changes.read(git, where)
    return TreeProject(git, where, found), found


def test_excluded_files_are_not_seen(repo: Repo) -> None:
    git = Git.around(str(repo.folder))
    where = changes.scope(git, "", False)
    project = TreeProject(git, where, changes.read(git, where), lambda path: "no" if path.startswith("pkg/") else None)
    assert set(project.naming("load")) == {path for path in truth(repo, "load") if not path.startswith("pkg/")}
    assert project.read("pkg/more.py") is None


def check(project: Project, repo: Repo) -> None:
    assert project.complete
    for name in NAMES:
        assert set(project.naming(name)) == truth(repo, name), name
    assert project.read("core.py") == "def load(path, mode):\n    return path, mode\n"
    assert project.read("use.py") == FILES["use.py"]
    assert project.read("old.py") is None
    assert project.read("no/such.py") is None
    assert len(list(project.naming("load", 2))) == 2
    assert list(project.naming("load", 0)) == []
    assert list(project.naming("not a name")) == []


def test_files_of_the_working_tree(repo: Repo) -> None:
    check(tree(repo)[0], repo)


def test_a_live_index(repo: Repo, tmp_path: Path) -> None:
    index = WorkspaceIndex([repo.folder], tmp_path / "cache", in_process=True)
    index.scan()
    try:
        check(IndexProject(index, str(repo.folder), tree(repo)[1]), repo)
    finally:
        index.close()


def test_what_is_staged_and_not_what_is_on_disk(repo: Repo) -> None:
    repo.git("add", "core.py")
    repo.write({"use.py": "nothing = 1\n"})
    project, _ = tree(repo, staged=True)
    assert set(project.naming("load")) == {"core.py", "use.py", "pkg/more.py", "new.py", "web/a.js"}
    assert list(project.naming("nothing")) == []
    assert project.read("use.py") == FILES["use.py"]


def test_a_commit_and_not_what_is_on_disk(repo: Repo) -> None:
    repo.commit("second")
    repo.write({"use.py": "nothing = 1\n"})
    repo.commit("third")
    project, _ = tree(repo, "HEAD~2..HEAD~1")
    assert "use.py" in project.naming("load")
    assert list(project.naming("nothing")) == []
    assert project.read("use.py") == FILES["use.py"]


def test_texts_alone_prove_no_absence() -> None:
    project = TextsProject({"a.py": "load()\n", "b.py": "reload()\n"})
    assert list(project.naming("load")) == ["a.py"]
    assert not project.complete


def test_two_files_of_one_text_are_both_known_in_a_commit(repo: Repo) -> None:
    repo.write({"one.py": "twin_name = 1\n", "two.py": "twin_name = 1\n"})
    repo.commit("second")
    repo.write({"one.py": "other = 1\n", "two.py": "other = 1\n", "core.py": "changed = 1\n"})
    repo.commit("third")
    repo.write({"core.py": "changed = 2\n"})
    repo.commit("fourth")
    project, _ = tree(repo, "HEAD~3..HEAD~2")
    assert {"one.py", "two.py"} <= set(project.naming("twin_name"))


def test_nothing_outside_of_the_repository_is_read(repo: Repo) -> None:
    (repo.folder.parent / "outside.py").write_text("secret = 1\n")
    (repo.folder / "link.py").symlink_to(repo.folder.parent / "outside.py")
    (repo.folder / "linked").symlink_to(repo.folder.parent)
    for is_loaded in (False, True):
        project, _ = tree(repo)
        if is_loaded:
            project.load()
        assert project.read("use.py") == FILES["use.py"]
        paths = (
            "../outside.py",
            str(repo.folder.parent / "outside.py"),
            "link.py",
            "linked/outside.py",
            "pkg/../../outside.py",
            "",
            "pkg",
        )
        assert [project.read(path) for path in paths] == [None] * len(paths)
