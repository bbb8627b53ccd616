"""Cross-entropy over a large vocabulary without ever holding all its logits.

The vocabulary is walked in chunks: forward keeps a running log-sum-exp, backward computes the
logits of each chunk again and adds its share to every gradient. Memory is N times the chunk
instead of N times the vocabulary, for one more matrix product.

Shapes: N positions, V vocabulary, C columns of a chunk, D size of the features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

# Logits held at once: 16 MB in float32, small enough to stay out of memory's way, large enough
# for matrix products to run at full speed.
CHUNK_ELEMENTS = 1 << 22
MINIMUM_CHUNK = 256
# Without a backward pass the logits are only read once: a chunk that stays in the cache is fastest
# on a CPU, a large one on a GPU.
NORMALIZER_ELEMENTS = 1 << 20
GPU_NORMALIZER_ELEMENTS = 1 << 26


class CrossEntropy(NamedTuple):
    """Mean loss in nats (0 when there are no positions) and how many positions were right."""

    loss: torch.Tensor
    correct: torch.Tensor


def chunked_cross_entropy(
    features_ND: torch.Tensor,
    table_VD: torch.Tensor,
    bias_V: torch.Tensor,
    targets_N: torch.Tensor,
) -> CrossEntropy:
    """Mean cross-entropy of ``softmax(features @ table.T + bias)`` against the target ids.

    Under autocast the products run in its type; sums and exponentials are float32 always.

    >>> features, table = torch.eye(2), torch.eye(2) * 9
    >>> result = chunked_cross_entropy(features, table, torch.zeros(2), torch.tensor([0, 1]))
    >>> round(result.loss.item(), 4), result.correct.item()
    (0.0001, 2)
    """
    device = features_ND.device.type
    if torch.is_autocast_enabled(device):
        features_ND = features_ND.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        return CrossEntropy(*_ChunkedCrossEntropy.apply(features_ND, table_VD, bias_V, targets_N))


@torch.no_grad()
def chunked_log_normalizer(
    features_ND: torch.Tensor, table_VD: torch.Tensor, bias_V: torch.Tensor
) -> torch.Tensor:
    """Logarithm of the sum over the vocabulary of ``exp(logit)``, for each position. Returns N.

    Computed in float32 and in powers of two: on CPUs ``exp2`` takes a third of the time of
    ``exp``. One buffer serves all chunks.
    """
    positions = len(features_ND)
    on_gpu = features_ND.device.type == "cuda"
    budget = GPU_NORMALIZER_ELEMENTS if on_gpu else NORMALIZER_ELEMENTS
    width = max(MINIMUM_CHUNK, budget // max(positions, 1))
    scaled_ND = features_ND.float() / math.log(2)
    highest_N = scaled_ND.new_full((positions,), -torch.inf)
    sum_N = torch.zeros_like(highest_N)
    buffer = scaled_ND.new_empty(positions * min(width, len(table_VD)))
    for start in range(0, len(table_VD), width):
        table_CD = table_VD[start : start + width].float()
        bias_C = bias_V[start : start + width].float() / math.log(2)
        logits_NC = buffer[: positions * len(table_CD)].view(positions, len(table_CD))
        torch.addmm(bias_C, scaled_ND, table_CD.t(), out=logits_NC)
        new_highest_N = torch.maximum(highest_N, logits_NC.amax(1))
        logits_NC.sub_(new_highest_N[:, None]).exp2_()
        sum_N = sum_N * torch.exp2(highest_N - new_highest_N) + logits_NC.sum(1)
        highest_N = new_highest_N
    return (highest_N + sum_N.log2()) * math.log(2)


def _chunks(positions: int, vocabulary: int) -> Iterator[slice]:
    width = max(MINIMUM_CHUNK, CHUNK_ELEMENTS // max(positions, 1))
    for start in range(0, vocabulary, width):
        yield slice(start, min(start + width, vocabulary))


def _logits(
    features_ND: torch.Tensor, table_CD: torch.Tensor, bias_C: torch.Tensor
) -> torch.Tensor:
    product_NC = features_ND @ table_CD.to(features_ND.dtype).t()
    return product_NC.float() + bias_C


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features_ND: torch.Tensor,
        table_VD: torch.Tensor,
        bias_V: torch.Tensor,
        targets_N: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        positions = len(features_ND)
        highest_N = features_ND.new_full((positions,), -torch.inf, dtype=torch.float32)
        sum_N = torch.zeros_like(highest_N)
        target_logit_N = torch.zeros_like(highest_N)
        for columns in _chunks(positions, len(table_VD)):
            logits_NC = _logits(features_ND, table_VD[columns], bias_V[columns])
            rows, places = _inside(targets_N, columns)
            target_logit_N[rows] = logits_NC[rows, places]
            new_highest_N = torch.maximum(highest_N, logits_NC.amax(1))
            chunk_sum_N = logits_NC.sub_(new_highest_N[:, None]).exp_().sum(1)
            sum_N = sum_N * torch.exp(highest_N - new_highest_N) + chunk_sum_N
            highest_N = new_highest_N
        normalizer_N = highest_N + sum_N.log()
        ctx.save_for_backward(features_ND, table_VD, bias_V, targets_N, normalizer_N)
        loss = (normalizer_N - target_logit_N).sum() / max(positions, 1)
        correct = (target_logit_N >= highest_N).sum()
        ctx.mark_non_differentiable(correct)
        return loss, correct

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        features_ND, table_VD, bias_V, targets_N, normalizer_N = ctx.saved_tensors
        scale = gradients[0].float() / max(len(features_ND), 1)
        features_gradient_ND = torch.zeros_like(features_ND, dtype=torch.float32)
        table_gradient_VD = torch.empty_like(table_VD) if ctx.needs_input_grad[1] else None
        bias_gradient_V = torch.empty_like(bias_V) if ctx.needs_input_grad[2] else None
        for columns in _chunks(len(features_ND), len(table_VD)):
            table_CD = table_VD[columns].to(features_ND.dtype)
            logits_NC = _logits(features_ND, table_CD, bias_V[columns])
            errors_NC = logits_NC.sub_(normalizer_N[:, None]).exp_()
            rows, places = _inside(targets_N, columns)
            errors_NC[rows, places] -= 1
            errors_NC *= scale
            if bias_gradient_V is not None:
                bias_gradient_V[columns] = errors_NC.sum(0)
            errors_NC = errors_NC.to(features_ND.dtype)
            if table_gradient_VD is not None:
                table_gradient_VD[columns] = errors_NC.t() @ features_ND
            features_gradient_ND += errors_NC @ table_CD
        return (
            features_gradient_ND.to(features_ND.dtype),
            table_gradient_VD,
            bias_gradient_V,
            None,
        )


def _inside(targets_N: torch.Tensor, columns: slice) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows whose target lies in the chunk, and its column there."""
    rows = ((targets_N >= columns.start) & (targets_N < columns.stop)).nonzero()[:, 0]
    return rows, targets_N[rows] - columns.start
