"""What programs read of a review: our JSON, SARIF, GitHub's annotations."""

from __future__ import annotations

import json

from assistant.review import changes, report
from assistant.review.project import TextsProject
from assistant.review.rank import Comment
from assistant.review.service import Review
from assistant.review.types import Evidence, Skipped, TextEdit
from tests.assistant.review.findings import finding

TEXT = "x = 1\ny = 'ä' + 2\n"


def review() -> Review:
    found = changes.of_texts({"a b.py": (None, TEXT)})
    fix = (TextEdit("a b.py", 6, 7, "z"), TextEdit("a b.py", 14, 15, "+1"))
    one = finding("a b.py", 1, "wrong", evidence=(Evidence("c.py", 9, "  x%"),), fix=fix, message="Bad:\nvery, 100%.")
    other = finding("a b.py", 0, "odd", severity="low")
    return Review(found, (Comment(one, 0.876543),), (Comment(other, 0.2, "less sure"),), 0, (Skipped("d.lock", "a lock file"),))


def texts() -> dict[str, str]:
    return report.texts(review(), TextsProject({}))


def test_json_is_as_documented() -> None:
    made = json.loads(report.dumps(report.to_json(review(), "Words.", texts())))
    assert made["hidden"] == 1
    assert made["overview"] == "Words."
    assert made["skipped"] == [{"path": "d.lock", "why": "a lock file"}]
    (comment,) = made["comments"]
    assert {k: comment[k] for k in ("path", "line", "end_line", "rule", "severity", "kind", "message")} == {
        "path": "a b.py",
        "line": 2,
        "end_line": 2,
        "rule": "wrong",
        "severity": "high",
        "kind": "bug",
        "message": "Bad:\nvery, 100%.",
    }
    assert comment["evidence"] == [{"path": "c.py", "line": 10, "text": "  x%"}]
    first, second = comment["fix"]["edits"]
    assert first == {
        "path": "a b.py",
        "range": {"start": {"line": 2, "column": 1}, "end": {"line": 2, "column": 2}},
        "new_text": "z",
    }
    assert second["range"]["start"] == {"line": 2, "column": 9}


def test_everything_has_the_hidden_ones_with_their_reason() -> None:
    made = report.to_json(review(), "", texts(), everything=True)
    assert [one.get("hidden") for one in made["comments"]] == [None, "less sure"]
    assert made["comments"][1]["fix"] is None
    assert made["hidden"] == 0


def test_sarif_has_what_the_standard_asks_for() -> None:
    made = report.to_sarif(review(), "1.2.3", texts(), everything=True)
    assert made["version"] == "2.1.0"
    (run,) = made["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["odd", "wrong"]
    first, second = run["results"]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("wrong", 1, "error")
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20b.py", "uriBaseId": "ROOT"},
        "region": {"startLine": 2, "endLine": 2},
    }
    assert first["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == 10
    replaced = first["fixes"][0]["artifactChanges"][0]["replacements"][1]
    assert replaced["deletedRegion"] == {"startLine": 2, "startColumn": 9, "endLine": 2, "endColumn": 10}
    assert second["suppressions"][0]["justification"] == "less sure"


def test_github_lines_are_escaped() -> None:
    (line,) = report.to_github(review())
    assert line == ("::error file=a b.py,line=2,endLine=2,title=sotto wrong::Bad:%0Avery, 100%25.%0Ac.py:10: x%25")
