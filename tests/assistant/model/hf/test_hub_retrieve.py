"""A prompt that exceeds its window: the lines that the question looks at are found and stand in it, the others do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from assistant.cancel import Cancelled
from assistant.model.hf import retrieve
from assistant.model.hf.engine import HubEngine
from assistant.model.hf.load import load
from assistant.model.hf.retrieve import Asked, Retriever, question
from assistant.types import EngineError, Finish, GenerateRequest, Part, ScoreRequest
from kernels.policies.base import Policy, Problem
from tests.assistant.model.hf import tiny

FAR = "def wanted_line(value): ...\n"
TEXT = FAR + "".join(f"other_{i} = {i}\n" for i in range(150))


@pytest.fixture
def engine(checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> HubEngine:
    """With windows of 200 tokens and a reader whose weights are known: lines that name what is asked for weigh."""
    monkeypatch.setattr(retrieve, "WINDOW", 200)
    monkeypatch.setattr(retrieve, "LEAST", 64)
    it, _ = load(checkpoint("llama"), lambda: None)

    def weights(self: Retriever, ids: Sequence[int], asked: int) -> torch.Tensor:
        text = [it.tokenizer.token_bytes[i] for i in ids[: len(ids) - asked]]
        return torch.tensor([1.0 if b"w" in spelled else 1e-3 for spelled in text])

    monkeypatch.setattr(Retriever, "_weights", weights)
    return it


def prompt(it: HubEngine, text: str, attention: str = "infini_retri", budget_ms: float = 1e9) -> str:
    request = GenerateRequest((Part(text=text, keep="end"),), 4, heal=False, budget_ms=budget_ms, attention=attention)
    return b"".join(it.tokenizer.token_bytes[i] for i in it._prompt(request, 4).ids).decode()


def test_a_line_far_up_stands_in_the_prompt(engine: HubEngine) -> None:
    asked = TEXT + "wanted_line("
    usual = prompt(engine, asked, "dense")
    assert FAR not in usual
    found = prompt(engine, asked)
    assert found.startswith(" " + FAR) or found.startswith(FAR)
    assert found.endswith("other_149 = 149\nwanted_line(")
    assert len(engine.tokenizer.encode(found)) <= engine.context
    lines = found.strip().splitlines()
    assert lines == [line for line in asked.splitlines() if line in lines]  # in the file's order, each once


@pytest.mark.parametrize("budget_ms", [1e9, 0.0], ids=["read", "not yet read"])
def test_the_answer_is_dense_attentions_to_the_lines_that_it_explains(engine: HubEngine, budget_ms: float) -> None:
    retriever = engine.retriever
    assert isinstance(retriever, Retriever)
    with pytest.raises(ValueError, match="nothing was cut yet"):
        retriever.explain()
    text = TEXT + "wanted_line("
    asked = prompt(engine, text, budget_ms=budget_ms)
    kept = retriever.explain()
    assert "".join(kept.lines) == text
    assert asked.strip() == kept.text.strip()
    assert kept.stands[0] is (budget_ms > 0)  # the line that is looked for
    assert not all(kept.stands)

    def say(given: str, attention: str) -> str:
        request = GenerateRequest((Part(text=given, keep="end"),), 8, heal=False, budget_ms=1e9, attention=attention)
        return "".join(chunk.text for chunk in engine.generate(request))

    if budget_ms:
        assert say(text, "infini_retri") == say(kept.text, "dense") != ""


def test_who_had_too_little_time_for_an_answer_does_not_search_the_next_time(
    engine: HubEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed: list[float] = []
    monkeypatch.setattr(Retriever, "begin", lambda self, last, seconds, cancelled: allowed.append(seconds))

    def finish(budget_ms: float) -> Finish | None:
        request = GenerateRequest((Part(text=TEXT, keep="end"),), 2, heal=False, budget_ms=budget_ms, attention="infini_retri")
        return list(engine.generate(request))[-1].finish

    assert [finish(4e6), finish(0.0), finish(4e6), finish(4e6)] == [Finish.LENGTH, Finish.BUDGET, Finish.LENGTH, Finish.LENGTH]
    assert allowed == [2000.0, 0.0, 0.0, 2000.0]


def test_a_text_that_fits_is_read_whole(engine: HubEngine) -> None:
    assert prompt(engine, FAR + "x = 1\n").strip() == (FAR + "x = 1").strip()


def test_the_search_goes_on_from_request_to_request_and_a_growing_word_does_not_begin_it_anew(
    engine: HubEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    now = iter(range(10**6))
    whole = Retriever._read

    def noted(self: Retriever, scan: retrieve.Scan, asked: Sequence[int]) -> None:
        read.append(scan.at)
        whole(self, scan, asked)

    monkeypatch.setattr(Retriever, "_read", noted)
    assert isinstance(engine.retriever, Retriever)
    engine.retriever._clock = lambda: float(next(now))
    texts = [
        prompt(engine, TEXT + word, budget_ms=12_000) for word in ("wan", "want", "wante", "wanted", "wanted_", "wanted_l")
    ]
    assert FAR not in texts[0]
    assert FAR.strip() in texts[-1]
    assert read == sorted(set(read))
    assert len(read) > 2


def test_a_cancel_ends_the_search(checkpoint: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieve, "LEAST", 64)
    it, _ = load(checkpoint("llama"), lambda: None)
    asked = iter([False] * 4 + [True] * 1000)
    request = GenerateRequest((Part(text=TEXT, keep="end"),), 4, heal=False, budget_ms=1e9, attention="infini_retri")
    assert next(it.generate(request, lambda: next(asked))).finish is Finish.CANCELLED
    assert "".join(chunk.text for chunk in it.generate(request))  # real weights: whatever it finds, it answers
    with pytest.raises(Cancelled):
        it.score(ScoreRequest((Part(text="x"),), "y"), lambda: True)


def test_a_checkpoint_whose_attention_is_not_ours_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tiny.Family("MambaConfig", "gpt2", "<|endoftext|>", config={"state_size": 4})
    monkeypatch.setitem(tiny.FAMILIES, "mamba", told)
    it, _ = load(tiny.make(tmp_path, "mamba"), lambda: None)
    with pytest.raises(EngineError, match="can only be dense"):
        prompt(it, TEXT)


def test_rows_that_ask_are_summed_over_heads_and_pieces() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(4, 40, 8), torch.randn(2, 40, 8), torch.randn(2, 40, 8)
    whole, pieces = Asked(first=30), Asked(first=30)
    out = whole.attend(Problem(q, k, v)).out
    for a, b in ((0, 20), (20, 33), (33, 40)):
        pieces.attend(Problem(q[:, a:b], k[:, :b], v[:, :b]))
    torch.testing.assert_close(out, Policy().attend(Problem(q, k, v)).out)
    assert whole.weights is not None
    assert pieces.weights is not None
    torch.testing.assert_close(pieces.weights, whole.weights)
    logits = (q[:, 30:] @ k.repeat_interleave(2, 0).transpose(1, 2) * 8**-0.5).masked_fill(
        torch.arange(40) > torch.arange(30, 40)[:, None], -torch.inf
    )
    weights = torch.softmax(logits, dim=2).sum(dim=0)
    smooth = torch.nn.functional.avg_pool1d(weights[:, None, :30], 8, 1, 4)[:, 0, :30]
    torch.testing.assert_close(whole.weights, (smooth * weights[:, 30:].sum(dim=1, keepdim=True)).sum(dim=0))


def test_the_question_leaves_the_word_out_that_is_being_typed() -> None:
    assert question("a = first(sec") == "a = first("
    assert question("a = first(") == "a = first("
    assert question("") == ""
