"""The filter in the pipeline: what cannot exist is repaired or not shown; without one, nothing changes."""

from __future__ import annotations

from pathlib import Path

from assistant.completion.existing import cut, repaired
from assistant.completion.postprocess import Placed
from assistant.service import Completer
from assistant.types import Reason, Snapshot, Source, Trigger
from assistant.workspace.existence.checker import Existence
from assistant.workspace.existence.verdict import Checker, Edit, Kind, Verdict
from tests.assistant.asking import ask
from tests.assistant.fakes import FakeModel, numbered
from tests.assistant.virtual_time import now, run

CODE = "import json\n\n\ndef read(path):\n    data = \n    return data\n"


class Recorder:
    """Answers with the verdicts it was given, in turn, and keeps what it was asked."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = list(verdicts)
        self.asked: list[tuple[int, int, str]] = []
        self.forgotten: list[str] = []

    def check(self, snapshot: Snapshot, start: int, end: int, text: str) -> Verdict:
        self.asked.append((start, end, text))
        return self.verdicts.pop(0) if self.verdicts else Verdict(Kind.OK, text)

    def forget(self, uri: str) -> None:
        self.forgotten.append(uri)


def document(root: Path, typed: str = "") -> Snapshot:
    at = CODE.index("data = ") + len("data = ")
    text = CODE[:at] + typed + CODE[at:]
    path = root / "app.py"
    return Snapshot(path.as_uri(), "python", text, at + len(typed), 1, str(path), str(root), Trigger.INVOKED)


def service(model: FakeModel, checker: Checker | None) -> Completer:
    return Completer(model, clock=now, new_id=numbered(), checker=checker)


def test_a_wrong_name_is_shown_repaired_and_stays_so_while_it_is_typed(tmp_path: Path) -> None:
    async def main() -> None:
        completer = service(FakeModel("json.laods(path)"), Existence(inline=True))
        first = await ask(completer, document(tmp_path))
        assert first.suggestion is not None
        assert (first.suggestion.text, first.features["existence"]) == ("json.loads(path)", 1.0)
        later = await ask(completer, document(tmp_path, "json.lo"))
        assert later.suggestion is not None
        assert (later.suggestion.text, later.suggestion.source) == ("ads(path)", Source.CACHE)
        assert later.features["existence"] == 1.0

    run(main())


def test_what_cannot_be_repaired_is_not_shown(tmp_path: Path) -> None:
    async def main() -> None:
        model = FakeModel("json.read_everything(path)")
        completer = service(model, Existence(inline=True))
        for _ in range(2):
            answer = await ask(completer, document(tmp_path))
            assert (answer.reason, answer.suggestion, answer.features["existence"]) == (Reason.EMPTY, None, 1.0)
        assert len(model.requests) == 1, "the second answer comes from the cache"

    run(main())


def test_a_right_suggestion_is_as_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        checker = Recorder()
        answer = await ask(service(FakeModel("json.loads(path)"), checker), document(tmp_path))
        assert answer.suggestion is not None
        at = CODE.index("data = ") + len("data = ")
        assert checker.asked == [(at, at, "json.loads(path)")]
        assert (answer.suggestion.text, answer.features["existence"]) == ("json.loads(path)", 0.0)

    run(main())


def test_without_a_filter_there_is_no_such_feature(tmp_path: Path) -> None:
    async def main() -> None:
        answer = await ask(service(FakeModel("json.laods(path)"), None), document(tmp_path))
        assert answer.suggestion is not None
        assert answer.suggestion.text == "json.laods(path)"
        assert "existence" not in answer.features

    run(main())


def test_a_closed_document_is_forgotten(tmp_path: Path) -> None:
    checker = Recorder()
    service(FakeModel(), checker).forget("file:///a.py")
    assert checker.forgotten == ["file:///a.py"]


def test_repairs_move_what_the_line_has_already() -> None:
    placed = Placed("foo(bra, x)", 3, 4, (10,))
    assert repaired(placed, [Edit(4, 7, "barrel")]) == Placed("foo(barrel, x)", 3, 4, (13,))
    assert repaired(placed, [Edit(8, 11, "y")]) is None
    assert repaired(Placed("ab", 0, 0), [Edit(0, 2, " ")]) is None


def test_a_right_word_before_a_wrong_name_is_shown(tmp_path: Path) -> None:
    async def main() -> None:
        model = FakeModel("ication, env=everything_else)")
        completer = service(model, Existence(inline=True))
        text = "def build(application):\n    return str(appl)\n"
        at = text.index("appl)") + 4
        path = tmp_path / "app.py"
        here = Snapshot(path.as_uri(), "python", text, at, 1, str(path), str(tmp_path), Trigger.INVOKED)
        answer = await ask(completer, here)
        assert answer.suggestion is not None
        assert (answer.suggestion.text, answer.suggestion.start, answer.suggestion.end) == ("ication", at, at)
        assert answer.features["existence"] == 1.0

    run(main())


def test_a_cut_gives_back_what_the_line_has_behind_it() -> None:
    placed = Placed("foo(bar)", 3, 5, (3, 7))
    assert cut(placed, 7) == Placed("foo(bar", 3, 4, (3,))
    assert cut(placed, 3) == Placed("foo", 3, 3)
    assert cut(Placed("(  x", 0, 1, (0,)), 2) is None
