"""Prediction without what nobody reads: the last layer is computed for some rows only.

A head reads two rows of a sentence (relations) or the candidate spans of one sentence among its
whole document (names). The last layer's other rows feed nothing, so on a CPU they are left out; its
keys and values are still those of all rows, and the results are the same.

Shapes: L rows of all sequences, R rows that are read, H hidden size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
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

    def forward(
        self,
        hidden_LH: torch.Tensor,
        blocks: Sequence[tuple[int, int]],
        rows_R: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """As the layer itself when no rows are set. Returns L x H."""
        if self.rows is None:
            return self.layer(hidden_LH, blocks, rows_R)
        rows_R = torch.from_numpy(self.rows)
        read_RH = self.layer(hidden_LH, blocks, rows_R)
        return hidden_LH.index_copy(0, rows_R, read_RH.to(hidden_LH.dtype))


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
