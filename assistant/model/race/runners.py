"""Who runs: our engine, llama.cpp, transformers' `generate`, behind one small interface of token ids and seconds.

Knows the three programs. Does not know what is compared with what.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch

from assistant.model import fused
from assistant.model.devices import gpu_runner
from assistant.model.export import optional
from assistant.model.race.shapes import Entry
from assistant.model.runner import Runner
from assistant.model.running import Running
from assistant.model.sampling import Sampler

CHUNK = 64


class Racer(Protocol):
    """``name`` says what it is, weights' type and threads included."""

    name: str

    def first(self, ids: Sequence[int]) -> float:
        """Seconds from an empty cache to the first new token: the prefill."""

    def more(self, count: int) -> float:
        """Seconds for ``count`` further tokens, one by one, greedy."""

    def settle(self, ids: Sequence[int]) -> None:
        """Have the cache hold ``ids``, where one is kept between calls."""

    def typed(self, ids: Sequence[int], count: int) -> float:
        """Seconds to ``count`` tokens after ``ids``, most of which the cache holds from the call before."""

    def close(self) -> None:
        """Give back what it holds."""


def runner_of(entry: Entry, threads: int, device: str) -> tuple[Running, str]:
    """What computes our passes, and what it is called. Raises `EngineError` for a GPU that is not there."""
    if (on_gpu := gpu_runner(entry.source, device)) is not None:
        return on_gpu, "bf16, CUDA graphs"
    many = f"{threads} thread{'s' * (threads > 1)}"
    if (compiled := fused.load(entry.source, wait=True, threads=threads)) is not None:
        return compiled, f"int8, fused, {many}"
    return Runner(entry.source.config, entry.source.tensors()), f"fp32, torch, {many}"


