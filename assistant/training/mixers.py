"""`python -m assistant.training.mixers`: does each mixer of `kernels.mixers` learn, in the default model's shape at toy size?

Every one replaces the attention of a two-layer byte model and reads the same bytes of the standard library in the same order.
Beside them stand softmax attention and a model whose tokens never see each other. Prints one JSON line a mixer; knows no plot.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assistant.model.config import PRESETS, ModelConfig
from assistant.model.transformer import Attend, Block, Transformer, rotate
from assistant.training.pretrain import initialise
from assistant.training.sources import standard_library
from kernels.mixers import (
    agent,
    based,
    dense,
    dynamic_mask,
    flow,
    inline,
    lightning,
    positional,
    rat,
    ring,
    routing,
    s4d,
    shifted,
    sinks,
    softplus,
)

CHUNK, GROUP, WIDTH, CENTROIDS, FEATURES, STATES = 16, 64, 32, 8, 16, 16
WISHED = 128
"""Keys that Dynamic Mask Attention keeps of up to 256. A key is chosen without the query: of 32 the byte just before is rarely
one, and the model learns an eighth of what attention does."""
LENGTH, BATCH, RATE = 256, 8, 3e-3
TEST_ROWS = 64
CONFIG: ModelConfig = replace(PRESETS["tiny"], vocab_size=256, n_layers=2, context=LENGTH, exits=())

Heads = Callable[["Mixing", Tensor, Tensor, Tensor, Tensor], Tensor]
"""(module with the parameters, q, k, v [B H, T, d], x [B, T, D]) -> [B H, T, d]."""


class Mixing(nn.Module):
    """What attention's place in a block holds instead: projections, a mixer's own parameters, and the mixer between them."""

    def __init__(self, config: ModelConfig, name: str, layer: int) -> None:
        super().__init__()
        self.heads, self.size, self.layer = config.n_heads, config.head_dim, layer
        self.name, self.mixer = name, MIXERS[name]
        self.qkv = nn.Linear(config.d_model, 3 * self.heads * self.size, bias=False)
        self.out = nn.Linear(self.heads * self.size, config.d_model, bias=False)
        self.own = nn.ParameterDict(PARAMETERS.get(name, dict)())

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, attend: Attend) -> Tensor:
        q, k, v = self.qkv(x).reshape(*x.shape[:2], 3, self.heads, self.size).permute(2, 0, 3, 1, 4)
        if self.name not in WITHOUT_ROPE:
            q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        mixed = self.mixer(self, q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), x).reshape(q.shape)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def each(self, name: str, q: Tensor) -> Tensor:
        """A parameter of the heads, repeated for the rows of the batch."""
        own: Tensor = self.own[name]
        return own.repeat(q.shape[0] // self.heads, *[1] * (own.dim() - 1))


def _drawn(*shape: int, scale: float = 1.0) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))) * scale)


_H, _D = CONFIG.n_heads, CONFIG.head_dim
PARAMETERS: dict[str, Callable[[], dict[str, nn.Parameter]]] = {
    "rat": lambda: {
        "gate": _drawn(CONFIG.d_model, _H * _D, scale=0.02),
        "offset": nn.Parameter(torch.log(torch.rand(_H * _D) * (CHUNK - 1) + 1)),
    },
    "dynamic_mask": lambda: {
        "wish": _drawn(_H, _D, scale=0.1),
        "offset": nn.Parameter(torch.zeros(_H)),
        "amplitude": nn.Parameter(torch.ones(_H)),
    },
    "routing": lambda: {"centroids": _drawn(_H, CENTROIDS, _D)},
    "inline": lambda: {"near": nn.Parameter(torch.zeros(_H, inline.NEAR))},
    "key_bias": lambda: {"key": _drawn(_H, _D, scale=0.1)},
    "positional": lambda: {name: _drawn(_H, _D, _D, scale=_D**-0.5) for name in ("query_map", "key_map")},
    "s4d": lambda: {
        **dict(zip(("log_decay", "angle"), map(nn.Parameter, s4d.linear_poles(_D, STATES)), strict=True)),
        "read": _drawn(_D, STATES, 2),
        "log_dt": nn.Parameter(torch.linspace(-5, -1, _D)),
        "skip": nn.Parameter(torch.ones(_D)),
    },
}
WITHOUT_ROPE = {"lightning", "rat", "positional", "s4d", "none", "flow", "inline"}


def _lightning(own: Mixing, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
    decay = lightning.slopes(own.heads, own.layer, CONFIG.n_layers).repeat(len(x))
    out, _ = lightning.mix(F.silu(q), F.silu(k), v, decay)
    return F.rms_norm(out, out.shape[-1:])


def _rat(own: Mixing, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
    gate = torch.sigmoid(x @ own.own["gate"] + own.own["offset"])
    return rat.mix(q, k, v, gate.reshape(*x.shape[:2], own.heads, -1).transpose(1, 2).flatten(0, 1), CHUNK)


def _dynamic_mask(own: Mixing, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
    bias = dynamic_mask.wish(v, own.each("wish", q), own.each("offset", q), own.each("amplitude", q))
    return dynamic_mask.mix(q, k, v, bias, WISHED)


def _routing(own: Mixing, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
    """Centroids follow the keys they are given (moving average), as in k-means; no gradient reaches them."""
    centroids = own.each("centroids", q)
    clusters = routing.assign(k.detach(), centroids)
    if own.training:
        with torch.no_grad():
            given = F.one_hot(clusters, CENTROIDS).to(k.dtype).transpose(1, 2) @ F.normalize(k, dim=-1)
            mean = F.normalize(given.reshape(-1, own.heads, *given.shape[1:]).sum(dim=0), dim=-1)
            own.own["centroids"].lerp_(mean, 0.02)
    return routing.mix(q, k, v, clusters, WIDTH, CENTROIDS)


def _s4d(own: Mixing, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
    p = own.own
    system = s4d.System(p["log_dt"], p["log_decay"], p["angle"], torch.view_as_complex(p["read"]), p["skip"])
    return F.silu(q) * s4d.mix(v, system)  # gated, so that what is kept can be chosen by the token


def _shifted(own: Mixing, q: Tensor, k: Tensor, v: Tensor, x: Tensor) -> Tensor:
    """The mixer splits its heads in two halves: those of all rows of the batch are put together first."""
    order = torch.arange(q.shape[0]).reshape(-1, own.heads).t().flatten()
    mixed = shifted.mix(q[order], k[order], v[order], GROUP, 4)
    return mixed[order.argsort()]


MIXERS: dict[str, Heads] = {
    "dense": lambda own, q, k, v, x: dense.attention(q, k, v),
    "none": lambda own, q, k, v, x: v,
    "lightning": _lightning,
    "based": lambda own, q, k, v, x: based.mix(q[..., :FEATURES], k[..., :FEATURES], v)[0],
    "rat": _rat,
    "dynamic_mask": _dynamic_mask,
    "routing": _routing,
    "agent": lambda own, q, k, v, x: agent.mix(q, k, v, CHUNK),
    "inline": lambda own, q, k, v, x: inline.mix(q, k, v, own.each("near", q)),
    "flow": lambda own, q, k, v, x: flow.mix(q, k, v),
    "softplus": lambda own, q, k, v, x: softplus.mix(q, k, v),
    "key_bias": lambda own, q, k, v, x: sinks.key_bias(q, k, v, own.each("key", q)),
    "sigmoid": lambda own, q, k, v, x: sinks.sigmoid(q, k, v),
    "s4d": _s4d,
    "shifted": _shifted,
    "positional": lambda own, q, k, v, x: positional.mix(v, own.own["query_map"], own.own["key_map"]),
    "ring": lambda own, q, k, v, x: ring.mix(q, k, v, 4),
}


def model(name: str, seed: int = 1) -> Transformer:
    """The toy with the mixer called ``name`` in every block; all of them share the other weights."""
    made = Transformer(CONFIG)
    initialise(made, seed)
    for layer, block in enumerate(made.blocks):
        assert isinstance(block, Block)
        mixing = Mixing(CONFIG, name, layer)
        with torch.no_grad():
            mixing.qkv.weight.normal_(std=CONFIG.d_model**-0.5, generator=torch.Generator().manual_seed(seed + layer))
            mixing.out.weight.zero_()
        block.attention = mixing  # type: ignore[assignment]
    return made


def text() -> Tensor:
    """Bytes of the standard library's files, in a fixed random order."""
    files = sorted(standard_library(), key=lambda file: file.path)
    random.Random(0).shuffle(files)
    joined = b"\n".join(file.data for file in files[:400])
    return torch.frombuffer(bytearray(joined), dtype=torch.uint8)


