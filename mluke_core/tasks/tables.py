"""Embedding tables cut down to the rows in use.

A fine-tuning run sees a small part of the 250,000 words and 1.2 million entities. Rows that never
occur have no gradient, so AdamW only shrinks them by weight decay, every step by the same factor
1 - lr·wd. Training the rows in use alone and multiplying the others by the product of those
factors afterwards gives the same tables (up to rounding) without carrying moments for all rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from mluke_core.modeling.encoder import Encoder
from mluke_core.modeling.inputs import PackedBatch, pack_arrays
from mluke_core.modeling.layers import Embedding
from mluke_core.tasks.base import Feature, IntArray


@dataclass(frozen=True)
class Rows:
    """Which ids a table holds: row i holds ``ids[i]``; ids are sorted."""

    ids: IntArray

    @classmethod
    def of(cls, arrays: Iterable[IntArray]) -> Rows:
        """The distinct ids of some arrays.

        >>> Rows.of([np.array([7, 3]), np.array([7])]).ids.tolist()
        [3, 7]
        """
        parts = [np.unique(array) for array in arrays if len(array)]
        return cls(np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64))

    def find(self, ids: IntArray) -> IntArray:
        """Rows of ids; :class:`KeyError` names one that the table does not hold."""
        if not len(ids):
            return ids
        rows = np.searchsorted(self.ids, ids)
        rows = np.minimum(rows, len(self.ids) - 1) if len(self.ids) else rows
        if not len(self.ids) or (self.ids[rows] != ids).any():
            missing = np.setdiff1d(ids, self.ids)
            raise KeyError(f"id {missing[0]} is not among the {len(self.ids)} rows in use")
        return rows


@dataclass(frozen=True)
class Tables:
    """Rows of the word table and of the entity table."""

    words: Rows
    entities: Rows

    @classmethod
    def of(cls, features: Sequence[Feature]) -> Tables:
        """What some inputs need."""
        return cls(
            Rows.of(feature.word_ids for feature in features),
            Rows.of(feature.entity_ids for feature in features),
        )

    def pack(self, features: Sequence[Feature], device: torch.device) -> PackedBatch:
        """A batch whose words and entities are numbered by row."""
        spans = np.concatenate([feature.entity_spans for feature in features])
        return pack_arrays(
            self.words.find(np.concatenate([feature.word_ids for feature in features])),
            _offsets([len(feature.word_ids) for feature in features]),
            self.entities.find(np.concatenate([feature.entity_ids for feature in features])),
            _offsets([len(feature.entity_ids) for feature in features]),
            spans[:, 0],
            spans[:, 1],
            device,
        )


def keep_words(encoder: Encoder, rows: Rows) -> None:
    """Cut the encoder's word table to ``rows``, in place. Call it before an optimizer is made."""
    table = encoder.words.word.weight.detach()
    kept = table[torch.from_numpy(rows.ids)].clone()
    encoder.words.word = Embedding.from_pretrained(kept, freeze=False)


@torch.no_grad()
def overlay(table: nn.Embedding, rows: Rows, tuned: torch.Tensor, ids: IntArray) -> None:
    """Put the fine-tuned rows of ``ids`` into a table that holds ``rows``, where it has them."""
    _, here, there = np.intersect1d(rows.ids, ids, return_indices=True)
    table.weight[torch.from_numpy(here)] = tuned[torch.from_numpy(there)].to(table.weight)


def _offsets(lengths: Sequence[int]) -> IntArray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
