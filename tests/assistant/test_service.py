"""The whole pipeline with an honest fake for a model: every way out, what it costs, and what it must never do."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.config import Config
from assistant.types import Indent, Reason, Selected, Snapshot, Source, Trigger
from tests.assistant.asking import CONFIG, ask, completer, one
from tests.assistant.buffers import accepted, snapshot
from tests.assistant.fakes import INFO, Canned, FakeModel
from tests.assistant.virtual_time import run


def test_a_suggestion_with_all_that_is_known_of_it() -> None:
    model = FakeModel(Canned("compute(1)\ny = 2", logprob=-0.2))
    answer = one(model, snapshot("import os\nx = |\n"))
    assert answer.reason is Reason.SHOWN
    shown = answer.suggestion
    assert shown is not None
    assert (shown.id, shown.text, shown.inserted, shown.start, shown.end) == ("id1", "compute(1)", "compute(1)", 14, 14)
    assert shown.source is Source.MODEL
    assert shown.confidence is not None
    assert shown.confidence.mean_logprob == pytest.approx(-0.2)
    assert shown.confidence.tokens == answer.new_tokens == 5
    assert (answer.prompt_tokens, answer.reused_tokens) == (100, 60)
    assert (answer.timings.prefill, answer.timings.decode) == (2.0, 3.0)
    assert model.prompts == ["<file>module.py\n<fim_prefix><fim_suffix>\n<fim_middle>import os\nx = "]


def test_one_line_asks_for_little_and_stops_itself_a_block_may_take_more() -> None:
    async def main() -> None:
        model = FakeModel("1", "\n    return 1")
        service = completer(model)
        await ask(service, snapshot("x = |\n"))
        await ask(service, snapshot("def f():|\n"))
        line, block = model.requests
        assert (line.max_tokens, line.stop, line.budget_ms) == (CONFIG.max_tokens, ("\n",), CONFIG.budget_ms)
        assert (block.max_tokens, block.stop) == (CONFIG.max_tokens_multi_line, ())

    run(main())


@pytest.mark.parametrize(
    ("attention", "runner", "sees"),
    [
        ("infini_retri", "transformers cpu float32", True),
        ("infini_retri,0=dense", "transformers cuda bfloat16", True),
        ("hip", "transformers cpu float32", False),
        ("infini_retri", "fused", False),  # Sotto's own model has one attention only
    ],
)
def test_a_model_that_looks_for_the_lines_that_matter_is_shown_more_than_it_holds(
    attention: str, runner: str, sees: bool
) -> None:
    model = FakeModel("1", info=replace(INFO, runner=runner))
    filler = "".join(f"other_{i} = {i}\n" for i in range(2000))
    one(model, snapshot(f"far_away = 1\n{filler}x = |\n"), replace(CONFIG, attention=attention))
    (asked,) = model.prompts
    assert ("far_away" in asked) == sees
    assert asked.endswith("x = ")
    assert len(asked) > 1500


def test_who_asks_by_hand_gets_more_time() -> None:
    model = FakeModel("1")
    one(model, snapshot("x = |\n", trigger=Trigger.INVOKED))
    assert model.requests[0].budget_ms == CONFIG.budget_invoked_ms


@pytest.mark.parametrize(
    ("config", "document", "reason"),
    [
        (replace(CONFIG, enabled=False), snapshot("x = |\n"), Reason.DISABLED),
        (CONFIG, snapshot("x = |\n", "plaintext"), Reason.LANGUAGE),
        (replace(CONFIG, languages={"*": False}), snapshot("x = |\n"), Reason.LANGUAGE),
        (CONFIG, snapshot("x = |\n", uri="file:///project/.env", path="/project/.env"), Reason.EXCLUDED),
        (CONFIG, snapshot("x = |\n", uri="untitled:secrets.py", path=None, root=None), Reason.EXCLUDED),
        (CONFIG, snapshot("val|ue\n"), Reason.SKIPPED),
        (CONFIG, snapshot("|"), Reason.SKIPPED),
    ],
)
def test_ways_out_before_the_model(config: Config, document: Snapshot, reason: Reason) -> None:
    model = FakeModel("foo")
    answer = one(model, document, config)
    assert (answer.reason, answer.suggestion) == (reason, None)
    assert not model.requests


def test_a_language_switched_on_beats_the_star() -> None:
    answer = one(FakeModel("1"), snapshot("x = |\n"), replace(CONFIG, languages={"*": False, "python": True}))
    assert answer.reason is Reason.SHOWN


def test_a_gitignored_file_is_never_read_into_a_prompt(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("local.py\n", "utf-8")
    path = str(tmp_path / "local.py")
    model = FakeModel("foo")
    document = snapshot("x = |\n", uri=f"file://{path}", path=path, root=str(tmp_path))
    assert one(model, document).reason is Reason.EXCLUDED
    assert not model.requests


@pytest.mark.parametrize("said", ["", "   \n", "\nfoo", "<|end|>", ")"])
def test_nothing_to_show(said: str) -> None:
    answer = one(FakeModel(said), snapshot("foo(|)\n"))
    assert (answer.reason, answer.suggestion) == (Reason.EMPTY, None)


def test_an_unsure_suggestion_stays_hidden_unless_asked_for() -> None:
    async def main() -> None:
        unsure = Canned("foo", logprob=math.log(0.3))
        model = FakeModel(unsure)
        service = completer(model)
        answer = await ask(service, snapshot("x = |\n"))
        assert (answer.reason, answer.suggestion) == (Reason.UNSURE, None)
        assert math.exp(answer.features["mean_logprob"]) == pytest.approx(0.3)
        answer = await ask(service, snapshot("x = |\n", trigger=Trigger.INVOKED))
        assert answer.suggestion is not None
        assert len(model.requests) == 1, "the answer was there already"

    run(main())


def test_an_unsure_start_may_have_a_sure_end() -> None:
    async def main() -> None:
        model = FakeModel()
        service = completer(model)
        model.add(Canned("foo(bar)", logprob=math.log(0.5)))
        assert (await ask(service, snapshot("x = |\n"))).reason is Reason.UNSURE
        # The user types the letters the model doubted; in the fake all tokens are alike, so what is left is as unsure.
        assert (await ask(service, snapshot("x = foo(|\n"))).reason is Reason.UNSURE
        assert len(model.requests) == 1

    run(main())


def test_who_asks_by_hand_gets_the_doubted_rest_too() -> None:
    async def main() -> None:
        said = Canned("foo(bar)", doubts=(1,))
        model = FakeModel(said, said)
        service = completer(model)
        shown = (await ask(service, snapshot("x = |\n"))).suggestion
        assert shown is not None
        assert shown.text == "foo"
        by_hand = (await ask(service, snapshot("x = |\n", trigger=Trigger.INVOKED))).suggestion
        assert by_hand is not None
        assert by_hand.text == "foo(bar)"

    run(main())


def test_an_engine_that_cannot_answer_costs_one_suggestion() -> None:
    async def main() -> None:
        model = FakeModel(Canned("", error="the engine restarts"), "1")
        service = completer(model)
        assert (await ask(service, snapshot("x = |\n"))).reason is Reason.ENGINE
        await asyncio.sleep(1)
        assert (await ask(service, snapshot("x = |\n"))).reason is Reason.SHOWN

    run(main())


def test_before_the_weights_are_loaded_the_model_is_asked_and_says_no() -> None:
    model = FakeModel(Canned("", error="loading"), info=None)
    assert one(model, snapshot("x = |\n")).reason is Reason.ENGINE
    assert len(model.requests) == 1, "asking is what brings a dead engine back"


def test_a_fault_of_our_own_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(FakeModel):
        @property
        def prompts(self) -> list[str]:
            return []

        def generate(self, request: object, cancel: object) -> object:  # type: ignore[override]
            raise RuntimeError("a fault")

    assert one(Faulty(), snapshot("x = |\n")).reason is Reason.ENGINE
    assert "a fault" in caplog.text


# The editor's own popup


def test_a_selected_popup_entry_is_continued_in_its_range() -> None:
    model = FakeModel("(1, 2)")
    chosen = Selected(2, 4, "append")
    document = snapshot("x.ap|\n", selected=chosen)
    answer = one(model, document)
    assert answer.suggestion is not None
    assert (answer.suggestion.start, answer.suggestion.end) == (2, 4)
    assert answer.suggestion.text == "append(1, 2)"
    assert answer.suggestion.inserted == "pend(1, 2)"
    assert accepted(document, answer.suggestion) == "x.append(1, 2)\n"
    assert model.prompts[0].endswith("x.append")
    assert answer.features["popup"] == 1.0


def test_what_would_need_more_of_the_line_than_the_popups_range_is_not_shown() -> None:
    answer = one(FakeModel("a): b"), snapshot("if f(x.ap|):\n", selected=Selected(7, 9, "append")))
    assert answer.suggestion is None or answer.suggestion.end == 9
    answer = one(FakeModel("a) and b"), snapshot("print(x.ap|)\n", selected=Selected(8, 10, "append")))
    assert (answer.reason, answer.suggestion) == (Reason.EMPTY, None)


@pytest.mark.parametrize("chosen", [Selected(0, 1, "a"), Selected(4, 2, "a"), Selected(0, 99, "a"), Selected(0, 4, "a\nb")])
def test_a_selection_that_is_no_popup_entry_is_passed_over(chosen: Selected) -> None:
    answer = one(FakeModel("1"), snapshot("x = |\n", selected=chosen))
    assert answer.suggestion is not None
    assert answer.suggestion.text == "1"


# Odd documents


@pytest.mark.parametrize(
    "document",
    [
        snapshot("x = |"),
        snapshot("x = |\r\ny\r\n"),
        snapshot("greet('👋' + |)\n"),
        snapshot("x = '\ud83d' + |\n"),
        snapshot("x = |\n", uri="untitled:Untitled-1", path=None, root=None),
        snapshot("x = |\n", uri="vscode-notebook-cell:/p/nb.ipynb#W1", path=None, root=None),
        snapshot("x = |\n", "a language nobody knows"),
        snapshot("\t\tx = |\n", indent=Indent(8, tabs=True)),
        snapshot("x = 1\n" * 50_000 + "y = |\n" + "z = 1\n" * 50_000),
        snapshot("x" * 100_000 + " = |"),
        snapshot("x = 1\ry = |\r"),
        snapshot("x = '\0' + |\n"),
    ],
)
def test_odd_documents_get_an_ordinary_answer(document: Snapshot) -> None:
    answer = one(FakeModel("value"), document)
    assert answer.suggestion is not None
    assert answer.suggestion.text == "value"


def test_features_are_numbers() -> None:
    answer = one(FakeModel("foo(1)"), snapshot("x = |\n"))
    assert answer.features
    assert all(type(value) is float and math.isfinite(value) for value in answer.features.values())
    assert answer.features["chars"] == 6.0
