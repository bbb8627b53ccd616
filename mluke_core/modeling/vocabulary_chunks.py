"""A large vocabulary in chunks of columns, and the memory in which their logits are computed.

Every chunk overwrites what the one before has left: asking for fresh memory each time takes a CPU
longer than the arithmetic, because the system clears it first.

Shapes: N positions, V vocabulary, C columns of a chunk, D size of the features, K positions whose
target lies in a chunk.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import torch

LOG2 = math.log(2)
"""Logits are in units of this: on CPUs ``exp2`` takes a third of the time of ``exp``."""
MINIMUM_CHUNK = 512
GPU_CHUNK_ELEMENTS = 1 << 26
# Rows of logits start at a cache line: else products in float32 take a third longer on a CPU.
_WIDTH_MULTIPLE = 64
# Below glibc's largest threshold for mmap (32 MB), so that a step finds the memory of the one
# before instead of having the system clear it anew.
_BLOCK_BYTES = 1 << 24


class Chunk(NamedTuple):
    """Columns of the vocabulary, and what is predicted among them."""

    columns: slice
    rows_K: torch.Tensor
    """Positions whose target lies in the chunk."""
    places_K: torch.Tensor
    """Where these targets stand in the flattened N x C."""


class VocabularyChunks:
    """Logits of ``features @ table.T + bias``, chunk by chunk.

    Args:
        features_ND: in the type in which products are computed.
        elements: logits, or elements of the table, of a chunk on a CPU.
    """

    def __init__(
        self,
        features_ND: torch.Tensor,
        table_VD: torch.Tensor,
        bias_V: torch.Tensor,
        targets_N: torch.Tensor,
        elements: int,
    ) -> None:
        self.positions, self.size = features_ND.shape
        self.dtype = features_ND.dtype
        self._device = features_ND.device
        if self._device.type == "cuda":
            elements = GPU_CHUNK_ELEMENTS
        width = elements // max(self.positions, self.size)
        width = max(MINIMUM_CHUNK, width - width % _WIDTH_MULTIPLE)
        self.width = min(width, len(table_VD))
        self._table_VD = table_VD
        self._scaled_ND = features_ND / LOG2
        self._bias_V = bias_V.float() / LOG2
        self._targets_N = targets_N

    def __len__(self) -> int:
        return -(-len(self._table_VD) // self.width)

    def __iter__(self) -> Iterator[Chunk]:
        sorted_N, order_N = self._targets_N.sort()
        starts = torch.arange(len(self) + 1, device=self._device) * self.width
        bounds = torch.searchsorted(sorted_N, starts).tolist()
        for number in range(len(self)):
            start = number * self.width
            stop = min(start + self.width, len(self._table_VD))
            inside = slice(bounds[number], bounds[number + 1])
            rows_K = order_N[inside]
            places_K = rows_K * (stop - start) + (sorted_N[inside] - start)
            yield Chunk(slice(start, stop), rows_K, places_K)

    def table(self, chunk: Chunk) -> torch.Tensor:
        """Rows of the table in the type of the features, C x D."""
        table_CD = self._table_VD[chunk.columns]
        if table_CD.dtype == self.dtype:
            return table_CD
        return self.rows(chunk).copy_(table_CD)

    def rows(self, chunk: Chunk) -> torch.Tensor:
        """Memory for C x D in the type of the features, until the next chunk."""
        return self._rows_buffer[: _width(chunk)]

    def logits(
        self, chunk: Chunk, table_CD: torch.Tensor, product_NC: torch.Tensor
    ) -> torch.Tensor:
        """Logits in units of log 2, float32; they stand in ``product_NC`` when that is float32."""
        bias_C = self._bias_V[chunk.columns]
        if self.dtype == torch.float32:
            return torch.addmm(bias_C, self._scaled_ND, table_CD.t(), out=product_NC)
        torch.mm(self._scaled_ND, table_CD.t(), out=product_NC)
        # Adding numbers of two types would take a copy of the products in memory of its own.
        logits_NC = self._shape(self._logits_buffer, _width(chunk))
        return logits_NC.copy_(product_NC).add_(bias_C)

    def product(self, chunk: Chunk) -> torch.Tensor:
        """Memory for N x C in the type of the features, until the next chunk."""
        return self._shape(self._product_buffer, _width(chunk))

    def lasting_products(self, limit: int) -> Iterator[torch.Tensor]:
        """Memory for N x C of one chunk after the other that outlives the walk, ``limit`` bytes in
        all at most.

        It is cut from blocks; a block is free again when all that was cut from it is dropped.
        """
        elements = max(self.positions, 1) * self.width
        chunk_bytes = elements * self.dtype.itemsize
        count = min(len(self), limit // chunk_bytes)
        of_block = -(-_BLOCK_BYTES // chunk_bytes)
        for first in range(0, count, of_block):
            size = min(of_block, count - first)
            block = self._empty(size * elements, self.dtype)
            for number in range(first, first + size):
                columns = min(self.width, len(self._table_VD) - number * self.width)
                yield self._shape(block[(number - first) * elements :], columns)

    def _shape(self, memory: torch.Tensor, columns: int) -> torch.Tensor:
        return memory[: self.positions * columns].view(self.positions, columns)

    @cached_property
    def _product_buffer(self) -> torch.Tensor:
        return self._empty(self.positions * self.width, self.dtype)

    @cached_property
    def _logits_buffer(self) -> torch.Tensor:
        return self._empty(self.positions * self.width, torch.float32)

    @cached_property
    def _rows_buffer(self) -> torch.Tensor:
        return self._empty(self.width * self.size, self.dtype).view(self.width, self.size)

    def _empty(self, elements: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(elements, dtype=dtype, device=self._device)


def _width(chunk: Chunk) -> int:
    return chunk.columns.stop - chunk.columns.start
