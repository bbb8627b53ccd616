"""Prediction without what nobody reads: the last layer is computed for some rows only.

A head reads two rows of a sentence (relations) or the candidate spans of one sentence among its
whole document (names). The last layer's other rows feed nothing, so on a CPU they are left out; its
keys and values are still those of all rows, and the results are the same.

Shapes: L rows of all sequences, R rows that are read, N heads, D size of a head, H hidden size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from mluke_core.modeling.encoder import Encoder, Layer, MlukeEncoder
from mluke_core.tasks.base import IntArray


class NarrowLayer(nn.Module):
    """A layer that leaves all but ``rows`` as they are; None: none is left out."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        self.rows: IntArray | None = None
        """Rows that are read, ascending."""

    def forward(self, hidden_LH: torch.Tensor, blocks: Sequence[tuple[int, int]]) -> torch.Tensor:
        """One layer over packed sequences. Returns L x H."""
        if self.rows is None:
            return self.layer(hidden_LH, blocks)
        layer, attention = self.layer, self.layer.attention
        rows = torch.from_numpy(self.rows)
        read_RH = hidden_LH[rows]
        heads = (attention.heads, hidden_LH.shape[1] // attention.heads)
        mixed_RND = _attend(
            attention.query(read_RH).unflatten(1, heads),
            attention.key(hidden_LH).unflatten(1, heads),
            attention.value(hidden_LH).unflatten(1, heads),
            _sequences(blocks),
            self.rows,
        )
        read_RH = layer.attention_norm(attention.output(mixed_RND.flatten(1)) + read_RH)
        read_RH = layer.norm(layer.contract(F.gelu(layer.expand(read_RH))) + read_RH)
        return hidden_LH.index_copy(0, rows, read_RH.to(hidden_LH.dtype))


@contextmanager
def narrowed(encoder: Encoder) -> Iterator[NarrowLayer | None]:
    """Put a :class:`NarrowLayer` in the place of the last layer for a while; evaluation only.

    Gives None for an encoder of another family, which is left as it is.
    """
    if not isinstance(encoder, MlukeEncoder):
        yield None
        return
    last = encoder.layers[-1]
    assert isinstance(last, Layer)
    narrow = NarrowLayer(last)
    encoder.layers[-1] = narrow
    try:
        yield narrow
    finally:
        encoder.layers[-1] = last


def _sequences(blocks: Sequence[tuple[int, int]]) -> IntArray:
    """First row of every sequence, and the number of rows at the end."""
    lengths = np.repeat([length for _, length in blocks], [count for count, _ in blocks])
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _attend(
    query_RND: torch.Tensor,
    key_LND: torch.Tensor,
    value_LND: torch.Tensor,
    starts: IntArray,
    rows: IntArray,
) -> torch.Tensor:
    """The rows that are read attend to all rows of their sequence. Returns R x N x D.

    Neighbouring sequences with as many rows, and as many rows that are read, go in one call.
    """
    limits = np.searchsorted(rows, starts)
    lengths, counts = np.diff(starts), np.diff(limits)
    changes = np.flatnonzero((np.diff(lengths) != 0) | (np.diff(counts) != 0)) + 1
    edges = [0, *changes.tolist(), len(lengths)]
    mixed = []
    for first, last in pairwise(edges):
        whole = slice(int(starts[first]), int(starts[last]))
        read = slice(int(limits[first]), int(limits[last]))
        if read.start == read.stop:
            continue
        query, key, value = (
            part.unflatten(0, (last - first, -1)).transpose(1, 2)
            for part in (query_RND[read], key_LND[whole], value_LND[whole])
        )
        mixed_BNSD = F.scaled_dot_product_attention(query, key, value)
        mixed.append(mixed_BNSD.transpose(1, 2).flatten(0, 1))
    return torch.cat(mixed)
