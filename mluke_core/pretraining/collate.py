"""From sequences to a masked batch.

Shapes: T words with special tokens, E entities, B sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mluke_core.modeling.inputs import PackedBatch, pack_arrays
from mluke_core.modeling.prediction import Targets
from mluke_core.pretraining.masking import choose_entities, choose_words, hide_words
from mluke_core.pretraining.shards import Row

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Vocabulary:
    """Ids that a batch needs."""

    word_count: int
    bos_id: int
    eos_id: int
    mask_id: int
    entity_mask_id: int | None
    """None: no entities in the input."""


@dataclass(frozen=True)
class MaskShares:
    """Share of the words and of the entities of a sequence that are to be predicted."""

    words: float
    entities: float


def collate(
    rows: Sequence[Row],
    keys_B: NDArray[np.uint64],
    vocabulary: Vocabulary,
    shares: MaskShares,
    device: str | torch.device = "cpu",
) -> tuple[PackedBatch, Targets]:
    """Mask rows, each by its key, add the special tokens and pack."""
    lengths_B = np.array([len(row.input_ids) for row in rows], dtype=np.int64)
    first, last = (
        np.array([token], dtype=np.int32) for token in (vocabulary.bos_id, vocabulary.eos_id)
    )
    ids_T = _join([part for row in rows for part in (first, row.input_ids, last)])
    chosen, names = choose_words(lengths_B, keys_B, shares.words)
    # Words of sequence i move right by its own first token and both special tokens of those before.
    places = chosen + 2 * np.searchsorted(np.cumsum(lengths_B), chosen, side="right") + 1
    words = ids_T[places]
    ids_T[places] = hide_words(words, names, vocabulary.mask_id, vocabulary.word_count)

    entity_lengths_B = np.zeros(len(rows), dtype=np.int64)
    entities = starts = ends = chosen_entities = hidden = np.zeros(0, dtype=np.int64)
    if vocabulary.entity_mask_id is not None:
        entity_lengths_B = np.array([len(row.entity_ids) for row in rows], dtype=np.int64)
        entities = _join([row.entity_ids for row in rows])
        # + 1: the model counts the first special token as position 0.
        starts = _join([row.starts for row in rows]) + 1
        ends = _join([row.ends for row in rows]) + 1
        chosen_entities = choose_entities(entity_lengths_B, keys_B, shares.entities)
        hidden = entities[chosen_entities]
        entities[chosen_entities] = vocabulary.entity_mask_id
    batch = pack_arrays(
        ids_T,
        np.concatenate([[0], np.cumsum(lengths_B + 2)]),
        entities,
        np.concatenate([[0], np.cumsum(entity_lengths_B)]),
        starts,
        ends,
        device,
    )
    targets = (places, words, chosen_entities, hidden)
    return batch, Targets(*(torch.from_numpy(array).to(device) for array in targets))


def _join(arrays: list[NDArray[Any]]) -> NDArray[np.int64]:
    return np.concatenate(arrays, dtype=np.int64)
