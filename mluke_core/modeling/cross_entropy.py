"""Cross-entropy over a large vocabulary without ever holding all its logits.

The vocabulary is walked in chunks. Forward keeps a running maximum and a running sum; of each
chunk it keeps the exponentials, up to a fixed number of bytes, beyond which backward computes them
again. Backward is two matrix products for each chunk: the softmax of a row is its kept exponentials
times one number, and that number is multiplied into the features instead. The target's own term is
left out of the products and added by itself, in float32, where ``probability - 1`` would lose its
digits.

All exponentials are powers of two: on CPUs ``exp2`` takes a third of the time of ``exp``.

Shapes: N positions, V vocabulary, C columns of a chunk, D size of the features.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

# Logits computed at once: what stays in the cache is fastest on a CPU, a large chunk on a GPU.
CHUNK_ELEMENTS = 1 << 18
GPU_CHUNK_ELEMENTS = 1 << 26
MINIMUM_CHUNK = 512
# What forward may leave behind for backward. 300 positions of 250,000 words take 300 MB in float32.
KEPT_BYTES = 1 << 29
GPU_KEPT_BYTES = 1 << 32
# Without a backward pass there is less to do per chunk: larger ones pay.
NORMALIZER_ELEMENTS = 1 << 20
_LOG2 = math.log(2)


class CrossEntropy(NamedTuple):
    """Mean loss in nats (0 when there are no positions) and how many positions were right."""

    loss: torch.Tensor
    correct: torch.Tensor
    normalizer_N: torch.Tensor
    """Logarithm of the sum of ``exp(logit)``, to the base 2, without a gradient."""


def chunked_cross_entropy(
    features_ND: torch.Tensor,
    table_VD: torch.Tensor,
    bias_V: torch.Tensor,
    targets_N: torch.Tensor,
) -> CrossEntropy:
    """Mean cross-entropy of ``softmax(features @ table.T + bias)`` against the target ids.

    Under autocast the products run in its type; sums are float32 always.

    When the table is a parameter with a dense ``grad`` already, backward adds to it in place and
    hands autograd an empty sparse gradient, so that a table of gigabytes is not written twice. Use
    ``loss.backward()`` therefore, not ``torch.autograd.grad`` with the table.

    >>> features, table = torch.eye(2), torch.eye(2) * 9
    >>> result = chunked_cross_entropy(features, table, torch.zeros(2), torch.tensor([0, 1]))
    >>> round(result.loss.item(), 4), result.correct.item()
    (0.0001, 2)
    """
    device = features_ND.device.type
    if torch.is_autocast_enabled(device):
        features_ND = features_ND.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        return CrossEntropy(
            *_ChunkedCrossEntropy.apply(
                features_ND, table_VD, bias_V, targets_N, torch.is_grad_enabled()
            )
        )


@torch.no_grad()
def chunked_log_normalizer(
    features_ND: torch.Tensor, table_VD: torch.Tensor, bias_V: torch.Tensor
) -> torch.Tensor:
    """Logarithm of the sum over the vocabulary of ``exp(logit)``, for each position. Returns N.

    Computed in float32.
    """
    softmax = _RunningSoftmax(len(features_ND), features_ND.device)
    scaled_ND = features_ND.float() / _LOG2
    for columns in _chunks(features_ND, table_VD, NORMALIZER_ELEMENTS):
        softmax.add(_scaled_logits(scaled_ND, table_VD[columns].float(), bias_V[columns]))
    return softmax.normalizer_N * _LOG2


class _RunningSoftmax:
    """Maximum and sum of the exponentials over the chunks so far, in powers of two."""

    def __init__(self, positions: int, device: torch.device) -> None:
        self.highest_N = torch.full((positions,), -torch.inf, device=device)
        self._sum_N = torch.zeros(positions, device=device)

    def add(self, logits_NC: torch.Tensor) -> torch.Tensor:
        """Turn logits into exponentials relative to the highest logit so far, in place."""
        highest_N = torch.maximum(self.highest_N, logits_NC.amax(1))
        logits_NC.sub_(highest_N[:, None]).exp2_()
        self._sum_N.mul_(torch.exp2(self.highest_N - highest_N)).add_(logits_NC.sum(1))
        self.highest_N = highest_N
        return logits_NC

    @property
    def normalizer_N(self) -> torch.Tensor:
        """Logarithm of the sum, to the base 2."""
        return self.highest_N + self._sum_N.log2()


def _chunks(features_ND: torch.Tensor, table_VD: torch.Tensor, elements: int) -> Iterator[slice]:
    if features_ND.device.type == "cuda":
        elements = GPU_CHUNK_ELEMENTS
    width = max(MINIMUM_CHUNK, elements // max(len(features_ND), 1))
    for start in range(0, len(table_VD), width):
        yield slice(start, min(start + width, len(table_VD)))


def _scaled_logits(
    scaled_ND: torch.Tensor, table_CD: torch.Tensor, bias_C: torch.Tensor
) -> torch.Tensor:
    """Logits in units of log 2, float32."""
    bias_C = bias_C.float() / _LOG2
    if scaled_ND.dtype == torch.float32:
        return torch.addmm(bias_C, scaled_ND, table_CD.t())
    return torch.add(scaled_ND @ table_CD.t(), bias_C)


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        features_ND: torch.Tensor,
        table_VD: torch.Tensor,
        bias_V: torch.Tensor,
        targets_N: torch.Tensor,
        with_backward: bool,
    ) -> tuple[torch.Tensor, ...]:
        dtype = features_ND.dtype
        scaled_ND = features_ND / _LOG2
        budget = 0
        if with_backward:
            budget = GPU_KEPT_BYTES if features_ND.device.type == "cuda" else KEPT_BYTES
        softmax = _RunningSoftmax(len(features_ND), features_ND.device)
        target_N = torch.zeros_like(softmax.highest_N)
        kept: list[tuple[torch.Tensor, torch.Tensor]] = []
        for columns in _chunks(features_ND, table_VD, CHUNK_ELEMENTS):
            logits_NC = _scaled_logits(scaled_ND, table_VD[columns].to(dtype), bias_V[columns])
            inside_N, places_N1 = _inside(targets_N, columns)
            target_N = torch.where(inside_N, logits_NC.gather(1, places_N1)[:, 0], target_N)
            exponentials_NC = softmax.add(logits_NC)
            budget -= exponentials_NC.numel() * dtype.itemsize
            if budget >= 0:
                exponentials_NC = exponentials_NC.to(dtype)
                _clear(exponentials_NC, inside_N, places_N1)
                kept.append((exponentials_NC, softmax.highest_N))
        normalizer_N = softmax.normalizer_N
        ctx.save_for_backward(features_ND, table_VD, bias_V, targets_N, normalizer_N, target_N)
        ctx.kept = kept
        loss = (normalizer_N - target_N).sum() * (_LOG2 / max(len(features_ND), 1))
        correct = (target_N >= softmax.highest_N).sum()
        ctx.mark_non_differentiable(correct, normalizer_N)
        return loss, correct, normalizer_N

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        features_ND, table_VD, bias_V, targets_N, normalizer_N, target_N = ctx.saved_tensors
        dtype = features_ND.dtype
        scale = gradients[0].float() / max(len(features_ND), 1)
        scaled_ND = features_ND / _LOG2
        features_gradient_ND = torch.zeros_like(features_ND, dtype=torch.float32)
        needs_table, needs_bias = ctx.needs_input_grad[1:3]
        in_place = needs_table and _has_dense_gradient(table_VD)
        table_gradient_VD = _gradient_buffer(table_VD, in_place) if needs_table else None
        bias_gradient_V = torch.empty_like(bias_V) if needs_bias else None
        for number, columns in enumerate(_chunks(features_ND, table_VD, CHUNK_ELEMENTS)):
            table_CD = table_VD[columns].to(dtype)
            if number < len(ctx.kept):
                exponentials_NC, highest_N = ctx.kept[number]
                # Not needed again: the memory goes to the gradients.
                ctx.kept[number] = ()
            else:
                logits_NC = _scaled_logits(scaled_ND, table_CD, bias_V[columns])
                exponentials_NC = logits_NC.sub_(normalizer_N[:, None]).exp2_().to(dtype)
                highest_N = normalizer_N
                _clear(exponentials_NC, *_inside(targets_N, columns))
            factor_N = torch.exp2(highest_N - normalizer_N) * scale
            if table_gradient_VD is not None:
                weighted_ND = (features_ND * factor_N[:, None]).to(dtype)
                _add_product(table_gradient_VD[columns], exponentials_NC.t(), weighted_ND, in_place)
            if bias_gradient_V is not None:
                bias_gradient_V[columns] = (factor_N.to(dtype)[None] @ exponentials_NC)[0]
            features_gradient_ND.addcmul_(factor_N[:, None], exponentials_NC @ table_CD)
        error_N = (torch.exp2(target_N - normalizer_N) - 1) * scale
        features_gradient_ND.addcmul_(error_N[:, None], table_VD[targets_N])
        if table_gradient_VD is not None:
            rows_ND = (features_ND * error_N[:, None]).to(table_VD.dtype)
            table_gradient_VD.index_add_(0, targets_N, rows_ND)
        if bias_gradient_V is not None:
            bias_gradient_V.index_add_(0, targets_N, error_N.to(bias_V.dtype))
        if in_place:
            table_gradient_VD = _empty_sparse(table_VD)
        return features_gradient_ND.to(dtype), table_gradient_VD, bias_gradient_V, None, None


def _has_dense_gradient(table_VD: torch.Tensor) -> bool:
    gradient = table_VD.grad if table_VD.is_leaf else None
    return gradient is not None and gradient.layout == torch.strided


def _gradient_buffer(table_VD: torch.Tensor, in_place: bool) -> torch.Tensor:
    if in_place:
        assert table_VD.grad is not None
        return table_VD.grad
    return torch.empty_like(table_VD)


def _add_product(
    target_CD: torch.Tensor, left_CN: torch.Tensor, right_ND: torch.Tensor, add: bool
) -> None:
    if target_CD.dtype == left_CN.dtype:
        target_CD.addmm_(left_CN, right_ND, beta=int(add))
    elif add:
        target_CD += left_CN @ right_ND
    else:
        target_CD.copy_(left_CN @ right_ND)


def _empty_sparse(table_VD: torch.Tensor) -> torch.Tensor:
    """A gradient of nothing: what hangs on the parameter's gradient still hears of it."""
    device = table_VD.device
    return torch.sparse_coo_tensor(
        torch.empty((1, 0), dtype=torch.int64, device=device),
        torch.empty((0, table_VD.shape[1]), dtype=table_VD.dtype, device=device),
        table_VD.shape,
        check_invariants=False,
    )


def _inside(targets_N: torch.Tensor, columns: slice) -> tuple[torch.Tensor, torch.Tensor]:
    """Whether each row's target lies in the chunk, and its column there (any, when it does not)."""
    inside_N = (targets_N >= columns.start) & (targets_N < columns.stop)
    places_N = (targets_N - columns.start).clamp(0, columns.stop - columns.start - 1)
    return inside_N, places_N[:, None]


def _clear(values_NC: torch.Tensor, inside_N: torch.Tensor, places_N1: torch.Tensor) -> None:
    """Set the targets' columns to 0."""
    current_N1 = values_NC.gather(1, places_N1)
    values_NC.scatter_(1, places_N1, current_N1.masked_fill(inside_N[:, None], 0))
