"""From sequences to masked batches.

Any process asks for any range of places and gets the same batch: order, masks and replacement
words follow from the seed, the stage and the place.

Shapes: T words with special tokens, B sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from mluke_core.modeling.inputs import PackedBatch, pack_arrays
from mluke_core.modeling.prediction import Targets
from mluke_core.pretraining.hashing import key_of, mix
from mluke_core.pretraining.masking import mask_entities, mask_words
from mluke_core.pretraining.sampling import SamplingPlan
from mluke_core.pretraining.shards import Row, UnpackedRows

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


class Loader:
    """Training batches by place, and validation batches by language."""

    def __init__(
        self,
        training: Mapping[str, UnpackedRows],
        validation: Mapping[str, UnpackedRows],
        weights: Mapping[str, float],
        vocabulary: Vocabulary,
        shares: MaskShares,
        seed: int,
        stage: str,
    ) -> None:
        self.training = training
        self.validation = validation
        self.vocabulary = vocabulary
        self.shares = shares
        sizes = {language: len(rows) for language, rows in training.items()}
        self.plan = SamplingPlan(weights, sizes, key_of("order", seed, stage))
        self._mask_key = key_of("mask", seed, stage)
        self._validation_key = key_of("validation", seed)

    def batch(
        self, start: int, stop: int, device: str | torch.device = "cpu"
    ) -> tuple[PackedBatch, Targets]:
        """The training batch of the places ``start`` to ``stop - 1``."""
        languages, numbers = self.plan.draw(start, stop)
        rows = [
            self.training[self.plan.languages[language]].row(number)
            for language, number in zip(languages.tolist(), numbers.tolist(), strict=True)
        ]
        return self.collate(rows, mix(self._mask_key, np.arange(start, stop)), device)

    def validation_batches(
        self, language: str, limit: int, size: int, device: str | torch.device = "cpu"
    ) -> Iterator[tuple[PackedBatch, Targets]]:
        """The first ``limit`` validation sequences of a language, always masked alike."""
        rows = self.validation[language]
        key = key_of(self._validation_key, language)
        for start in range(0, min(limit, len(rows)), size):
            numbers = range(start, min(start + size, limit, len(rows)))
            keys = mix(key, np.array(numbers, dtype=np.int64))
            yield self.collate([rows.row(number) for number in numbers], keys, device)

    def collate(
        self, rows: Sequence[Row], keys_B: NDArray[np.uint64], device: str | torch.device = "cpu"
    ) -> tuple[PackedBatch, Targets]:
        """Mask rows (each by its key), add the special tokens and pack."""
        vocabulary = self.vocabulary
        lengths_B = np.array([len(row.input_ids) for row in rows], dtype=np.int64)
        words = np.concatenate([row.input_ids for row in rows]).astype(np.int64)
        hidden, chosen = mask_words(
            words, lengths_B, keys_B, self.shares.words, vocabulary.mask_id, vocabulary.word_count
        )
        # Sequence i moves right by its own first token and both special tokens of those before.
        moved = np.arange(len(words)) + 2 * np.repeat(np.arange(len(rows)), lengths_B) + 1
        offsets = np.concatenate([[0], np.cumsum(lengths_B + 2)])
        ids_T = np.empty(offsets[-1], dtype=np.int64)
        ids_T[offsets[:-1]] = vocabulary.bos_id
        ids_T[offsets[1:] - 1] = vocabulary.eos_id
        ids_T[moved] = hidden

        entity_lengths_B = np.zeros(len(rows), dtype=np.int64)
        entities = starts = ends = hidden_entities = chosen_entities = np.zeros(0, dtype=np.int64)
        if vocabulary.entity_mask_id is not None:
            entity_lengths_B = np.array([len(row.entity_ids) for row in rows], dtype=np.int64)
            entities = np.concatenate([row.entity_ids for row in rows]).astype(np.int64)
            # + 1: the model counts the first special token as position 0.
            starts = np.concatenate([row.starts for row in rows]).astype(np.int64) + 1
            ends = np.concatenate([row.ends for row in rows]).astype(np.int64) + 1
            hidden_entities, chosen_entities = mask_entities(
                entities, entity_lengths_B, keys_B, self.shares.entities, vocabulary.entity_mask_id
            )
        batch = pack_arrays(
            ids_T,
            offsets,
            hidden_entities,
            np.concatenate([[0], np.cumsum(entity_lengths_B)]),
            starts,
            ends,
            device,
        )
        targets = (moved[chosen], words[chosen], chosen_entities, entities[chosen_entities])
        return batch, Targets(*(torch.from_numpy(array).to(device) for array in targets))
