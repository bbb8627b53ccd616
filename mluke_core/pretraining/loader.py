"""From sequences to masked batches.

Any process asks for any range of places and gets the same batch: order, masks and replacement
words follow from the seed, the stage and the place.

Shapes: T words with special tokens, B sequences.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from mluke_core.errors import ConfigError
from mluke_core.modeling.inputs import PackedBatch
from mluke_core.modeling.prediction import Targets
from mluke_core.pretraining.collate import MaskShares, Vocabulary, collate
from mluke_core.pretraining.hashing import key_of, mix
from mluke_core.pretraining.sampling import SamplingPlan
from mluke_core.pretraining.shards import Row, UnpackedRows

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
        return self._collate(rows, mix(self._mask_key, np.arange(start, stop)), device)

    def micro_batches(
        self, start: int, stop: int, size: int, tokens: int, multiple: int
    ) -> list[tuple[int, int]]:
        """Cut the places ``start`` to ``stop - 1`` into micro-batches: (first, last + 1) of each.

        The places and their order stay the same however they are cut.

        Args:
            size: sequences of a micro-batch, at most.
            tokens: words and entities of a micro-batch, at most; 0: no such limit. A sequence
                that is longer stands alone.
            multiple: there are as many micro-batches as this number of processes can share evenly.

        Raises:
            ConfigError: when there are fewer sequences than processes.
        """
        limit = tokens or math.inf
        languages, numbers = self.plan.draw(start, stop)
        bounds, held = [start], 0
        for place, (language, number) in enumerate(
            zip(languages.tolist(), numbers.tolist(), strict=True), start
        ):
            length = 2 + self.training[self.plan.languages[language]].length(number)
            if place > bounds[-1] and (place - bounds[-1] == size or held + length > limit):
                bounds.append(place)
                held = 0
            held += length
        bounds.append(stop)
        while (len(bounds) - 1) % multiple:
            widest = int(np.argmax(np.diff(bounds)))
            middle = (bounds[widest] + bounds[widest + 1]) // 2
            if middle == bounds[widest]:
                raise ConfigError(
                    f"pretraining: {stop - start} sequences cannot be shared by {multiple}"
                    " processes. Raise batch_size."
                )
            bounds.insert(widest + 1, middle)
        return list(itertools.pairwise(bounds))

    def validation_batches(
        self, language: str, limit: int, size: int, device: str | torch.device = "cpu"
    ) -> Iterator[tuple[PackedBatch, Targets]]:
        """The first ``limit`` validation sequences of a language, always masked alike."""
        rows = self.validation[language]
        key = key_of(self._validation_key, language)
        for start in range(0, min(limit, len(rows)), size):
            numbers = range(start, min(start + size, limit, len(rows)))
            keys = mix(key, np.array(numbers, dtype=np.int64))
            yield self._collate([rows.row(number) for number in numbers], keys, device)

    def _collate(
        self, rows: Sequence[Row], keys_B: NDArray[np.uint64], device: str | torch.device
    ) -> tuple[PackedBatch, Targets]:
        return collate(rows, keys_B, self.vocabulary, self.shares, device)
