"""From sequences to a masked batch.

Shapes: T words with special tokens, E entities, B sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mluke_core.modeling.inputs import PackedBatch, offsets_of, pack_arrays
from mluke_core.modeling.prediction import Targets
from mluke_core.pretraining.masking import choose, hide_words
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
    word_offsets = offsets_of([len(row.input_ids) + 2 for row in rows])
    ids_T = np.empty(word_offsets[-1], dtype=np.int64)
    for start, row in zip(word_offsets.tolist(), rows, strict=False):
        ids_T[start + 1 : start + 1 + len(row.input_ids)] = row.input_ids
    ids_T[word_offsets[:-1]] = vocabulary.bos_id
    ids_T[word_offsets[1:] - 1] = vocabulary.eos_id

    entity_mask_id = vocabulary.entity_mask_id
    with_entities = entity_mask_id is not None
    entity_offsets = offsets_of([len(row.entity_ids) if with_entities else 0 for row in rows])
    chosen = choose(
        word_offsets[1:] - word_offsets[:-1] - 2,
        entity_offsets[1:] - entity_offsets[:-1],
        keys_B,
        shares.words,
        shares.entities,
    )
    # Words of sequence i move right by its own first token and both special tokens of those before.
    moved_B = 2 * np.arange(len(rows)) + 1
    places = chosen.words_K + np.repeat(moved_B, chosen.words_of_B)
    words = ids_T[places]
    ids_T[places] = hide_words(words, chosen.names_K, vocabulary.mask_id, vocabulary.word_count)

    entities = starts = ends = hidden = np.zeros(0, dtype=np.int64)
    if entity_mask_id is not None:
        entities = _join([row.entity_ids for row in rows])
        # + 1: the model counts the first special token as position 0.
        starts = _join([row.starts for row in rows]) + 1
        ends = _join([row.ends for row in rows]) + 1
        hidden = entities[chosen.entities]
        entities[chosen.entities] = entity_mask_id
    batch = pack_arrays(
        ids_T,
        word_offsets,
        entities,
        entity_offsets,
        starts,
        ends,
        device,
    )
    targets = (places, words, chosen.entities, hidden)
    return batch, Targets(*(torch.from_numpy(array).to(device) for array in targets))


def _join(arrays: list[NDArray[Any]]) -> NDArray[np.int64]:
    return np.concatenate(arrays, dtype=np.int64)
