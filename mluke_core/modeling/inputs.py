"""Inputs of the model: sequences of tokens and entities, packed without padding.

Shapes: T words of all sequences, E entities of all sequences, M (entity, position) pairs,
L = T + E rows of the encoder, B sequences.

Inside the encoder the rows of one sequence stand together, its words before its entities, and
sequences of equal length stand side by side, so that attention can run over them as one block
without a copy. Outputs are given in the order of the input.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Example:
    """One input sequence.

    Entity spans count tokens of ``input_ids``, end exclusive; position 0 is the first special
    token. A span may be empty: its entity then has no position.
    """

    input_ids: Sequence[int]
    """Word ids as the model sees them, special tokens included."""
    entity_ids: Sequence[int] = ()
    entity_spans: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True)
class PackedBatch:
    """A batch without padding; rows of sequence i are ``word_offsets[i]`` to ``[i + 1]``."""

    word_ids_T: torch.Tensor
    word_positions_T: torch.Tensor
    """Position within the sequence, from 0."""
    entity_ids_E: torch.Tensor
    mention_positions_M: torch.Tensor
    """Positions of all mentions, one mention after the other."""
    mention_starts_E: torch.Tensor
    """Where each entity's positions start in ``mention_positions_M``."""
    layout_L: torch.Tensor
    """Row of the concatenation [words, entities] that stands at each row of the encoder."""
    word_rows_T: torch.Tensor
    """Row of the encoder that holds each word."""
    entity_rows_E: torch.Tensor
    """Row of the encoder that holds each entity."""
    blocks: tuple[tuple[int, int], ...]
    """(number of sequences, rows of each) in the encoder's order."""
    word_offsets: NDArray[np.int64]
    entity_offsets: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of sequences."""
        return len(self.word_offsets) - 1

    @property
    def maximum_length(self) -> int:
        """Words of the longest sequence."""
        return int(np.diff(self.word_offsets).max(initial=0))

    def to(self, device: torch.device) -> PackedBatch:
        """The batch on a device."""
        tensors: dict[str, Any] = {
            name: copy_to(value, device)
            for name, value in vars(self).items()
            if isinstance(value, torch.Tensor)
        }
        return replace(self, **tensors)


def copy_to(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy to a device without waiting for what it still has to do."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def pack(examples: Sequence[Example], device: str | torch.device = "cpu") -> PackedBatch:
    """Concatenate examples into one batch.

    Raises:
        ValueError: for an example without words, a different number of entities and spans, or a
            span that reaches outside the example.

    >>> batch = pack([Example([0, 7, 2], [5], [(1, 2)]), Example([0, 8, 9, 2])])
    >>> batch.word_offsets.tolist(), batch.entity_offsets.tolist()
    ([0, 3, 7], [0, 1, 1])
    """
    for number, example in enumerate(examples):
        if len(example.entity_ids) != len(example.entity_spans):
            raise ValueError(
                f"example {number}: {len(example.entity_ids)} entities but"
                f" {len(example.entity_spans)} spans"
            )
    spans = np.array(
        [span for example in examples for span in example.entity_spans], dtype=np.int64
    ).reshape(-1, 2)
    return pack_arrays(
        _flatten([example.input_ids for example in examples]),
        offsets_of([len(example.input_ids) for example in examples]),
        _flatten([example.entity_ids for example in examples]),
        offsets_of([len(example.entity_ids) for example in examples]),
        spans[:, 0],
        spans[:, 1],
        device,
    )


def pack_arrays(
    word_ids_T: NDArray[np.int64],
    word_offsets: NDArray[np.int64],
    entity_ids_E: NDArray[np.int64],
    entity_offsets: NDArray[np.int64],
    starts_E: NDArray[np.int64],
    ends_E: NDArray[np.int64],
    device: str | torch.device = "cpu",
) -> PackedBatch:
    """Pack sequences that are concatenated already; the arguments are as in :class:`Example`."""
    word_lengths = word_offsets[1:] - word_offsets[:-1]
    entity_lengths = entity_offsets[1:] - entity_offsets[:-1]
    _check_spans(word_lengths, entity_lengths, starts_E, ends_E)
    mention_lengths = ends_E - starts_E
    mention_starts = offsets_of(mention_lengths)[:-1]
    lengths = word_lengths + entity_lengths
    order = np.argsort(lengths, kind="stable")
    row_starts = np.empty_like(lengths)
    row_starts[order] = offsets_of(lengths[order])[:-1]
    # Sorted by length, and in each sequence its words before its entities.
    firsts, runs = np.empty((2, len(lengths), 2), dtype=np.int64)
    firsts[:, 0], firsts[:, 1] = word_offsets[:-1], entity_offsets[:-1] + len(word_ids_T)
    runs[:, 0], runs[:, 1] = word_lengths, entity_lengths
    run_lengths = runs[order].ravel()
    blocks = tuple((count, length) for length, count in Counter(lengths[order].tolist()).items())

    # Every index is a run of consecutive numbers for each sequence or mention.
    numbers = np.arange(max(len(word_ids_T) + len(entity_ids_E), int(mention_lengths.sum())))

    def numbered(
        starts: NDArray[np.int64], places: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Runs that count from ``starts`` on, each as long as its length, one after the other."""
        counted = np.repeat(starts - places, lengths)
        counted += numbers[: len(counted)]
        return counted

    word_places, entity_places = word_offsets[:-1], entity_offsets[:-1]
    word_positions = numbered(np.zeros_like(lengths), word_places, word_lengths)
    word_rows = numbered(row_starts, word_places, word_lengths)
    entity_rows = numbered(row_starts + word_lengths, entity_places, entity_lengths)
    layout = numbered(firsts[order].ravel(), offsets_of(run_lengths)[:-1], run_lengths)
    mention_positions = numbered(starts_E, mention_starts, mention_lengths)

    def tensor(array: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64)).to(device)

    return PackedBatch(
        word_ids_T=tensor(word_ids_T),
        word_positions_T=tensor(word_positions),
        entity_ids_E=tensor(entity_ids_E),
        mention_positions_M=tensor(mention_positions),
        mention_starts_E=tensor(mention_starts),
        layout_L=tensor(layout),
        word_rows_T=tensor(word_rows),
        entity_rows_E=tensor(entity_rows),
        blocks=blocks,
        word_offsets=word_offsets,
        entity_offsets=entity_offsets,
    )


def _check_spans(
    word_lengths: NDArray[np.int64],
    entity_lengths: NDArray[np.int64],
    starts_E: NDArray[np.int64],
    ends_E: NDArray[np.int64],
) -> None:
    if (word_lengths == 0).any():
        raise ValueError(f"example {int(np.argmin(word_lengths))}: no words")
    limits_E = np.repeat(word_lengths, entity_lengths)
    wrong_E = (starts_E < 0) | (ends_E < starts_E) | (ends_E > limits_E)
    if wrong_E.any():
        entity = int(np.argmax(wrong_E))
        example = int(np.searchsorted(np.cumsum(entity_lengths), entity, side="right"))
        raise ValueError(
            f"example {example}: entity span ({starts_E[entity]}, {ends_E[entity]}) is not within"
            f" its {limits_E[entity]} words"
        )


def _flatten(rows: Sequence[ArrayLike]) -> NDArray[np.int64]:
    if not rows:
        return np.zeros(0, dtype=np.int64)
    return np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])


def offsets_of(lengths: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Cumulative sums with a leading 0."""
    result = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=result[1:])
    return result
