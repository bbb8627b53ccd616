"""Cross-entropy over a large vocabulary without ever holding all its logits.

The vocabulary is walked in chunks. Forward keeps a running maximum and a running sum, and from the
exponentials of each chunk it computes at once what the features will be pulled towards: the
gradient of the features but for one number for each position. Only the gradient of the table needs
the exponentials again. They are kept up to a fixed number of bytes, beyond which backward computes
them anew: the softmax of a row is its kept exponentials times one number, which is multiplied into
the features instead. The target's own term is left out of the products and added by itself, in
float32, where ``probability - 1`` would lose its digits.

Shapes: N positions, V vocabulary, C columns of a chunk, D size of the features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from mluke_core.modeling.vocabulary_chunks import LOG2, Chunk, VocabularyChunks

# Logits computed at once on a CPU: what stays in its cache is fastest, but every chunk has its own
# cost, such as adding to what the features are pulled towards.
CHUNK_ELEMENTS = 500_000
# What forward may leave behind for backward. 300 positions of 250,000 words take 300 MB in float32.
KEPT_BYTES = 1 << 29
GPU_KEPT_BYTES = 1 << 32
# Without a backward pass there is less to do per chunk: larger ones pay.
NORMALIZER_ELEMENTS = 1 << 20


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
    none = torch.zeros(0, dtype=torch.int64, device=features_ND.device)
    chunks = VocabularyChunks(features_ND.float(), table_VD, bias_V, none, NORMALIZER_ELEMENTS)
    softmax = _RunningSoftmax(len(features_ND), features_ND.device)
    for chunk in chunks:
        softmax.add(chunks.logits(chunk, chunks.table(chunk), chunks.product(chunk)))
    return softmax.normalizer_N * LOG2


class _RunningSoftmax:
    """Maximum and sum of the exponentials over the chunks so far, in powers of two."""

    def __init__(self, positions: int, device: torch.device) -> None:
        self.highest_N = torch.full((positions,), -torch.inf, device=device)
        self._sum_N = torch.zeros(positions, device=device)

    def add(self, logits_NC: torch.Tensor) -> torch.Tensor:
        """Turn logits into exponentials relative to the highest logit so far, in place.

        Returns, for each position, what earlier exponentials are to be multiplied with.
        """
        highest_N = torch.maximum(self.highest_N, logits_NC.amax(1))
        logits_NC.sub_(highest_N[:, None]).exp2_()
        factor_N = torch.exp2(self.highest_N - highest_N)
        self._sum_N.mul_(factor_N).add_(logits_NC.sum(1))
        self.highest_N = highest_N
        return factor_N

    @property
    def normalizer_N(self) -> torch.Tensor:
        """Logarithm of the sum, to the base 2."""
        return self.highest_N + self._sum_N.log2()


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
        chunks = VocabularyChunks(features_ND, table_VD, bias_V, targets_N, CHUNK_ELEMENTS)
        softmax = _RunningSoftmax(len(features_ND), features_ND.device)
        target_N = torch.zeros_like(softmax.highest_N)
        pull_ND = torch.zeros_like(features_ND, dtype=torch.float32)
        lasting = chunks.lasting_products(_kept_bytes(ctx, features_ND, with_backward))
        ctx.kept, ctx.highest = [], []
        for chunk in chunks:
            table_CD = chunks.table(chunk)
            own_NC = next(lasting, None)
            logits_NC = chunks.logits(chunk, table_CD, chunks.product(chunk))
            target_N[chunk.rows_K] = logits_NC.view(-1)[chunk.places_K]
            factor_N = softmax.add(logits_NC)
            if with_backward:
                # Only now to memory that no cache holds: products that write there are slower.
                memory_NC = chunks.product(chunk) if own_NC is None else own_NC
                exponentials_NC = _without_targets(logits_NC, memory_NC, chunk)
                pull_ND.mul_(factor_N[:, None]).add_(exponentials_NC @ table_CD)
                ctx.kept.append(own_NC)
                ctx.highest.append(softmax.highest_N)
        normalizer_N = softmax.normalizer_N
        pull_ND.mul_(torch.exp2(softmax.highest_N - normalizer_N)[:, None])
        ctx.save_for_backward(
            features_ND, table_VD, bias_V, targets_N, normalizer_N, target_N, pull_ND
        )
        loss = (normalizer_N - target_N).sum() * (LOG2 / max(len(features_ND), 1))
        correct = (target_N >= softmax.highest_N).sum()
        ctx.mark_non_differentiable(correct, normalizer_N)
        return loss, correct, normalizer_N

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (features_ND, table_VD, bias_V, targets_N, normalizer_N, target_N, pull_ND) = (
            ctx.saved_tensors
        )
        scale = gradients[0].float() / max(len(features_ND), 1)
        needs_table, needs_bias = ctx.needs_input_grad[1:3]
        in_place = needs_table and _has_dense_gradient(table_VD)
        table_gradient_VD = _gradient_buffer(table_VD, in_place) if needs_table else None
        bias_gradient_V = torch.empty_like(bias_V) if needs_bias else None
        if needs_table or needs_bias:
            _multiply_exponentials(ctx, scale, table_gradient_VD, bias_gradient_V, in_place)
        error_N = (torch.exp2(target_N - normalizer_N) - 1) * scale
        features_gradient_ND = pull_ND * scale
        features_gradient_ND.addcmul_(error_N[:, None], table_VD[targets_N])
        if table_gradient_VD is not None:
            rows_ND = (features_ND * error_N[:, None]).to(table_VD.dtype)
            table_gradient_VD.index_add_(0, targets_N, rows_ND)
        if bias_gradient_V is not None:
            bias_gradient_V.index_add_(0, targets_N, error_N.to(bias_V.dtype))
        if in_place:
            table_gradient_VD = _empty_sparse(table_VD)
        return (
            features_gradient_ND.to(features_ND.dtype),
            table_gradient_VD,
            bias_gradient_V,
            None,
            None,
        )


def _kept_bytes(ctx: Any, features_ND: torch.Tensor, with_backward: bool) -> int:
    """How much forward may leave behind: only the gradients of table and bias need it."""
    if not (with_backward and any(ctx.needs_input_grad[1:3])):
        return 0
    return GPU_KEPT_BYTES if features_ND.device.type == "cuda" else KEPT_BYTES


def _multiply_exponentials(
    ctx: Any,
    scale: torch.Tensor,
    table_gradient_VD: torch.Tensor | None,
    bias_gradient_V: torch.Tensor | None,
    in_place: bool,
) -> None:
    """Gradients of table and bias, but for the targets' own terms."""
    features_ND, table_VD, bias_V, targets_N, normalizer_N = ctx.saved_tensors[:5]
    dtype = features_ND.dtype
    chunks = VocabularyChunks(features_ND, table_VD, bias_V, targets_N, CHUNK_ELEMENTS)
    for number, (chunk, highest_N) in enumerate(zip(chunks, ctx.highest, strict=True)):
        exponentials_NC = ctx.kept[number]
        # Not needed again: the memory goes to the gradients.
        ctx.kept[number] = None
        if exponentials_NC is None:
            product_NC = chunks.product(chunk)
            logits_NC = chunks.logits(chunk, chunks.table(chunk), product_NC)
            logits_NC.sub_(highest_N[:, None]).exp2_()
            exponentials_NC = _without_targets(logits_NC, product_NC, chunk)
        factor_N = torch.exp2(highest_N - normalizer_N) * scale
        if table_gradient_VD is not None:
            weighted_ND = (features_ND * factor_N[:, None]).to(dtype)
            target_CD = table_gradient_VD[chunk.columns]
            if target_CD.dtype == dtype:
                target_CD.addmm_(exponentials_NC.t(), weighted_ND, beta=int(in_place))
            else:
                product_CD = torch.mm(exponentials_NC.t(), weighted_ND, out=chunks.rows(chunk))
                (target_CD.add_ if in_place else target_CD.copy_)(product_CD)
        if bias_gradient_V is not None:
            bias_gradient_V[chunk.columns] = (factor_N.to(dtype)[None] @ exponentials_NC)[0]


