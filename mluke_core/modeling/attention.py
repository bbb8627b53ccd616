"""Self-attention over packed sequences.

Every path computes the same; which is fastest depends on the device.

Shapes: L rows of all sequences, N heads, D size of a head, H = N * D, B sequences of a block,
S rows of each, R rows that are read.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mluke_core.modeling.dropout import draw_mask, mask_scale
from mluke_core.modeling.layers import Linear

Blocks = tuple[tuple[int, int], ...]
"""(number of sequences, rows of each), in the order of the rows."""


class SelfAttention(nn.Module):
    """Multi-head attention in which every sequence sees itself alone."""

    def __init__(self, hidden_size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = Linear(hidden_size, hidden_size)
        self.key = Linear(hidden_size, hidden_size)
        self.value = Linear(hidden_size, hidden_size)
        self.output = Linear(hidden_size, hidden_size)

    def forward(
        self, hidden_LH: torch.Tensor, blocks: Blocks, rows_R: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Attend within each sequence. Returns L x H, or R x H for ``rows_R`` (ascending) alone."""
        heads = (self.heads, hidden_LH.shape[1] // self.heads)
        key_LND = self.key(hidden_LH).unflatten(1, heads)
        value_LND = self.value(hidden_LH).unflatten(1, heads)
        probability = self.dropout if self.training else 0.0
        if rows_R is not None and hidden_LH.device.type != "cuda":
            query_RND = self.query(hidden_LH[rows_R]).unflatten(1, heads)
            mixed = attend_rows(query_RND, key_LND, value_LND, blocks, rows_R, probability)
            return self.output(mixed.flatten(1))
        query_LND = self.query(hidden_LH).unflatten(1, heads)
        attend = attend_jagged if hidden_LH.device.type == "cuda" else attend_blocks
        mixed = attend(query_LND, key_LND, value_LND, blocks, probability)
        return self.output((mixed if rows_R is None else mixed[rows_R]).flatten(1))


def attend_blocks(
    query_LND: torch.Tensor,
    key_LND: torch.Tensor,
    value_LND: torch.Tensor,
    blocks: Blocks,
    probability: float = 0.0,
) -> torch.Tensor:
    """One attention call for each block of sequences of equal length: no padding, and the scores
    of a block fit into a CPU's cache. Returns L x N x D."""
    sizes = [count * length for count, length in blocks]
    mixed = []
    for (count, length), *rows in zip(
        blocks, query_LND.split(sizes), key_LND.split(sizes), value_LND.split(sizes), strict=True
    ):
        query, key, value = (part.unflatten(0, (count, length)) for part in rows)
        mixed.append(_attend(query, key, value, probability))
    return torch.cat(mixed) if mixed else query_LND


def attend_rows(
    query_RND: torch.Tensor,
    key_LND: torch.Tensor,
    value_LND: torch.Tensor,
    blocks: Blocks,
    rows_R: torch.Tensor,
    probability: float = 0.0,
) -> torch.Tensor:
    """The rows that are read, ascending, attend to all rows of their sequence. Returns R x N x D.

    Neighbouring sequences with as many rows, and as many rows that are read, go in one call.
    """
    lengths = np.repeat([length for _, length in blocks], [count for count, _ in blocks])
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    limits = np.searchsorted(rows_R.numpy(), starts)
    counts = np.diff(limits)
    changes = np.flatnonzero((np.diff(lengths) != 0) | (np.diff(counts) != 0)) + 1
    mixed = []
    for first, last in pairwise([0, *changes.tolist(), len(lengths)]):
        read = slice(int(limits[first]), int(limits[last]))
        if read.start < read.stop:
            whole = slice(int(starts[first]), int(starts[last]))
            query, key, value = (
                part.unflatten(0, (last - first, -1))
                for part in (query_RND[read], key_LND[whole], value_LND[whole])
            )
            mixed.append(_attend(query, key, value, probability))
    return torch.cat(mixed) if mixed else query_RND


def _attend(
    query_BRND: torch.Tensor, key_BSND: torch.Tensor, value_BSND: torch.Tensor, probability: float
) -> torch.Tensor:
    """Attention within sequences of equal length. Returns their rows one after the other."""
    query, key, value = (part.transpose(1, 2) for part in (query_BRND, key_BSND, value_BSND))
    if probability:
        mixed_BNRD: torch.Tensor = _DroppedAttention.apply(query, key, value, probability)
    else:
        mixed_BNRD = F.scaled_dot_product_attention(query, key, value)
    return mixed_BNRD.transpose(1, 2).flatten(0, 1)


def attend_jagged(
    query_LND: torch.Tensor,
    key_LND: torch.Tensor,
    value_LND: torch.Tensor,
    blocks: Blocks,
    probability: float = 0.0,
) -> torch.Tensor:
    """One attention call over all sequences as a jagged tensor, which on a GPU is the
    variable-length form of flash attention (memory-efficient attention in float32). Returns
    L x N x D."""
    if not blocks:
        return query_LND
    offsets = _offsets(blocks, query_LND.device)
    lengths = [length for _, length in blocks]

    def jagged(rows_LND: torch.Tensor) -> torch.Tensor:
        nested = torch.nested.nested_tensor_from_jagged(
            rows_LND, offsets, min_seqlen=min(lengths), max_seqlen=max(lengths)
        )
        return nested.transpose(1, 2)

    mixed = F.scaled_dot_product_attention(
        jagged(query_LND), jagged(key_LND), jagged(value_LND), dropout_p=probability
    )
    return mixed.transpose(1, 2).values()


@lru_cache(maxsize=2)
def _offsets(blocks: Blocks, device: torch.device) -> torch.Tensor:
    """Where the sequences start, and the end: copied to the device once for all layers."""
    lengths = [length for count, length in blocks for _ in range(count)]
    # A tensor made in inference mode would be of no use to a later training step.
    with torch.inference_mode(False):
        return torch.tensor([0, *lengths]).cumsum(0).to(device, non_blocking=True)


class _DroppedAttention(torch.autograd.Function):
    """Attention with dropout of its weights, written out: torch's own is no better on a CPU once
    it has to drop weights, and keeps them twice. Inputs and output are B x N x S x D."""

    @staticmethod
    def forward(
        ctx: Any,
        query_BNSD: torch.Tensor,
        key_BNSD: torch.Tensor,
        value_BNSD: torch.Tensor,
        probability: float,
    ) -> torch.Tensor:
        scaled_BNSD = query_BNSD * (query_BNSD.shape[-1] ** -0.5)
        with torch.autocast("cpu", enabled=False):
            weights_BNSS = torch.softmax(scaled_BNSD @ key_BNSD.transpose(-1, -2), dim=-1)
            mask_BNSS = draw_mask(weights_BNSS.shape, probability)
            ctx.save_for_backward(scaled_BNSD, key_BNSD, value_BNSD, weights_BNSS, mask_BNSS)
            ctx.probability = probability
            dropped_BNSS = mask_BNSS.to(weights_BNSS.dtype).mul_(weights_BNSS)
            return (dropped_BNSS @ value_BNSD).mul_(mask_scale(probability))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        scaled_BNSD, key_BNSD, value_BNSD, weights_BNSS, mask_BNSS = ctx.saved_tensors
        # The scale of the mask goes to D numbers of a row instead of S.
        gradient_BNSD = gradients[0] * mask_scale(ctx.probability)
        kept_BNSS = mask_BNSS.to(weights_BNSS.dtype)
        value_gradient = (kept_BNSS * weights_BNSS).transpose(-1, -2) @ gradient_BNSD
        kept_BNSS.mul_(gradient_BNSD @ value_BNSD.transpose(-1, -2))
        scores_gradient_BNSS = torch.ops.aten._softmax_backward_data(
            kept_BNSS, weights_BNSS, -1, weights_BNSS.dtype
        )
        query_gradient = (scores_gradient_BNSS @ key_BNSD).mul_(scaled_BNSD.shape[-1] ** -0.5)
        key_gradient = scores_gradient_BNSS.transpose(-1, -2) @ scaled_BNSD
        return query_gradient, key_gradient, value_gradient, None
