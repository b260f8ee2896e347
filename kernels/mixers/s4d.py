"""S4D (arXiv 2206.11893, sections 3 and 4): a diagonal state space for each channel, no queries and no keys.

h_t = exp(dt A) h_{t-1} + B_t x_t and y_t = 2 Re(C h_t) + D x_t with N complex states a channel. As a convolution by FFT for
whole sequences, as a recurrence for one token; in Triton on a GPU where no gradient is wanted, in torch elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kernels import dispatch
from kernels.linear import reference

ON_TRITON = 64
"""States up to which the matrices of a channel fit a GPU's shared memory (86 KB of float32; the smallest have 99)."""


@dataclass(frozen=True)
class System:
    """log_dt and skip [C]; log_decay and angle [C, N], the poles -exp(log_decay) + i angle; read complex [C, N]."""

    log_dt: Tensor
    log_decay: Tensor
    angle: Tensor
    read: Tensor
    skip: Tensor

    def poles(self) -> Tensor:
        """A, complex [C, N]."""
        return torch.complex(-torch.exp(self.log_decay), self.angle)

    def rates(self) -> Tensor:
        """dt A, complex [C, N]."""
        return self.poles() * torch.exp(self.log_dt)[:, None]

    def discrete(self) -> tuple[Tensor, Tensor]:
        """exp(dt A) and C (exp(dt A) - 1) / A (zero-order hold), complex [C, N]."""
        turned = torch.exp(self.rates())
        return turned, self.read * (turned - 1) / self.poles()

    def on_triton(self, *given: Tensor) -> bool:
        """Whether Triton takes this system and what is given to it."""
        own = (self.log_dt, self.log_decay, self.angle, self.read, self.skip)
        return self.angle.shape[1] <= ON_TRITON and dispatch.on_triton(*given, *own)


def linear_poles(channels: int, states: int) -> tuple[Tensor, Tensor]:
    """S4D-Lin: decay 1/2, angles pi n. As log_decay and angle [C, N]."""
    angle = (math.pi * torch.arange(states)).expand(channels, -1).contiguous()
    return torch.full((channels, states), math.log(0.5)), angle


def mix(x: Tensor, system: System) -> Tensor:
    """x [B, T, C] -> [B, T, C], through the Fourier transform of twice the length so that nothing wraps round."""
    if system.on_triton(x):
        from kernels.mixers import s4d_gpu

        return s4d_gpu.mix(x, system)
    steps, wide = x.shape[1], x.to(torch.promote_types(x.dtype, torch.float32))  # half precision has no such transform
    _, weights = system.discrete()
    powers = torch.exp(system.rates()[..., None] * torch.arange(steps, device=x.device))
    kernel = 2 * torch.einsum("cn,cnt->tc", weights, powers).real.to(wide.dtype)
    spectrum = torch.fft.rfft(wide, 2 * steps, dim=1) * torch.fft.rfft(kernel, 2 * steps, dim=0)
    out: Tensor = torch.fft.irfft(spectrum, 2 * steps, dim=1)[:, :steps] + system.skip * wide
    return out.to(x.dtype)


def loop(x: Tensor, system: System) -> Tensor:
    """The same by the recurrence, token by token."""
    turned, weights = system.discrete()
    flat = x[..., None].to(turned.dtype).expand(-1, -1, -1, turned.shape[1]).flatten(2)
    states = reference.scan(flat, turned.flatten().expand_as(flat)).reshape(*x.shape, -1)
    return (2 * (states * weights).sum(dim=-1).real + system.skip * x).to(x.dtype)


def step(x: Tensor, system: System, state: Tensor) -> tuple[Tensor, Tensor]:
    """One token: x [B, C], state complex [B, C, N]."""
    if system.on_triton(x, state):
        from kernels.mixers import s4d_gpu

        return s4d_gpu.step(x, system, state)
    turned, weights = system.discrete()
    state = turned * state + x[..., None]
    return (2 * (state * weights).sum(dim=-1).real + system.skip * x).to(x.dtype), state
