"""The head that all tasks use: dropout and a linear layer."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

# Standard deviation of fresh weights, as everywhere in BERT and its kin.
INITIALIZER_RANGE = 0.02


def linear_head(inputs: int, outputs: int, dropout: float) -> nn.Module:
    """Dropout, then a linear layer with weights N(0, 0.02) and no initial bias."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=INITIALIZER_RANGE)
    nn.init.zeros_(layer.bias)
    return nn.Sequential(nn.Dropout(dropout), layer)


@torch.no_grad()
def start_at_prior(head: nn.Module, counts: NDArray[np.int64]) -> None:
    """Set the bias of a head to the log frequencies of the labels (each counted once more).

    99 % of candidate spans carry no label. A head without bias first learns just that, and in a
    small or fresh encoder the gradient of it wipes out what the inputs say: runs that stood at
    "no label" for hundreds of steps learn within 25 when they start from the frequencies.
    """
    assert isinstance(head, nn.Sequential)
    layer = head[-1]
    assert isinstance(layer, nn.Linear)
    frequencies = (counts + 1.0) / (counts + 1.0).sum()
    layer.bias.copy_(torch.from_numpy(np.log(frequencies)))