def rows(held: Tensor, count: int, seed: int) -> Tensor:
    """``count`` stretches of ``LENGTH`` + 1 bytes, int64."""
    starts = torch.randint(len(held) - LENGTH - 1, (count,), generator=torch.Generator().manual_seed(seed))
    return torch.stack([held[a : a + LENGTH + 1] for a in starts.tolist()]).long()


def learn(name: str, held: Tensor, steps: int) -> Iterator[tuple[int, float]]:
    """Train on the first nine tenths; yields (step, bits a byte of rows from the last tenth), ten times and at the end."""
    cut = len(held) * 9 // 10
    test = rows(held[cut:], TEST_ROWS, 0)
    made = model(name)
    optimizer = torch.optim.AdamW(made.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.0)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * min(1.0, (step + 1) / 20, (steps - step) / (0.3 * steps))
        if step % max(1, steps // 10) == 0:
            yield step, _bits(made, test)
        optimizer.zero_grad()
        _loss(made, rows(held[:cut], BATCH, step + 1)).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(made.parameters(), 1.0)
        optimizer.step()
    yield steps, _bits(made, test)


def _loss(made: Transformer, given: Tensor) -> Tensor:
    return F.cross_entropy(made(given[:, :-1]).flatten(0, 1), given[:, 1:].flatten())


@torch.no_grad()
def _bits(made: Transformer, test: Tensor) -> float:
    made.eval()
    nats = float(_loss(made, test))
    made.train()
    return nats / 0.6931471805599453


def main(arguments: Sequence[str] | None = None) -> int:
    """One JSON line a mixer: name, curve [[step, bits a byte]], cpu_s."""
    parser = argparse.ArgumentParser("assistant.training.mixers", description="Train each mixer at toy size.")
    parser.add_argument("names", nargs="*", metavar="MIXER", help=f"of {', '.join(MIXERS)}; default: all")
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    unknown = set(options.names) - set(MIXERS)
    if unknown:
        parser.error(f"no mixer is called {', '.join(sorted(unknown))}")
    held = text()
    for name in options.names or MIXERS:
        began = time.process_time()
        curve = [[step, round(bits, 4)] for step, bits in learn(name, held, options.steps)]
        sys.stdout.write(json.dumps({"mixer": name, "curve": curve, "cpu_s": round(time.process_time() - began, 1)}) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
