"""Layers of the model that differ from torch's in small ways.

Linear and embedding layers leave their weights alone:

a model here is either loaded or drawn by :mod:`mluke_core.modeling.initialization`, so torch's own
initialisation would be work thrown away: seconds for a large table, and two more for importing the
compiler when it runs on the meta device.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class Linear(nn.Linear):
    """:class:`torch.nn.Linear` with uninitialised weights."""

    def reset_parameters(self) -> None:
        """Nothing: see the module's docstring."""


class Embedding(nn.Embedding):
    """:class:`torch.nn.Embedding` with uninitialised weights."""

    on_gradient: Callable[[torch.Tensor, torch.Tensor], None] | None = None
    """Of a frozen table: is told the ids and the gradient of the rows of every look-up."""

    def reset_parameters(self) -> None:
        """Nothing: see the module's docstring."""

    def look_up(self, ids: torch.Tensor, sparse_gradient: bool) -> torch.Tensor:
        """Rows of the table; with a sparse gradient backward writes these rows alone.

        Autograd adds a sparse gradient to a dense one in place, so a table that an output layer
        shares needs no second gradient of its own size.
        """
        rows = F.embedding(ids, self.weight, sparse=sparse_gradient)
        if self.on_gradient is not None and torch.is_grad_enabled():
            rows.requires_grad_().register_hook(partial(self.on_gradient, ids))
        return rows


class LayerNorm(nn.LayerNorm):
    """:class:`torch.nn.LayerNorm` whose output has the type of its input, also under autocast.

    Mean, variance and the gradients of weight and bias are sums in float32 whatever the type.
    """

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Normalise the last dimension."""
        weight: torch.Tensor = self.weight
        bias: torch.Tensor = self.bias
        with torch.autocast(values.device.type, enabled=False):
            if values.device.type != "cpu":
                weight, bias = weight.to(values.dtype), bias.to(values.dtype)
            elif values.dtype == torch.bfloat16:
                return _NormOfBf16.apply(values, weight, bias, self.eps)
            return F.layer_norm(values, self.normalized_shape, weight, bias, self.eps)


# Rows that backward widens to float32 at once: they stay in the cache.
_SLICE = 256


class _NormOfBf16(torch.autograd.Function):
    """Normalise bf16 rows on a CPU with float32 weights.

    torch's own backward sums the gradients of weight and bias in bf16 there, which loses small
    terms to a large sum (tests/unit/test_heads.py).
    """

    @staticmethod
    def forward(
        ctx: Any, values: torch.Tensor, weight_H: torch.Tensor, bias_H: torch.Tensor, eps: float
    ) -> torch.Tensor:
        output, mean, deviation = torch.native_layer_norm(
            values, weight_H.shape, weight_H, bias_H, eps
        )
        ctx.save_for_backward(values, mean, deviation, weight_H, bias_H)
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        values, mean, deviation, weight_H, bias_H = ctx.saved_tensors
        output_gradient = gradients[0].reshape(-1, len(weight_H))
        statistics = mean.view(-1, 1), deviation.view(-1, 1)
        values_gradient = torch.empty_like(values, memory_format=torch.contiguous_format)
        weight_gradient_H, bias_gradient_H = torch.zeros_like(weight_H), torch.zeros_like(bias_H)
        rows = zip(
            *(
                tensor.split(_SLICE)
                for tensor in (
                    output_gradient,
                    values.reshape(-1, len(weight_H)),
                    *statistics,
                    values_gradient.view(-1, len(weight_H)),
                )
            ),
            strict=True,
        )
        for above, below, slice_mean, slice_deviation, target in rows:
            part, weight_part_H, bias_part_H = torch.ops.aten.native_layer_norm_backward(
                above.float(),
                below.float(),
                weight_H.shape,
                slice_mean.float(),
                slice_deviation.float(),
                weight_H,
                bias_H,
                [True, True, True],
            )
            target.copy_(part)
            weight_gradient_H += weight_part_H
            bias_gradient_H += bias_part_H
        return values_gradient, weight_gradient_H, bias_gradient_H, None
