"""Published prompt forms: what they show of a scene, and which answers become edits."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from assistant.cancel import Cancel
from assistant.next_edit.place import Edit
from assistant.next_edit.prompts import FORMS, Ask, Form, PromptedEdits, choose
from assistant.next_edit.types import Change, Document, Scene
from assistant.types import Chunk, EngineError, Finish, GenerateRequest, ModelInfo, ScoreRequest

LINES = [f"value_{n} = {n}" for n in range(60)]
BEFORE = "\n".join(LINES) + "\n"
AT = BEFORE.index("value_30")
CHANGE = Change("u", BEFORE, AT, "value", "count", 1.0)
SCENE = Scene(Document("u", "src/a.py", "python", CHANGE.after, 1), AT + 5, changes=(CHANGE,))
WINDOW = "".join(line + "\n" for line in CHANGE.after.split("\n")[20:41])


def answer(form: Form, window: str) -> str:
    """A well-formed answer that says the window should be this."""
    return {
        "sweep": window + "<|file_sep|>src/b.py\n",
        "zeta": f"```\n<|editable_region_start|>\n{window}<|editable_region_end|>\n```",
        "instruct": f"Sure.\n<EDIT>\n{window}</EDIT>",
    }[form.name]


@pytest.fixture(params=sorted(FORMS))
def form(request: pytest.FixtureRequest) -> Form:
    return FORMS[request.param]


def applied(ask: Ask, found: list[object]) -> str:
    text = ask.document.text
    for one in reversed(found):
        text = Edit(one.start, one.end, one.text).apply(text)  # type: ignore[attr-defined]
    return text


def test_the_prompt_shows_the_window_and_what_was_done(form: Form) -> None:
    ask = form.render(SCENE)
    assert (ask.first, ask.last) == (20, 41)
    assert "value_20 = 20\n" in ask.prompt
    assert "value_40 = 40\n" in ask.prompt
    assert "src/a.py" in ask.prompt
    assert "value_30 = 30\n" in ask.prompt  # as it was
    assert "_30 = 30\n" in ask.prompt.replace("value_30", "")  # as it is


def test_sweep_shows_the_window_as_it_was_and_as_it_is() -> None:
    prompt = FORMS["sweep"].render(SCENE).prompt
    was, now, asked = (prompt.index(f"<|file_sep|>{part}/src/a.py\n") for part in ("original", "current", "updated"))
    assert "value_30" in prompt[was:now]
    assert "count_30" in prompt[now:asked]
    assert prompt.endswith("updated/src/a.py\n")
    assert prompt.index("original:\nvalue_30 = 30\nupdated:\ncount_30 = 30\n") < was


def test_zeta_marks_the_cursor_inside_of_the_region() -> None:
    prompt = FORMS["zeta"].render(SCENE).prompt
    start, end = prompt.index("<|editable_region_start|>"), prompt.index("<|editable_region_end|>")
    assert start < prompt.index("count<|user_cursor_is_here|>_30") < end
    assert "-value_30 = 30\n+count_30 = 30\n" in prompt
    assert "value_5 = 5\n" in prompt[:start]


def test_an_answer_becomes_one_candidate_for_each_place_it_changes(form: Form) -> None:
    ask = form.render(SCENE)
    wanted = (
        WINDOW.replace("value_28 = 28\n", "count_28 = 28\n")
        .replace("value_33 = 33\n", "")
        .replace("_38 = 38\n", "_38 = 38\nx\n")
    )
    found = form.parse(ask, answer(form, wanted))
    assert len(found) == 3
    assert applied(ask, list(found)) == CHANGE.after.replace(WINDOW, wanted)
    assert {one.rule for one in found} == {"model"}


@pytest.mark.parametrize("window", [WINDOW, "", "<|fim_middle|>\n", WINDOW * 4, "different\n" * 21])
def test_an_answer_that_is_no_rewrite_gives_nothing(form: Form, window: str) -> None:
    assert form.parse(form.render(SCENE), answer(form, window)) == []


@pytest.mark.parametrize("name", ["zeta", "instruct"])
def test_an_answer_without_its_marks_gives_nothing(name: str) -> None:
    form = FORMS[name]
    assert form.parse(form.render(SCENE), WINDOW.replace("28 = 28", "28 = 29")) == []


def test_an_instruct_model_may_say_that_nothing_follows() -> None:
    form = FORMS["instruct"]
    assert form.parse(form.render(SCENE), "<NO_CHANGE>") == []


@pytest.mark.parametrize("text", ["", "x", "x\n", "a\r\nb\r\nc\r\n", "a\nb"])
def test_small_and_strange_documents_are_rendered_and_read_back(form: Form, text: str) -> None:
    scene = Scene(
        Document("u", "a.py", "python", text, 1), len(text), changes=(Change("u", text + "?", len(text), "?", "", 0.0),)
    )
    ask = form.render(scene)
    found = form.parse(ask, answer(form, "new\n" + text.replace("\r\n", "\n")))
    if text:
        assert applied(ask, list(found)).startswith("new" + ("\r\n" if "\r\n" in text else "\n"))
        assert applied(ask, list(found)).count("\r\n") == (text.count("\r\n") + 1 if "\r\n" in text else 0)


@pytest.mark.parametrize(
    ("model", "setting", "name"),
    [
        ("sweepai/sweep-next-edit-1.5B", "", "sweep"),
        ("zed-industries/zeta", "", "zeta"),
        ("Qwen/Qwen2.5-Coder-7B-Instruct", "", "instruct"),
        ("google/gemma-3-4b-it", "", "instruct"),
        ("Qwen/Qwen2.5-Coder-7B", "", None),
        ("sotto-tiny", "", None),
        ("Qwen/Qwen2.5-Coder-7B", "sweep", "sweep"),
        ("zeta", "nothing", None),
    ],
)
def test_the_form_follows_the_setting_then_the_id(model: str, setting: str, name: str | None) -> None:
    found = choose(model, setting)
    assert (found.name if found else None) == name


class Fake:
    """A `TextModel` that gives one answer in two chunks."""

    def __init__(self, text: str, finish: Finish = Finish.STOP, error: bool = False) -> None:
        self.text, self.finish, self.error = text, finish, error
        self.asked: list[GenerateRequest] = []

    @property
    def info(self) -> ModelInfo | None:
        return None

    async def generate(self, request: GenerateRequest, cancel: Cancel) -> AsyncIterator[Chunk]:
        self.asked.append(request)
        if self.error:
            raise EngineError("no engine")
        yield Chunk(self.text[:30])
        yield Chunk(self.text[30:], finish=self.finish)

    async def score(self, request: ScoreRequest) -> None:
        raise NotImplementedError

    async def learn(self, key: str, text: str) -> None: ...

    async def unlearn(self, key: str) -> None: ...


async def test_a_model_behind_a_form_proposes(form: Form) -> None:
    model = Fake(answer(form, WINDOW.replace("value_28", "count_28")))
    edits = PromptedEdits(model, form)  # type: ignore[arg-type]
    (found,) = await edits.locate(SCENE, Cancel())
    assert found.text.strip() == "count_28 = 28"
    assert await edits.score(SCENE, [found], Cancel()) == [None]
    assert model.asked[0].stop == form.render(SCENE).stop


@pytest.mark.parametrize(("finish", "error"), [(Finish.LENGTH, False), (Finish.CANCELLED, False), (Finish.STOP, True)])
async def test_half_an_answer_or_no_engine_gives_nothing(form: Form, finish: Finish, error: bool) -> None:
    model = Fake(answer(form, WINDOW.replace("value_28", "count_28")), finish, error)
    assert await PromptedEdits(model, form).locate(SCENE, Cancel()) == []  # type: ignore[arg-type]


async def test_nothing_is_asked_before_anything_was_done(form: Form) -> None:
    model = Fake("")
    assert await PromptedEdits(model, form).locate(Scene(SCENE.document, 0), Cancel()) == []  # type: ignore[arg-type]
    assert model.asked == []
