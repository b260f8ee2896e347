"""Published prompt forms: what they show of a scene, and which answers become edits."""

from __future__ import annotations

import pytest

from assistant.cancel import Cancel
from assistant.next_edit.locate import Judgement
from assistant.next_edit.place import Edit
from assistant.next_edit.prompted import Arbiter, PromptedEdits
from assistant.next_edit.prompts import FORMS, Ask, Form, choose
from assistant.next_edit.types import Candidate, Change, Document, Scene
from assistant.types import (
    Chunk,
    CompareRequest,
    EngineError,
    Finish,
    GenerateRequest,
    Likelihood,
    MarkRequest,
    Marks,
    ModelInfo,
)

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
        ("Qwen/Qwen2.5-Coder-7B", "auto", "sweep"),
        ("C:\\models\\zeta\\", "auto", "zeta"),
        ("zeta/of-mine", "auto", "sweep"),
        ("Qwen/Qwen2.5-Coder-7B", "zeta", "zeta"),
        ("zeta", "instruct", "instruct"),
    ],
)
def test_the_form_follows_the_setting_then_the_id(model: str, setting: str, name: str) -> None:
    assert choose(model, setting).name == name


def test_a_chat_model_that_says_nothing_of_itself_is_asked_as_one() -> None:
    assert choose("my-model", chat=True).name == "instruct"


class Fake:
    """An `EditEngine` that gives one answer, and finds texts with ``count_28`` likely."""

    def __init__(self, text: str, finish: Finish = Finish.STOP, error: bool = False, chat: bool = False) -> None:
        self.text, self.finish, self.error, self.chat = text, finish, error, chat
        self.asked: list[GenerateRequest] = []
        self.compared: list[CompareRequest] = []

    @property
    def info(self) -> ModelInfo | None:
        specials = ("file_sep", "end")
        return ModelInfo("any", "qwen2", 1, 4096, "", "", 1, "", 0.0, specials=specials, chat=self.chat)

    async def mark(self, request: MarkRequest, cancel: Cancel) -> Marks:
        raise NotImplementedError

    async def write(self, request: GenerateRequest, cancel: Cancel) -> Chunk:
        self.asked.append(request)
        if self.error:
            raise EngineError("no engine")
        return Chunk(self.text, finish=self.finish)

    async def compare(self, request: CompareRequest, cancel: Cancel) -> tuple[Likelihood, ...]:
        self.compared.append(request)
        if self.error:
            raise EngineError("no engine")
        return tuple(Likelihood(-1.0 if "count_28" in one.text else -20.0, 10) for one in request.rewrites)


async def test_a_model_behind_a_form_proposes_and_judges(form: Form) -> None:
    model = Fake(answer(form, WINDOW.replace("value_28", "count_28")))
    edits = PromptedEdits(model, form)
    (found,) = await edits.locate(SCENE, Cancel())
    assert found.text.strip() == "count_28 = 28"
    assert model.asked[0].stop == form.render(SCENE).stop
    (said,) = await edits.score(SCENE, [found], Cancel())
    assert said is not None
    assert said.gain == pytest.approx(1.9)
    assert said.chance == pytest.approx(0.905, abs=0.001)
    new, old = model.compared[0].rewrites
    assert new.asked == old.asked
    assert new.asked[0].text.endswith("value_27 = 27\n")
    assert (new.text, old.text) == ("count_28 = 28\nvalue_29 = 29\n", "value_28 = 28\nvalue_29 = 29\n")


async def test_special_tokens_are_parts_of_the_prompt_where_the_model_has_them() -> None:
    model = Fake("")
    await PromptedEdits(model, FORMS["sweep"]).locate(SCENE, Cancel())
    assert {part.special for part in model.asked[0].parts} == {"file_sep", ""}
    await PromptedEdits(model, FORMS["zeta"]).locate(SCENE, Cancel())
    assert {part.special for part in model.asked[1].parts} == {""}


async def test_a_chat_model_is_asked_in_its_own_format() -> None:
    model = Fake(answer(FORMS["instruct"], WINDOW.replace("value_28", "count_28")), Finish.END, chat=True)
    (found,) = await PromptedEdits(model, FORMS["instruct"]).locate(SCENE, Cancel())
    assert found.text.strip() == "count_28 = 28"
    assert model.asked[0].parts == ()
    assert [role for role, _ in model.asked[0].chat] == ["user"]


async def test_a_place_far_from_the_cursor_is_judged_in_its_own_window(form: Form) -> None:
    at = CHANGE.after.index("value_55")
    far = Candidate("u", at, at + len("value_55"), "count_55", rule="rename")
    model = Fake("")
    assert (await PromptedEdits(model, form).score(SCENE, [far], Cancel()))[0] is not None
    assert "value_52 = 52\n" in "".join(part.text for part in model.compared[0].parts)


class Half:
    """A `Weigher` that finds everything half probable."""

    def probability(self, scene: Scene, candidate: Candidate, score: Judgement | None) -> float:
        return 0.5

    def threshold(self, exact: float, judged: bool = True) -> float:
        return exact


@pytest.mark.parametrize(
    ("rule", "also", "chance", "p"),
    [("model", False, 0.9, 0.9), ("model", False, None, 0.05), ("rename", False, 0.9, 0.5), ("rename", True, 0.9, 0.95)],
)
def test_what_the_model_wrote_is_as_probable_as_it_says(rule: str, also: bool, chance: float | None, p: float) -> None:
    said = None if chance is None else Judgement(0.0, chance)
    candidate = Candidate("u", 0, 1, "x", rule=rule, features={"also:model": 1.0} if also else {})
    assert Arbiter(Half()).probability(SCENE, candidate, said) == pytest.approx(p)


@pytest.mark.parametrize(("finish", "error"), [(Finish.LENGTH, False), (Finish.CANCELLED, False), (Finish.STOP, True)])
async def test_half_an_answer_or_no_engine_gives_nothing(form: Form, finish: Finish, error: bool) -> None:
    model = Fake(answer(form, WINDOW.replace("value_28", "count_28")), finish, error)
    assert await PromptedEdits(model, form).locate(SCENE, Cancel()) == []


async def test_nothing_is_asked_before_anything_was_done(form: Form) -> None:
    model = Fake("")
    assert await PromptedEdits(model, form).locate(Scene(SCENE.document, 0), Cancel()) == []
    assert model.asked == []
