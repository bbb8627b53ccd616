"""Which sequence stands at which place of the training data.

The whole order follows from the seed: place g holds a sequence of a language drawn by its weight,
and within a language every sequence is used once before any is used again. Nothing depends on the
number of processes, so any of them can compute any place, and a run resumes at a step number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mluke_core.pretraining.hashing import key_of, permuted

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Languages are drawn for this many places at a time: few enough to draw in a millisecond, so many
# that counting the blocks before place one thousand million takes half a second.
BLOCK = 1 << 16
# Sequences are worked out for this many places at a time: permuting one costs as much as many.
WINDOW = 1 << 10
_REMEMBERED = 8


class SamplingPlan:
    """Draws (language, sequence) for every place of the global order.

    Args:
        weights: of the languages, in any unit; the order of its keys numbers the languages.
        sizes: training sequences of each language; those with none are never drawn.
        key: 64-bit key of this stage's order.
    """

    def __init__(self, weights: Mapping[str, float], sizes: Mapping[str, int], key: int) -> None:
        self.languages = list(weights)
        self.sizes = np.array([sizes[language] for language in self.languages], dtype=np.int64)
        shares = np.array([weights[language] for language in self.languages], dtype=np.float64)
        shares[self.sizes == 0] = 0
        if shares.sum() <= 0:
            raise ValueError("no language has both a weight and a sequence")
        self.shares = shares / shares.sum()
        self.key = key
        self._draws_before = [np.zeros(len(self.languages), dtype=np.int64)]
        self._windows: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        self._block: tuple[int, NDArray[np.int64], NDArray[np.int64]] | None = None

    def draw(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Language number and sequence number of the places ``start`` to ``stop - 1``."""
        size = min(WINDOW, BLOCK)
        first = start // size
        windows = [self._window(number, size) for number in range(first, (stop - 1) // size + 1)]
        inside = slice(start - first * size, stop - first * size)
        languages, sequences = (np.concatenate(parts) for parts in zip(*windows, strict=True))
        return languages[inside], sequences[inside]

    def _window(self, number: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Languages and sequences of one window of places; the last few are remembered."""
        if number not in self._windows:
            if len(self._windows) >= _REMEMBERED:
                self._windows.clear()
            block, start = divmod(number * size, BLOCK)
            languages, ordinals = (part[start : start + size] for part in self._draw_block(block))
            self._windows[number] = (languages, self._sequences(languages, ordinals))
        return self._windows[number]

    def _sequences(
        self, languages: NDArray[np.int64], ordinals: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The sequence that a language's ``ordinal``-th draw gives."""
        sequences = np.empty_like(ordinals)
        sizes = self.sizes[languages]
        epochs = ordinals // sizes
        for language, epoch in set(zip(languages.tolist(), epochs.tolist(), strict=True)):
            places = (languages == language) & (epochs == epoch)
            size = int(self.sizes[language])
            key = key_of(self.key, self.languages[language], epoch)
            sequences[places] = permuted(key, ordinals[places] % size, size)
        return sequences

    def _draw_block(self, block: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self._block is None or self._block[0] != block:
            while len(self._draws_before) <= block:
                counts = self._counts(self._generator(len(self._draws_before) - 1))
                self._draws_before.append(self._draws_before[-1] + counts)
            generator = self._generator(block)
            counts = self._counts(generator)
            languages = generator.permutation(np.repeat(np.arange(len(counts)), counts))
            ordinals = np.empty(BLOCK, dtype=np.int64)
            for language, before in enumerate(self._draws_before[block].tolist()):
                places = np.flatnonzero(languages == language)
                ordinals[places] = before + np.arange(len(places))
            self._block = (block, languages, ordinals)
        return self._block[1], self._block[2]

    def _generator(self, block: int) -> np.random.Generator:
        return np.random.default_rng([self.key, block])

    def _counts(self, generator: np.random.Generator) -> NDArray[np.int64]:
        return generator.multinomial(BLOCK, self.shares)
