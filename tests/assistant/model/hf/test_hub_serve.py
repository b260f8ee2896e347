"""A checkpoint of another kind behind the engine process: the same client, the same requests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.cancel import Cancel
from assistant.completion.context import Site
from assistant.completion.prompt import fim
from assistant.types import CompareRequest, EngineError, GenerateRequest, Part, Rewrite, ScoreRequest
from lsp_server.engine import EngineClient
from lsp_server.engine_pipe import ENGINES_WORDS
from lsp_server.paths import model_place
from tests.assistant.model.hf import tiny

READY_S = 120.0


async def test_the_engine_process_runs_a_transformers_checkpoint(
    checkpoint: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    """With a setting that it cannot follow: that is news, and said in the log; everything else is as without."""
    news: list[tuple[str, str]] = []
    caplog.set_level(logging.INFO, ENGINES_WORDS)
    client = EngineClient(str(checkpoint("qwen2")), 1, lambda kind, text: news.append((kind, text)), attention="razor,0=dense")
    await client.start()
    try:
        info = await client.wait_ready(READY_S)
        assert [kind for kind, _ in news if kind != "loading"] == ["note", "ready"]
        assert dict(news)["note"] == info.note != ""
        assert any("WARNING attention: `attention` is razor" in record.getMessage() for record in caplog.records)
        assert (info.family, info.layout, info.chat, info.context) == ("qwen2", "psm_files", True, 512)
        assert info.runner.startswith("transformers ")
        at = tiny.TEXT.index("return items")
        site = Site(tiny.TEXT, at, "python", "a.py", tiny.TEXT[:at], tiny.TEXT[at:], 0, len(tiny.TEXT), "    ")
        before = client.steps
        answers = [await client.write(GenerateRequest(fim(info.layout, site), 6, budget_ms=60_000), Cancel()) for _ in "ab"]
        assert client.steps > before
        assert answers[0].text == answers[1].text != ""
        assert answers[1].reused_tokens == answers[1].prompt_tokens - 1  # all but the last, whose logits are wanted
        talk = GenerateRequest((), 6, budget_ms=60_000, chat=(("user", "hello"),))
        assert (await client.write(talk, Cancel())).text
        assert (await client.score(ScoreRequest((Part(text="import "),), "os\n"))).bits > 0
        rewrites = (Rewrite((), "1\n"), Rewrite((), "first\n"))
        assert len(await client.compare(CompareRequest((Part(text="a = "),), rewrites), Cancel())) == 2
    finally:
        await client.close()


def test_a_model_is_named_by_its_folder_or_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "coder").mkdir(parents=True)
    assert model_place("") == ""
    assert model_place("mine/coder") == str(tmp_path / "mine" / "coder")
    assert model_place("Qwen/Qwen2.5-Coder-0.5B") == "Qwen/Qwen2.5-Coder-0.5B"
    assert model_place("./not/there") == str(tmp_path / "not" / "there")


async def test_a_folder_without_a_model_fails_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    client = EngineClient(str(tmp_path), threads=1)
    await client.start()
    try:
        with pytest.raises(EngineError, match=r"lacks model\.safetensors"):
            await client.wait_ready(READY_S)
    finally:
        await client.close()
