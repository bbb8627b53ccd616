"""The head that all tasks use: dropout and a linear layer."""

from __future__ import annotations

from torch import nn

# Standard deviation of fresh weights, as everywhere in BERT and its kin.
INITIALIZER_RANGE = 0.02


def linear_head(inputs: int, outputs: int, dropout: float) -> nn.Module:
    """Dropout, then a linear layer with weights N(0, 0.02) and no initial bias."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=INITIALIZER_RANGE)
    nn.init.zeros_(layer.bias)
    return nn.Sequential(nn.Dropout(dropout), layer)
