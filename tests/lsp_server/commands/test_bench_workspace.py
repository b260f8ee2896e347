"""`sotto bench workspace`: its parts on small trees, and the whole on one, with the real engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lsp_server.cli import main
from lsp_server.commands import bench_infill, bench_search
from lsp_server.commands.plot import Panel, svg

READER = '''"""Reading."""


def read_settings(folder, strict=True):
    """Load the settings of a project from its folder."""
    path = folder / "settings.json"
    return parse_settings(path.read_text(), strict)


class Store:
    """Keeps rows."""

    def remove_old(self, days):
        """Delete every row that is older than some days."""
        limit = self.clock() - days * 86_400
        self.rows = [row for row in self.rows if row.time > limit]

    def short(self):
        """Too short."""
        return 1

    @property
    def size(self):
        "One line only."
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "package").mkdir(parents=True)
    (root / "package" / "reader.py").write_text(READER, "utf-8")
    for number in range(4):
        body = (
            f"from package.reader import read_settings\n\n\ndef run_{number}(folder):\n    settings = read_settings(folder)\n"
        )
        (root / "package" / f"run{number}.py").write_text(body + "    return settings.name, settings.version\n", "utf-8")
    return root


def test_docstrings_are_asked_for_and_gone(tree: Path, tmp_path: Path) -> None:
    functions = bench_search.strip(tree, tmp_path / "bare")
    assert {"run_0", "Store.short", "Store.size"} < {f.name for f in functions if not f.text}
    questions = [f for f in functions if f.text]
    assert [(q.path, q.name, q.text) for q in questions] == [
        ("package/reader.py", "read_settings", "Load the settings of a project from its folder."),
        ("package/reader.py", "Store.remove_old", "Delete every row that is older than some days."),
    ]
    bare = (tmp_path / "bare" / "package" / "reader.py").read_text("utf-8")
    assert "Load the settings" not in bare
    assert "One line only" not in bare
    compile(bare, "reader.py", "exec")


def test_words_before_and_after_a_docstring_on_its_line_stay(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.py").write_text('def été(): "é"; return 1\nclass A: "x"\n', "utf-8")
    bench_search.strip(source, tmp_path / "bare")
    assert (tmp_path / "bare" / "a.py").read_text("utf-8") == "def été(): ...; return 1\nclass A: ...\n"


def test_cursors_lie_inside_lines_of_code_and_hide_what_is_wanted(tree: Path) -> None:
    texts = bench_infill.readable(sorted(tree.rglob("*.py")))
    places = bench_infill.cursors(tree, texts, 50)
    assert len(places) == 50
    for place in places:
        whole, offset = texts[place.key], place.snapshot.offset
        assert whole[offset:].startswith(place.target)
        assert place.snapshot.text == whole[:offset] + whole[offset + len(place.target) :]
        assert len(place.target) >= bench_infill.LEAST_TARGET
        assert "\n" not in place.target
    assert places == bench_infill.cursors(tree, texts, 50)


def test_a_tree_without_code_gives_no_cursors() -> None:
    assert bench_infill.cursors(Path("/x"), {}, 5) == []
    assert bench_infill.cursors(Path("/x"), {"/x/a.py": "# only\n# comments\n"}, 5) == []


def test_files_that_cannot_be_read_as_text_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xff\xfe")
    (tmp_path / "b.py").write_text("x = 1\r\n", "utf-8")
    assert bench_infill.readable([*sorted(tmp_path.glob("*.py")), tmp_path / "gone.py"]) == {str(tmp_path / "b.py"): "x = 1\n"}


def test_the_whole_command_prints_its_stable_keys(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "workspace", "--path", str(tree), "--cursors", "3", "--threads", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"index_s", "index_mb", "search_ms", "rss_mb", "infill", "filter", "search_mrr"} <= set(report)
    assert {"em_file", "em_workspace", "bpb_file", "bpb_workspace"} <= set(report["infill"])
    assert report["infill"]["n"] == 3
    assert all(report["infill"][f"bpb_{way}"] > 0 for way in bench_infill.WAYS)
    assert report["search_mrr"]["n"] == 2
    assert report["search_mrr"]["ours"] > 0.4
    assert {"caught", "false_alarms"} <= set(report["filter"])


def test_a_file_in_place_of_a_folder_is_refused(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "workspace", "--path", str(tree / "package" / "reader.py")]) == 2
    assert "is not a folder" in capsys.readouterr().err


def test_a_chart_holds_every_point_inside_its_panel() -> None:
    import xml.etree.ElementTree as ElementTree

    text = svg([Panel("a < b", [1, 3, 10], {"one": [0.5, 20, 300], "two": [1, 1, 1]}, 200), Panel("b", [1], {"x": [5]})], "MB")
    root = ElementTree.fromstring(text)
    circles = [node for node in root.iter() if node.tag.endswith("circle")]
    assert len(circles) == 7
    assert all(0 < float(c.get("cx", "-1")) < 320 and 0 < float(c.get("cy", "-1")) < 220 for c in circles)
    assert "a &lt; b" in text