def _without_targets(
    exponentials_NC: torch.Tensor, memory_NC: torch.Tensor, chunk: Chunk
) -> torch.Tensor:
    """The exponentials in ``memory_NC``, in its type, 0 at the targets."""
    if memory_NC.data_ptr() != exponentials_NC.data_ptr():
        memory_NC.copy_(exponentials_NC)
    memory_NC.view(-1)[chunk.places_K] = 0
    return memory_NC


def _has_dense_gradient(table_VD: torch.Tensor) -> bool:
    gradient = table_VD.grad if table_VD.is_leaf else None
    return gradient is not None and gradient.layout == torch.strided


def _gradient_buffer(table_VD: torch.Tensor, in_place: bool) -> torch.Tensor:
    if in_place:
        assert table_VD.grad is not None
        return table_VD.grad
    return torch.empty_like(table_VD)


def _empty_sparse(table_VD: torch.Tensor) -> torch.Tensor:
    """A gradient of nothing: what hangs on the parameter's gradient still hears of it."""
    device = table_VD.device
    return torch.sparse_coo_tensor(
        torch.empty((1, 0), dtype=torch.int64, device=device),
        torch.empty((0, table_VD.shape[1]), dtype=table_VD.dtype, device=device),
        table_VD.shape,
        check_invariants=False,
    )
