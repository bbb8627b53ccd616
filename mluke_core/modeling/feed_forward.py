"""The feed-forward network of a layer, which keeps one wide tensor for backward instead of two.

Autograd would keep what goes into the activation and what comes out of it, each four times as wide
as the hidden states: most of what a layer keeps. The activation is cheap, so backward computes it
again.

Shapes: L rows, H hidden size, I intermediate size.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F


def gelu_linear(
    values_LI: torch.Tensor, weight_HI: torch.Tensor, bias_H: torch.Tensor
) -> torch.Tensor:
    """``linear(gelu(values), weight, bias)``, L x H, in the type of ``values``.

    >>> values, weight = torch.ones(1, 2), torch.eye(2)
    >>> torch.equal(gelu_linear(values, weight, torch.zeros(2)), F.gelu(values))
    True
    """
    with torch.autocast(values_LI.device.type, enabled=False):
        result: torch.Tensor = _GeluLinear.apply(values_LI, weight_HI, bias_H)
    return result


class _GeluLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values_LI: torch.Tensor, weight_HI: torch.Tensor, bias_H: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(values_LI, weight_HI)
        dtype = values_LI.dtype
        return F.linear(F.gelu(values_LI), weight_HI.to(dtype), bias_H.to(dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        values_LI, weight_HI = ctx.saved_tensors
        gradient_LH = gradients[0]
        needs_values, needs_weight, needs_bias = ctx.needs_input_grad
        values_gradient = weight_gradient = bias_gradient = None
        if needs_weight:
            weight_gradient = (gradient_LH.t() @ F.gelu(values_LI)).to(weight_HI.dtype)
        if needs_bias:
            bias_gradient = gradient_LH.sum(0).to(weight_HI.dtype)
        if needs_values:
            inner_LI = gradient_LH @ weight_HI.to(gradient_LH.dtype)
            values_gradient = torch.ops.aten.gelu_backward(inner_LI, values_LI)
        return values_gradient, weight_gradient, bias_gradient
