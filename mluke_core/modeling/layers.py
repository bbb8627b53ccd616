"""Layers of the model that differ from torch's in small ways.

Linear and embedding layers leave their weights alone:

a model here is either loaded or drawn by :mod:`mluke_core.modeling.initialization`, so torch's own
initialisation would be work thrown away: seconds for a large table, and two more for importing the
compiler when it runs on the meta device.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Linear(nn.Linear):
    """:class:`torch.nn.Linear` with uninitialised weights."""

    def reset_parameters(self) -> None:
        """Nothing: see the module's docstring."""


class Embedding(nn.Embedding):
    """:class:`torch.nn.Embedding` with uninitialised weights."""

    def reset_parameters(self) -> None:
        """Nothing: see the module's docstring."""

    def look_up(self, ids: torch.Tensor, sparse_gradient: bool) -> torch.Tensor:
        """Rows of the table; with a sparse gradient backward writes these rows alone.

        Autograd adds a sparse gradient to a dense one in place, so a table that an output layer
        shares needs no second gradient of its own size.
        """
        return F.embedding(ids, self.weight, sparse=sparse_gradient)


class LayerNorm(nn.LayerNorm):
    """:class:`torch.nn.LayerNorm` whose output has the type of its input, also under autocast.

    Mean and variance are computed in float32 inside the kernel whatever the type.
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Normalise the last dimension."""
        weight: torch.Tensor = self.weight
        bias: torch.Tensor = self.bias
        if values.device.type != "cpu":  # the CPU's kernel takes float32 weights with any input
            weight, bias = weight.to(values.dtype), bias.to(values.dtype)
        with torch.autocast(values.device.type, enabled=False):
            return F.layer_norm(values, self.normalized_shape, weight, bias, self.eps)