class Ours:
    """The runner and the sampler of our engine, without its caches and drafts: plain greedy decoding."""

    def __init__(self, entry: Entry, threads: int, device: str = "cpu") -> None:
        self._runner, kind = runner_of(entry, threads, device)
        self.name = f"sotto, {kind}"
        torch.set_num_threads(threads)
        self._slot = self._runner.context()
        self._sampler = Sampler()
        self._last = 0

    def first(self, ids: Sequence[int]) -> float:
        self._slot.truncate(0)
        return self._run(ids)

    def more(self, count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            self._step([self._last])
        return time.perf_counter() - started

    def settle(self, ids: Sequence[int]) -> None:
        self.typed(ids, 1)

    def typed(self, ids: Sequence[int], count: int) -> float:
        shared = next((i for i, (a, b) in enumerate(zip(self._slot.ids, ids, strict=False)) if a != b), len(ids) - 1)
        self._slot.truncate(min(shared, len(ids) - 1))
        return self._run(ids[self._slot.length :]) + self.more(count - 1)

    def close(self) -> None:
        pass

    def _run(self, ids: Sequence[int]) -> float:
        started = time.perf_counter()
        for at in range(0, len(ids), CHUNK):
            self._step(ids[at : at + CHUNK])
        return time.perf_counter() - started

    def _step(self, ids: Sequence[int]) -> None:
        logits = self._runner.logits(ids, self._slot, _never)
        self._slot.advance(ids)
        self._last = self._sampler.choose(logits[-1])[0]


class LlamaCpp:
    """llama-cpp-python as its users have it: weights of the entry's type, fp16 keys and values, the prompt's prefix reused."""

    def __init__(self, entry: Entry, threads: int, device: str = "cpu") -> None:
        library = optional.load("llama_cpp")
        self.name = f"llama.cpp, {entry.gguf_type}, {threads} thread{'s' * (threads > 1)}"
        context = entry.source.config.context
        spare = library.llama_cpp.llama_model_default_params
        if not _repacks(str(entry.gguf)):
            library.llama_cpp.llama_model_default_params = _without_repacking(spare)
            self.name += ", not repacked"
        try:
            self._llama = library.Llama(
                str(entry.gguf), n_ctx=context, n_batch=512, n_threads=threads, n_threads_batch=threads, verbose=False,
                n_gpu_layers=-1 if device == "cuda" else 0,
            )  # fmt: skip
        finally:
            library.llama_cpp.llama_model_default_params = spare
        self._tokens: Any = iter(())

    def first(self, ids: Sequence[int]) -> float:
        self._llama.reset()
        self._llama._ctx.kv_cache_clear()
        return self._begin(ids)

    def more(self, count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            next(self._tokens)
        return time.perf_counter() - started

    def settle(self, ids: Sequence[int]) -> None:
        self.typed(ids, 1)

    def typed(self, ids: Sequence[int], count: int) -> float:
        return self._begin(ids) + self.more(count - 1)

    def close(self) -> None:
        self._llama.close()

    def _begin(self, ids: Sequence[int]) -> float:
        started = time.perf_counter()
        self._tokens = self._llama.generate(list(ids), temp=0.0, repeat_penalty=1.0)
        next(self._tokens)
        return time.perf_counter() - started


class Transformers:
    """transformers' `generate`, fp32, its own cache within a call. Between calls it keeps nothing, which is how it is used."""

    def __init__(self, entry: Entry, threads: int, device: str = "cpu") -> None:
        library = optional.load("transformers")
        library.utils.logging.disable_progress_bar()
        torch.set_num_threads(threads)
        self._model = library.AutoModelForCausalLM.from_pretrained(str(entry.transformers), local_files_only=True).eval()
        self.name, self._device = f"transformers, fp32, {threads} thread{'s' * (threads > 1)}", device
        if device == "cuda":
            self._model, self.name = self._model.to("cuda", torch.bfloat16), "transformers, bf16, GPU"
        self._threads = threads
        self._ids: list[int] = []
        self._first = 0.0

    def first(self, ids: Sequence[int]) -> float:
        self._ids = list(ids)
        self._first = self._generate(self._ids, 1)
        return self._first

    def more(self, count: int) -> float:
        """One longer call, less what the prompt took in the call before."""
        return max(1e-6, self._generate(self._ids, 1 + count) - self._first)

    def settle(self, ids: Sequence[int]) -> None:
        pass

    def typed(self, ids: Sequence[int], count: int) -> float:
        return self._generate(list(ids), count)

    def close(self) -> None:
        del self._model

    def _generate(self, ids: list[int], count: int) -> float:
        torch.set_num_threads(self._threads)
        tokens = torch.tensor([ids], device=self._device)
        started = time.perf_counter()
        with torch.inference_mode():
            self._model.generate(
                tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=count, min_new_tokens=count, do_sample=False
            )
        return time.perf_counter() - started


RACERS: dict[str, Callable[[Entry, int, str], Racer]] = {"llamacpp": LlamaCpp, "transformers": Transformers}


_PROBE = """
import sys, llama_cpp
next(llama_cpp.Llama(sys.argv[1], n_ctx=128, n_threads=1, verbose=False).generate(list(range(300, 364)), temp=0.0))
"""


@lru_cache
def _repacks(path: str) -> bool:
    """Whether llama.cpp survives its own rearrangement of these weights, tried in a process of its own.

    Version 0.3.36 of the binding ends in a segmentation fault on Q8_0 weights in batches on a CPU with AMX; without its extra
    buffer types it runs there.
    """
    found = subprocess.run([sys.executable, "-c", _PROBE, path], capture_output=True, check=False, timeout=120)
    return found.returncode == 0


def _without_repacking(make: Any) -> Any:
    def made() -> Any:
        parameters = make()
        parameters.use_extra_bufts = False
        return parameters

    return made


def _never() -> bool:
    return False


def cores() -> int:
    """Logical CPUs that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def median(values: Sequence[float]) -> float:
    return float(np.median(values))
