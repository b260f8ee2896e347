"""Marks and comparisons against the plain transformer; drafts that change nothing but the number of passes."""

from __future__ import annotations

import pytest
import torch

from assistant.cancel import Cancelled
from assistant.edit_format import Hunk, Region, render, render_question, split_lines
from assistant.model.checkpoint import Checkpoint
from assistant.model.copying import MOST, Copier
from assistant.model.edits import MOST_REWRITES, Edits
from assistant.model.engine import Engine
from assistant.types import CompareRequest, EngineError, Finish, GenerateRequest, MarkRequest, Part, Rewrite
from tests.assistant.model import oracle, tiny

REGION = Region("a.py", split_lines(tiny.TEXT)[:8])
HISTORY = [Hunk("a.py", "import os\n", "import sys\n")]
PROMPT = render(HISTORY, REGION, cursor=(1, 4))
ASKED = render_question(REGION, range(2, 3))
TEXTS = ("    return items[0] if items else None\n", "    return items\n", "")


def never() -> bool:
    return False


@pytest.fixture
def engine(loaded: Checkpoint) -> Engine:
    return Engine(loaded)


@torch.no_grad()
def rows(loaded: Checkpoint, ids: list[int]) -> torch.Tensor:
    found: torch.Tensor = loaded.transformer()(torch.tensor([ids]))[0]
    return found


def test_each_line_is_marked_as_the_plain_transformer_would(loaded: Checkpoint, engine: Engine) -> None:
    ids, _ = oracle.prompt(PROMPT, loaded.tokenizer, heal=False)
    specials, newline = loaded.tokenizer.specials, loaded.tokenizer.encode("\n")[0]
    begin = ids.index(specials["line"])
    said = rows(loaded, ids)[:, [specials["edit"], specials["no_edit"]]].softmax(-1)[:, 0]
    wanted = [float(said[at]) for at, token in enumerate(ids) if token == newline and at > begin]
    marks = Edits(engine).mark(MarkRequest(PROMPT), never)
    assert marks.chances == pytest.approx(wanted, abs=1e-4)
    assert len(marks.chances) == len(REGION.lines)


def test_a_second_mark_runs_the_region_alone_and_says_the_same(engine: Engine) -> None:
    edits = Edits(engine)
    first, again = edits.mark(MarkRequest(PROMPT), never), edits.mark(MarkRequest(PROMPT), never)
    assert again.chances == pytest.approx(first.chances, abs=1e-4)
    assert again.tokens < first.tokens


def test_a_region_without_lines_has_no_marks(engine: Engine) -> None:
    assert Edits(engine).mark(MarkRequest(render(HISTORY, Region("a.py", ()))), never).chances == ()


def test_texts_are_compared_as_the_plain_transformer_would(loaded: Checkpoint, engine: Engine) -> None:
    tokenizer, specials = loaded.tokenizer, loaded.tokenizer.specials
    found = Edits(engine).compare(CompareRequest(PROMPT, tuple(Rewrite(ASKED, text) for text in TEXTS)), never)
    for text, likelihood in zip(TEXTS, found, strict=True):
        asked, _ = oracle.prompt((*PROMPT, *ASKED), tokenizer, heal=False)
        told = tokenizer.encode(text)
        logprobs = rows(loaded, asked + told).log_softmax(-1)
        wanted = sum(float(logprobs[len(asked) - 1 + at, token]) for at, token in enumerate(told))
        wanted += float(logprobs[-1, [specials["end"], specials["edit"]]].logsumexp(0))
        assert likelihood.logprob == pytest.approx(wanted, abs=2e-3)
        assert likelihood.tokens == len(told) + 1


def test_the_order_of_texts_changes_nothing(engine: Engine) -> None:
    one = tuple(Rewrite(ASKED, text) for text in TEXTS)
    there = Edits(engine).compare(CompareRequest(PROMPT, one), never)
    back = Edits(engine).compare(CompareRequest(PROMPT, one[::-1]), never)
    assert [x.logprob for x in back[::-1]] == pytest.approx([x.logprob for x in there], abs=1e-3)


