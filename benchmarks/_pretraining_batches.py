"""Batches for the benchmark of pretraining: lengths as in real text, ids at random.

The tables are quantiles (0, 5, …, 100 %) of the 19,236 sequences of at most 510 words that
``build_sequences`` makes of the excerpts of scale ``sample`` (24 languages) when every link target
counts as an entity: an excerpt holds too few pages for a vocabulary of its own to cover its links
as the full one does. Padding these to the longest of four wastes 7 % of the words and 46 % of the
entities.

Shapes: B sequences, S longest, E most entities, M longest mention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from mluke_core.modeling.inputs import PackedBatch
from mluke_core.modeling.prediction import Targets
from mluke_core.pretraining.collate import MaskShares, Vocabulary, collate
from mluke_core.pretraining.shards import COLUMNS, Row

WORDS_OF_SEQUENCE = (
    *(5, 299, 439, 459, 468, 475, 479, 483, 486, 489, 492),
    *(494, 497, 499, 501, 502, 504, 506, 507, 509, 510),
)
ENTITIES_OF_SEQUENCE = (
    1,
    2,
    4,
    6,
    7,
    9,
    10,
    12,
    13,
    15,
    17,
    19,
    21,
    23,
    25,
    28,
    32,
    37,
    43,
    53,
    115,
)
WORDS_OF_MENTION = (1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 6, 7, 9, 30)
MAXIMUM_MENTION = 30
FIRST_WORD, FIRST_ENTITY = 4, 3
PAD, BOS, EOS = 1, 0, 2
ENTITY_PAD, ENTITY_MASK = 0, 2
IGNORED = -100


@dataclass(frozen=True)
class Sizes:
    """Vocabularies of the model that is measured, and the longest sequence."""

    words: int
    entities: int
    longest: int = 512

    @property
    def vocabulary(self) -> Vocabulary:
        """As the loader wants it; the last word is the mask."""
        return Vocabulary(self.words, BOS, EOS, self.words - 1, ENTITY_MASK)


def _draw(quantiles: tuple[int, ...], generator: np.random.Generator, count: int) -> np.ndarray:
    places = np.linspace(0, 1, len(quantiles))
    return np.interp(generator.random(count), places, quantiles).round().astype(np.int64)


def make_rows(count: int, sizes: Sizes, seed: int) -> list[Row]:
    """Sequences without special tokens, as the shards hold them."""
    generator = np.random.default_rng(seed)
    lengths = np.minimum(_draw(WORDS_OF_SEQUENCE, generator, count), sizes.longest - 2)
    rows = []
    for length in lengths.tolist():
        # A short page tail has fewer links than a full sequence.
        entities = int(min(_draw(ENTITIES_OF_SEQUENCE, generator, 1)[0], max(1, length // 4)))
        mentions = np.minimum(_draw(WORDS_OF_MENTION, generator, entities), length)
        starts = np.sort(generator.integers(0, length - mentions + 1))
        rows.append(
            Row(
                generator.integers(FIRST_WORD, sizes.words - 1, length).astype(np.int32),
                generator.integers(FIRST_ENTITY, sizes.entities, entities).astype(np.int32),
                starts.astype(np.int16),
                np.minimum(starts + mentions, length).astype(np.int16),
            )
        )
    return rows


def write_rows(rows: Sequence[Row], path: Path) -> Path:
    """Rows as ``unpack_shard`` leaves them, for :class:`UnpackedRows`. Returns the path."""
    columns = [
        pa.array([getattr(row, name) for row in rows], pa.list_(kind))
        for name, kind in zip(
            COLUMNS, (pa.int32(), pa.int32(), pa.int16(), pa.int16()), strict=True
        )
    ]
    batch = pa.record_batch(columns, names=list(COLUMNS))
    with pa.ipc.new_file(path, batch.schema) as sink:
        sink.write_batch(batch)
    return path


def make_batches(
    count: int, size: int, sizes: Sizes, seed: int = 1
) -> list[tuple[PackedBatch, Targets]]:
    """Masked batches, as the loader gives them."""
    rows = make_rows(count * size, sizes, seed)
    return [
        collate(
            rows[start : start + size],
            np.arange(start, start + size, dtype=np.uint64),
            sizes.vocabulary,
            MaskShares(0.15, 0.15),
        )
        for start in range(0, len(rows), size)
    ]


def padded(batch: PackedBatch, targets: Targets) -> dict[str, torch.Tensor]:
    """The same batch as ``transformers.LukeForMaskedLM`` takes it: every row padded."""
    words_B, entities_B = np.diff(batch.word_offsets), np.diff(batch.entity_offsets)
    kept_BS = _kept(words_B)
    kept_BE = _kept(entities_B)
    positions_EM = torch.full((len(batch.entity_ids_E), MAXIMUM_MENTION), -1)
    ends = torch.cat([batch.mention_starts_E[1:], torch.tensor([len(batch.mention_positions_M)])])
    mention_lengths_E = (ends - batch.mention_starts_E).numpy()
    positions_EM[:, : int(mention_lengths_E.max(initial=0))][_kept(mention_lengths_E)] = (
        batch.mention_positions_M
    )
    labels_T = torch.full_like(batch.word_ids_T, IGNORED)
    labels_T[targets.words_W] = targets.word_ids_W
    entity_labels_E = torch.full_like(batch.entity_ids_E, IGNORED)
    entity_labels_E[targets.entities_K] = targets.entity_ids_K

    def fill(kept: torch.Tensor, values: torch.Tensor, padding: int) -> torch.Tensor:
        result = values.new_full((*kept.shape, *values.shape[1:]), padding)
        result[kept] = values
        return result

    return {
        "input_ids": fill(kept_BS, batch.word_ids_T, PAD),
        "attention_mask": kept_BS.long(),
        "entity_ids": fill(kept_BE, batch.entity_ids_E, ENTITY_PAD),
        "entity_attention_mask": kept_BE.long(),
        "entity_position_ids": fill(kept_BE, positions_EM, -1),
        "labels": fill(kept_BS, labels_T, IGNORED),
        "entity_labels": fill(kept_BE, entity_labels_E, IGNORED),
    }


def _kept(lengths_B: np.ndarray) -> torch.Tensor:
    longest = int(lengths_B.max(initial=0))
    return torch.from_numpy(np.arange(longest) < lengths_B[:, None])
