"""Dropout that does not wait for its random numbers.

On a CPU torch draws one double for every element, which takes longer than the layers of a small
model. Here one 64-bit number serves four elements, 16 bits each: the probability is exact to
1 / 65536. The numbers are NumPy's SFC64, which is faster than torch's own generator, from which
the seed of every mask comes. The mask stays a number all the way, because torch's CPU kernels that
take booleans are ten times slower than those that multiply. On a GPU torch's own dropout is used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

_BITS = 16
_ELEMENTS_PER_DRAW = 64 // _BITS


def dropout(values: torch.Tensor, probability: float) -> torch.Tensor:
    """Set each element to 0 with ``probability``, scale the others so that the mean stays."""
    if probability == 0:
        return values
    if values.device.type != "cpu":
        return F.dropout(values, probability)
    return _CpuDropout.apply(values, probability)


def draw_mask(shape: torch.Size, probability: float) -> torch.Tensor:
    """1 where an element is kept and 0 where it is dropped, int8, on the CPU."""
    count = shape.numel()
    seed = int(torch.empty((), dtype=torch.int64).random_())
    draws = np.random.SFC64(seed).random_raw(-(-count // _ELEMENTS_PER_DRAW))
    kept = draws.view(np.uint16)[:count] >= _dropped(probability)
    return torch.from_numpy(kept.view(np.int8)).view(shape)


def mask_scale(probability: float) -> float:
    """What the elements that are kept are to be multiplied with, so that the mean stays."""
    return 1 / (1 - _dropped(probability) / (1 << _BITS))


def _dropped(probability: float) -> int:
    """How many of the values of 16 bits mean that an element is dropped: one at least."""
    return max(1, round(probability * (1 << _BITS)))


def _masked(values: torch.Tensor, mask: torch.Tensor, probability: float) -> torch.Tensor:
    return mask.to(values.dtype).mul_(mask_scale(probability)).mul_(values)


class _CpuDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, probability: float) -> torch.Tensor:
        mask = draw_mask(values.shape, probability)
        ctx.save_for_backward(mask)
        ctx.probability = probability
        return _masked(values, mask, probability)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (mask,) = ctx.saved_tensors
        return _masked(gradients[0], mask, ctx.probability), None


class Dropout(nn.Module):
    """:func:`dropout` in training, nothing else."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Drop elements of ``values`` in training."""
        return dropout(values, self.probability) if self.training else values
