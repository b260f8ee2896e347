"""Secrets stay out: names, links, folders, git's rules, and every kind of URI an editor sends."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.config import Config
from assistant.workspace.ignore import Excluder, path_of

CONFIG = Config()


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("name", "excluded"),
    [
        (".env", True),
        (".env.local", True),
        (".ENV", True),
        ("deploy/server.pem", True),
        ("deploy/SERVER.PEM", True),
        ("id_rsa", True),
        ("id_rsa.pub", True),
        (".ssh/config", True),
        ("home/.aws/credentials", True),
        ("config/secrets.yml", True),
        ("secrets/plain.py", True),
        ("src/main.py", False),
        ("src/environment.py", False),
        ("src/keyboard.py", False),
        ("monkey.py", False),
    ],
)
def test_default_globs(tmp_path: Path, name: str, excluded: bool) -> None:
    reason = Excluder((tmp_path,)).reason(str(tmp_path / name), CONFIG)
    assert (reason is not None) is excluded
    assert reason is None or Path(name).name in reason or "pattern" in reason


def test_the_reason_is_a_sentence_with_the_pattern(tmp_path: Path) -> None:
    assert Excluder((tmp_path,)).reason(str(tmp_path / ".env"), CONFIG) == ".env matches the exclude pattern **/.env*"


def test_the_users_own_list_replaces_the_default_and_may_take_files_out_again(tmp_path: Path) -> None:
    config = replace(CONFIG, exclude=("*.sql", "!keep.sql", "generated/"))
    excluder = Excluder((tmp_path,))
    assert excluder.reason(str(tmp_path / "dump.SQL"), config)
    assert excluder.reason(str(tmp_path / "generated" / "a.py"), config)
    assert excluder.reason(str(tmp_path / "keep.sql"), config) is None
    assert excluder.reason(str(tmp_path / ".env"), config) is None


@pytest.mark.parametrize("pattern", ["!", "[", "", "#", "   ", "\\"])
def test_a_pattern_that_means_nothing_excludes_nothing(tmp_path: Path, pattern: str) -> None:
    excluder, config = Excluder((tmp_path,)), replace(CONFIG, exclude=(pattern, "*.log"))
    assert excluder.reason(str(tmp_path / "main.py"), config) is None
    assert excluder.reason(str(tmp_path / "a.log"), config)


def test_a_name_no_system_has_is_judged_by_its_letters(tmp_path: Path) -> None:
    assert Excluder((tmp_path,)).reason(str(tmp_path / "a\0b.py"), CONFIG) is None
    assert Excluder((tmp_path,)).reason(str(tmp_path / "\0.env"), replace(CONFIG, exclude=("*.env",)))


def test_a_workspace_folder_may_be_called_secret(tmp_path: Path) -> None:
    root = tmp_path / "secret-santa"
    root.mkdir()
    assert Excluder((root,)).reason(str(root / "main.py"), CONFIG) is None
    assert Excluder(()).reason(str(root / "main.py"), CONFIG), "outside any folder the whole path counts"


def test_a_folder_of_secrets_opened_as_workspace_is_still_one(tmp_path: Path) -> None:
    root = tmp_path / ".ssh"
    root.mkdir()
    assert Excluder((root,)).reason(str(root / "config"), CONFIG)


def test_a_link_is_judged_by_what_it_points_to(tmp_path: Path) -> None:
    write(tmp_path, {".env": "x", "plain.txt": "x"})
    try:
        (tmp_path / "settings.txt").symlink_to(tmp_path / ".env")
        (tmp_path / "other.txt").symlink_to(tmp_path / "plain.txt")
    except OSError:
        pytest.skip("no links here")
    excluder = Excluder((tmp_path,))
    assert excluder.reason(str(tmp_path / "settings.txt"), CONFIG)
    assert excluder.reason(str(tmp_path / "other.txt"), CONFIG) is None


def test_a_workspace_reached_through_a_link(tmp_path: Path) -> None:
    write(tmp_path, {"secret-real/a.py": "x"})
    try:
        (tmp_path / "link").symlink_to(tmp_path / "secret-real")
    except OSError:
        pytest.skip("no links here")
    assert Excluder((tmp_path / "link",)).reason(str(tmp_path / "link" / "a.py"), CONFIG) is None


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///home/me/a%20b.py", "/home/me/a b.py"),
        ("file:///c%3A/x/y.py", "c:/x/y.py"),
        ("file:///C:/x/y.py", "C:/x/y.py"),
        ("file://server/share/y.py", "//server/share/y.py"),
        ("file://localhost/x.py", "/x.py"),
        ("vscode-notebook-cell:/home/me/nb.ipynb#W0sZmlsZQ%3D%3D", "/home/me/nb.ipynb"),
        ("vscode-notebook-cell:///home/me/nb.ipynb#W0s", "/home/me/nb.ipynb"),
        ("untitled:Untitled-1", "Untitled-1"),
        ("/plain/path.py", "/plain/path.py"),
        ("C:\\x\\y.py", "C:\\x\\y.py"),
        ("git:/home/me/a.py?%7B%7D", "/home/me/a.py"),
        ("file://[broken/x", "file://[broken/x"),
    ],
)
def test_paths_of_uris(uri: str, path: str) -> None:
    assert path_of(uri) == path


@pytest.mark.parametrize(
    ("uri", "excluded"),
    [
        ("untitled:Untitled-1", False),
        ("untitled:.env", True),
        ("untitled:/home/me/.env.local", True),
        ("vscode-notebook-cell:/home/me/nb.ipynb#x", False),
        ("vscode-notebook-cell:/home/me/.ssh/nb.ipynb#x", True),
        ("file:///home/me/.env", True),
        ("vscode-vfs://github/owner/repo/.env", True),
        ("", False),
        ("file://[broken/x", False),
    ],
)
def test_uris(uri: str, excluded: bool) -> None:
    assert (Excluder(()).reason(uri, CONFIG) is not None) is excluded


REPOSITORY = {
    ".gitignore": "*.log\n!keep.log\n/build/\ndocs/*.txt\n# a comment\n\nnode_modules\n\\#odd.py\n",
    "src/.gitignore": "local.py\n!debug.log\n/only_here.py\n",
    "src/deep/.gitignore": "!local.py\n",
    ".git/info/exclude": "private.py\n",
}
FILES = [
    ("a.log", True),
    ("keep.log", False),
    ("src/a.log", True),
    ("src/debug.log", False),
    ("src/local.py", True),
    ("src/deep/local.py", False),
    ("local.py", False),
    ("build/x.py", True),
    ("src/build/x.py", False),
    ("build/keep.log", True),
    ("docs/a.txt", True),
    ("docs/sub/a.txt", False),
    ("node_modules/m/index.js", True),
    ("src/node_modules/m/index.js", True),
    ("#odd.py", True),
    ("private.py", True),
    ("src/private.py", True),
    ("src/only_here.py", True),
    ("src/deep/only_here.py", False),
    ("main.py", False),
]


def test_gits_rules(tmp_path: Path) -> None:
    write(tmp_path, REPOSITORY)
    excluder = Excluder((tmp_path,))
    config = replace(CONFIG, exclude=())
    got = {name: excluder.reason(str(tmp_path / name), config) is not None for name, _ in FILES}
    assert got == dict(FILES)
    assert (
        excluder.reason(str(tmp_path / "build/x.py"), config)
        == "x.py stays out of sight because .gitignore names its folder build"
    )


@pytest.mark.skipif(shutil.which("git") is None, reason="compares with git itself")
def test_the_table_above_is_what_git_says(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    write(tmp_path, REPOSITORY)
    write(tmp_path, {name: "" for name, _ in FILES})
    names = "\n".join(name for name, _ in FILES).encode()
    done = subprocess.run(
        ["git", "-C", str(tmp_path), "check-ignore", "--stdin"], input=names, capture_output=True, check=False
    )
    assert set(done.stdout.decode().split()) == {name for name, ignored in FILES if ignored}


def test_the_switch_turns_gits_rules_off(tmp_path: Path) -> None:
    write(tmp_path, REPOSITORY)
    assert Excluder((tmp_path,)).reason(str(tmp_path / "a.log"), replace(CONFIG, respect_gitignore=False)) is None


def test_a_workspace_inside_a_repository_obeys_the_repository(tmp_path: Path) -> None:
    write(tmp_path, {**REPOSITORY, "src/x.py": ""})
    assert Excluder((tmp_path / "src",)).reason(str(tmp_path / "src" / "a.log"), CONFIG)
    assert Excluder(()).reason(str(tmp_path / "src" / "a.log"), CONFIG)


def test_a_workspace_without_a_repository_has_its_own_rules(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.log\n"})
    assert Excluder((tmp_path,)).reason(str(tmp_path / "a.log"), CONFIG)
    assert Excluder(()).reason(str(tmp_path / "a.log"), CONFIG) is None


def test_a_workspace_that_an_outer_repository_ignores_has_its_own_rules(tmp_path: Path) -> None:
    write(tmp_path, {".git/HEAD": "", ".gitignore": "*\n", "code/project/.gitignore": "*.log\n"})
    root = tmp_path / "code" / "project"
    assert Excluder((root,)).reason(str(root / "main.py"), CONFIG) is None
    assert Excluder((root,)).reason(str(root / "a.log"), CONFIG)
    assert Excluder((tmp_path,)).reason(str(root / "main.py"), CONFIG)


def test_a_worktree_finds_its_info_exclude(tmp_path: Path) -> None:
    write(tmp_path, {"main/.git/info/exclude": "private.py\n", "main/.git/worktrees/w/commondir": "../..\n"})
    write(tmp_path, {"w/.git": f"gitdir: {tmp_path / 'main/.git/worktrees/w'}\n"})
    assert Excluder((tmp_path / "w",)).reason(str(tmp_path / "w" / "private.py"), CONFIG)


def test_ignore_files_are_read_again_only_when_they_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, REPOSITORY)
    reads: list[Path] = []
    real = Path.read_text

    def counting(self: Path, *args: str) -> str:
        reads.append(self)
        return real(self, *args)

    monkeypatch.setattr(Path, "read_text", counting)
    excluder = Excluder((tmp_path,))
    for _ in range(3):
        assert excluder.reason(str(tmp_path / "src" / "a.log"), CONFIG)
    assert len(reads) == len(set(reads))
    (tmp_path / ".gitignore").write_text("nothing\n", "utf-8")
    os.utime(tmp_path / ".gitignore", ns=(1, 1))
    assert excluder.reason(str(tmp_path / "src" / "a.log"), CONFIG) is None


def test_a_broken_ignore_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"\xff\xfe[\n!\n*.log\n")
    assert Excluder((tmp_path,)).reason(str(tmp_path / "a.log"), CONFIG)
