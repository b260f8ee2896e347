"""Load a transformers checkpoint: weights on the device that runs them fastest, and what the engine says of itself.

Knows transformers' loader, devices and number formats. Nothing here reaches the network: transformers is told that there is
none, and code that a checkpoint brings is never run.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.model.checkpoint import TOKENIZER, CheckpointError
from assistant.model.hf import fits, heads, locate, temperature
from assistant.model.hf.engine import SLOTS, HubEngine
from assistant.model.hf.files import CheckpointFiles
from assistant.model.hf.plans import RING, AttentionPlan
from assistant.model.hf.tokenizer import HubTokenizer
from assistant.model.tokenizer import TokenizerError
from assistant.types import EngineError, ModelInfo

if TYPE_CHECKING:
    from assistant.model.hf.runner import HubRunner

log = logging.getLogger("sotto.engine")

SAMPLE = "def first(items):\n    for item in items:\n        return item[0]\n    raise ValueError('nothing')\n"
ON_CPU, ON_GPU = 4096, 16384
"""Tokens of a context at most. Half a billion parameters on one core (bf16) read 450 tokens a second: 4096 take 10 s."""


def load(
    folder: Path, count_step: Callable[[], None], attention: str = "", calibrated: Path | None = None, device: str = "auto"
) -> tuple[HubEngine, ModelInfo]:
    """``calibrated`` is the folder of what `calibrate` found. The caller has set torch's threads and knows how long it took.

    Raises `CheckpointError` for a folder without a model.
    """
    locate.stay_offline()
    import torch

    files = CheckpointFiles(folder)
    device, dtype = _place(torch, files, device)
    context, tight = _context(torch, files, device, dtype.itemsize, attention)
    model = _model(torch, files, device, dtype)
    tokenizer = _tokenizer(files, int(model.get_output_embeddings().weight.shape[0]))
    layers = int(model.config.get_text_config(decoder=True).num_hidden_layers)
    from assistant.model.hf.attention import Attention
    from assistant.model.hf.choose_way import TOKENS, choose_way
    from assistant.model.hf.retrieve import Retriever
    from assistant.model.hf.runner import HubRunner

    identity = files.identity()
    known = heads.read(calibrated, identity)
    ours = Attention()

    def plan(text: str) -> AttentionPlan:
        """Read once for each setting, so what it loses is told once."""
        read = AttentionPlan.read(text, layers, known, str(folder))
        for loss in read.losses:
            log.warning("attention in texts longer than its budget: %s", loss)
        for reason in read.fallbacks:
            log.warning("attention: %s", reason)
        return read

    runner = HubRunner(model, context, ours, plan, tight)
    choose_way(runner, ours, (tokenizer.encode(SAMPLE) * TOKENS)[:TOKENS])
    note = _unfollowed(runner, attention)
    engine = HubEngine(runner, tokenizer, context, layers, count_step=count_step)
    engine.retriever = Retriever(runner, tokenizer.begin, context)
    stop = temperature.read(calibrated, identity)
    engine.heat = stop.value
    if stop.note:
        log.warning("stop: %s", stop.note)
    elif stop.kept:
        log.info("stop: probabilities are those at temperature %.2f", stop.value)
    info = ModelInfo(
        name=folder.name,
        family=files.family,
        parameters=sum(weight.numel() for weight in model.parameters()),
        context=context,
        sha256=identity,
        quantization=str(files.config.get("quantization_config", {}).get("quant_method", "none")),
        threads=torch.get_num_threads(),
        threads_reason="",
        load_ms=0.0,
        specials=tuple(tokenizer.specials),
        runner=f"transformers {device} {str(dtype).rpartition('.')[2]}",
        layout=tokenizer.layout,
        chat=tokenizer.chats,
        note="; ".join(filter(None, (note, stop.note))),
    )
    return engine, info


def _unfollowed(runner: HubRunner, attention: str) -> str:
    """Make the setting what is usual. Where this model cannot follow it, it is dense; returns why, for the user."""
    try:
        runner.prefer(attention)
    except EngineError as error:
        note = f"{error}; so it is dense"
        log.warning("attention: %s", note)
        return note
    return ""


def _place(torch: Any, files: CheckpointFiles, wanted: str) -> tuple[str, Any]:
    """The device, and the format of the weights: 16 bits where the processor multiplies them, else 32."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise CheckpointError("torch sees no GPU here; leave --device out, or install a build of torch with CUDA")
    if wanted != "cpu" and torch.cuda.is_available():
        return "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    stored = str(files.text_config("dtype") or files.text_config("torch_dtype") or "float32")
    fast = bool(torch.cpu._is_avx512_bf16_supported())
    return "cpu", torch.bfloat16 if fast and stored.endswith("16") else torch.float32


def _context(torch: Any, files: CheckpointFiles, device: str, float_size: int, attention: str) -> tuple[int, bool]:
    """Tokens of a context: what the model was made for, what is worth the wait, and what memory holds; whether it is tight.

    Where memory is, a sink and a window hold all the same: they take as much for any context.
    """
    most = ON_GPU if device == "cuda" else ON_CPU
    wanted = min(files.longest() or most, most)
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else fits.free_memory()
    weights = fits.weight_bytes(files.weights(), float_size)
    token = fits.kv_bytes(files, float_size)
    held = fits.context_that_fits(files.folder.name, weights, token, wanted, SLOTS, free)
    tight = held < wanted and attention == RING
    return (wanted if tight else held), tight


def _model(torch: Any, files: CheckpointFiles, device: str, dtype: Any) -> Any:
    from transformers import AutoModelForCausalLM

    loader: Any = AutoModelForCausalLM
    try:
        with _quietly():
            model, told = loader.from_pretrained(
                str(files.folder),
                dtype=dtype,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
    except Exception as error:  # whatever a model class raises about its own files
        first = " ".join(str(error).split())[:300]
        raise CheckpointError(f"transformers cannot load {files.folder}: {first}") from error
    _check(files.folder, model, told)
    return model.to(torch.device(device)).eval().requires_grad_(False)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """transformers draws on stderr, which is a log here, how far it is, and reports what `_check` says in one sentence."""
    from transformers.utils import logging as theirs

    theirs.set_verbosity_error()  # type: ignore[no-untyped-call]
    drawn = theirs.is_progress_bar_enabled()
    theirs.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if drawn:
            theirs.enable_progress_bar()  # type: ignore[no-untyped-call]


def _check(folder: Path, model: Any, told: dict[str, Any]) -> None:
    """transformers fills what is missing or of another shape with random numbers. Raises `CheckpointError` instead."""
    whole = f"config.json and the weights of {folder} do not belong together"
    for name, theirs, ours in sorted(told["mismatched_keys"]):
        raise CheckpointError(f"{whole}: {name} is {list(theirs)}, not {list(ours)}; download the checkpoint again")
    missing = sorted(told["missing_keys"] & {name for name, _ in model.named_parameters()})
    if missing:
        more = f" and {len(missing) - 1} more weights" if len(missing) > 1 else ""
        raise CheckpointError(f"{whole}: there is no {missing[0]}{more}; download the checkpoint again")


def _tokenizer(files: CheckpointFiles, vocab_size: int) -> HubTokenizer:
    try:
        return HubTokenizer(files, vocab_size)
    except TokenizerError as error:
        raise CheckpointError(f"{files.folder / TOKENIZER} is no tokenizer for this model: {error}") from error
