"""The activation that backward computes again gives the gradients that autograd gives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mluke_core.modeling.feed_forward import gelu_linear


def inputs(dtype: torch.dtype) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((5, 12), (4, 12), (4,))
    return [
        torch.randn(shape, dtype=dtype, generator=generator).requires_grad_() for shape in shapes
    ]


def test_gradients_by_differences() -> None:
    assert torch.autograd.gradcheck(gelu_linear, inputs(torch.float64))


@pytest.mark.parametrize("frozen", [0, 1, 2, None])
def test_same_as_autograd(frozen: int | None) -> None:
    results = []
    for function in (gelu_linear, lambda v, w, b: F.linear(F.gelu(v), w, b)):
        tensors = inputs(torch.float32)
        if frozen is not None:
            tensors[frozen].requires_grad_(False)
        output = function(*tensors)
        (output**2).sum().backward()
        results.append((output, [tensor.grad for tensor in tensors]))
    (ours, our_gradients), (theirs, their_gradients) = results
    assert torch.equal(ours, theirs)
    for ours, theirs in zip(our_gradients, their_gradients, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            torch.testing.assert_close(ours, theirs)


def test_autocast_works_in_the_type_of_the_values() -> None:
    values, weight, bias = inputs(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        ours = gelu_linear(values.bfloat16(), weight, bias)
        theirs = F.linear(F.gelu(values.bfloat16()), weight, bias)
    assert ours.dtype == torch.bfloat16 and torch.equal(ours, theirs)
    ours.float().sum().backward()
    assert weight.grad is not None and weight.grad.dtype == torch.float32
    assert values.grad is not None and torch.isfinite(values.grad).all()


def test_one_wide_tensor_is_kept() -> None:
    values, weight, bias = inputs(torch.float32)
    kept: list[tuple[int, ...]] = []

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        gelu_linear(values, weight, bias)
    assert sorted(kept) == [(4, 12), (5, 12)]