@pytest.mark.parametrize("parts", [(Part(text="def f"),), ()])
def test_a_prompt_without_lines_is_refused(engine: Engine, parts: tuple[Part, ...]) -> None:
    with pytest.raises(EngineError, match="no lines"):
        Edits(engine).mark(MarkRequest(parts), never)


def test_too_many_texts_are_refused(engine: Engine) -> None:
    many = CompareRequest(PROMPT, (Rewrite(ASKED, "x\n"),) * (MOST_REWRITES + 1))
    with pytest.raises(EngineError, match="most"):
        Edits(engine).compare(many, never)


def test_a_text_over_the_context_is_refused(engine: Engine) -> None:
    with pytest.raises(EngineError, match="context"):
        Edits(engine).compare(CompareRequest(PROMPT, (Rewrite(ASKED, tiny.STRANGE),)), never)


def test_a_cancelled_mark_stops_before_the_next_pass_and_harms_nothing(loaded: Checkpoint) -> None:
    steps = [0]

    def count() -> None:
        steps[0] += 1

    engine = Engine(loaded, count_step=count)
    with pytest.raises(Cancelled):
        Edits(engine).mark(MarkRequest(PROMPT), lambda: steps[0] >= 1)
    assert steps == [1]
    fresh = Edits(Engine(loaded)).mark(MarkRequest(PROMPT), never)
    assert Edits(engine).mark(MarkRequest(PROMPT), never).chances == pytest.approx(fresh.chances, abs=1e-4)


def answer(engine: Engine, draft: str = "", ends: tuple[str, ...] = ()) -> tuple[str, Finish | None]:
    request = GenerateRequest((*PROMPT, *ASKED), 40, heal=False, budget_ms=60_000, ends=ends, draft=draft)
    chunks = list(engine.generate(request))
    return "".join(chunk.text for chunk in chunks), chunks[-1].finish


@pytest.mark.usefixtures("untimed")
def test_a_draft_saves_passes_and_changes_no_text(loaded: Checkpoint) -> None:
    steps = [0]

    def count() -> None:
        steps[0] += 1

    plain = answer(Engine(loaded, count_step=count))
    alone, steps[0] = steps[0], 0
    assert answer(Engine(loaded, count_step=count), draft=plain[0]) == plain
    assert steps[0] < alone - 10  # what a random model writes is not spelled in the tokens it chose
    assert answer(Engine(loaded), draft="nothing like it\n" * 3) == plain


def test_an_answer_ends_at_the_tokens_it_was_told(loaded: Checkpoint) -> None:
    edit = loaded.tokenizer.specials["edit"]
    text, finish = answer(Engine(loaded), ends=("edit",))
    assert answer(Engine(loaded))[0].startswith(text)
    ids = loaded.tokenizer.encode(text)
    asked, _ = oracle.prompt((*PROMPT, *ASKED), loaded.tokenizer, heal=False)
    allowed = oracle.allowed(loaded.tokenizer, b"", loaded.config.vocab_size)
    allowed[edit] = True
    best = rows(loaded, asked + ids)[-1].masked_fill(~allowed, -torch.inf).argmax()
    assert (int(best) in (edit, loaded.tokenizer.specials["end"])) == (finish is Finish.END)


def test_an_unknown_end_is_refused(engine: Engine) -> None:
    with pytest.raises(EngineError, match="no special token called nothing"):
        answer(engine, ends=("nothing",))


def test_a_copier_follows_leaves_and_comes_back() -> None:
    copier = Copier([1, 2, 3, 4, 5, 6, 7])
    assert copier.draft([], 3) == [1, 2, 3]
    assert copier.draft([1, 2], 9) == [3, 4, 5, 6, 7]
    assert copier.draft([1, 2, 90], 9) == []
    assert copier.draft([1, 2, 90, 4], 9) == []
    assert copier.draft([1, 2, 90, 4, 5], 9) == [6, 7]
    assert copier.draft([1, 2, 90, 4, 5, 6, 7], 9) == []
    assert len(Copier(list(range(500))).draft([], 500)) == MOST
    assert Copier([]).draft([3], 4) == []
