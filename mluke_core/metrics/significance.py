"""Is the difference between two systems on the same examples more than chance?

Both tests look at counts per example and a measure of their totals, so that they serve accuracy
(one count) as well as a macro F1 (three counts for each relation):

- approximate randomisation (Noreen 1989; Yeh 2000): if the two systems were alike, exchanging
  their answers to any example would change nothing. p is the share of random exchanges whose
  difference is at least as large as the one seen, (1 + hits) / (1 + samples);
- the paired bootstrap (Koehn 2004): examples are drawn with replacement, the same for both; the
  percentiles of the drawn differences are a confidence interval.

Shapes: N examples, K counts of each, S samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Measure = Callable[[Floats], Floats]
"""From totals (any shape, K last) to the measure in percent (the same shape without K)."""

SAMPLES = 10_000
CONFIDENCE = 0.95
# Random numbers of one piece of work: about 30 MB, whatever the number of examples.
CHUNK_ELEMENTS = 4_000_000
# Drawing the number of a kind takes as long as drawing this many examples one by one.
EXAMPLES_PER_KIND = 8
# Exchanges that give the very difference seen must count, whatever the order of additions.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Sample:
    """Two systems' counts for the same examples, in the same order."""

    first_NK: Floats
    second_NK: Floats
    measure: Measure

    def __post_init__(self) -> None:
        if self.first_NK.shape != self.second_NK.shape or self.first_NK.ndim != 2:
            raise ValueError(
                f"counts of shape {self.first_NK.shape} and {self.second_NK.shape}: "
                "both systems need N x K counts of the same examples"
            )
        if not len(self.first_NK):
            raise ValueError("no examples to compare")

    @property
    def difference(self) -> float:
        """The second system's measure less the first's."""
        first, second = self.measure(self.first_NK.sum(0)), self.measure(self.second_NK.sum(0))
        return float(second - first)


@dataclass(frozen=True)
class Significance:
    """What the tests say about ``second - first``."""

    difference: float
    p: float
    """Two-sided, by approximate randomisation."""
    low: float
    high: float
    """Bootstrap interval of the difference."""
    examples: int


def rate(totals: Floats) -> Floats:
    """Measure of counts ``(score, 1)``: the mean score in percent.

    >>> float(rate(np.array([3.0, 4.0])))
    75.0
    """
    return 100.0 * totals[..., 0] / totals[..., 1]


def f1(totals: Floats) -> Floats:
    """Measure of counts ``(gold, predicted, correct)``: F1 in percent; 0 without any.

    >>> float(f1(np.array([4.0, 2.0, 1.0]))), float(f1(np.zeros(3)))
    (33.333333333333336, 0.0)
    """
    both = totals[..., 0] + totals[..., 1]
    return 200.0 * totals[..., 2] / np.where(both > 0, both, 1.0)


def precision(totals: Floats) -> Floats:
    """Measure of counts ``(gold, predicted, correct)``: precision in percent; 0 without any."""
    return 100.0 * totals[..., 2] / np.where(totals[..., 1] > 0, totals[..., 1], 1.0)


def recall(totals: Floats) -> Floats:
    """Measure of counts ``(gold, predicted, correct)``: recall in percent; 0 without any."""
    return 100.0 * totals[..., 2] / np.where(totals[..., 0] > 0, totals[..., 0], 1.0)


def micro_f1(totals: Floats) -> Floats:
    """Measure of ``(gold, predicted, correct)`` for each of K / 3 classes: F1 of their sums."""
    return f1(totals.reshape(*totals.shape[:-1], -1, 3).sum(-2))


def macro_rate(totals: Floats) -> Floats:
    """Measure of ``(score, number)`` for each of K / 2 classes: mean of their rates in percent.

    A class without examples, as a random draw may leave it, does not count.

    >>> float(macro_rate(np.array([1.0, 2, 3, 3, 0, 0])))
    75.0
    """
    score, number = np.moveaxis(totals.reshape(*totals.shape[:-1], -1, 2), -1, 0)
    rates = 100.0 * score / np.where(number > 0, number, 1.0)
    return rates.sum(-1) / np.maximum((number > 0).sum(-1), 1)


def macro_f1(totals: Floats) -> Floats:
    """Measure of ``(gold, predicted, correct)`` for each of K / 3 classes: their mean F1."""
    return f1(totals.reshape(*totals.shape[:-1], -1, 3)).mean(-1)


def compare(samples: Sequence[Sample], draws: int = SAMPLES, seed: int = 0) -> Significance:
    """Compare two systems on one set of examples, or on the mean of several sets.

    Args:
        samples: one set; or several (the languages of an average), each drawn by itself.
        draws: number of random exchanges, and of bootstrap samples.
        seed: of the random numbers.

    >>> better = Sample(np.array([[0.0, 1]] * 12), np.array([[1.0, 1]] * 12), rate)
    >>> found = compare([better], draws=4000)
    >>> found.difference, found.p < 0.01, (found.low, found.high)
    (100.0, True, (100.0, 100.0))
    """
    if not samples:
        raise ValueError("nothing to compare")
    difference = float(np.mean([sample.difference for sample in samples]))
    exchanged_S, drawn_S = np.zeros(draws), np.zeros(draws)
    for number, sample in enumerate(samples):
        generator = np.random.default_rng([seed, number])
        exchanged_S += exchanged_differences(sample, draws, generator)
        drawn_S += bootstrap_differences(sample, draws, generator)
    exchanged_S /= len(samples)
    hits = int((np.abs(exchanged_S) >= abs(difference) - ROUNDING).sum())
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn_S / len(samples), [tail, 100 - tail])
    return Significance(
        difference,
        (1 + hits) / (1 + draws),
        float(low),
        float(high),
        sum(len(sample.first_NK) for sample in samples),
    )


def exchanged_differences(sample: Sample, draws: int, generator: np.random.Generator) -> Floats:
    """Differences (S) after exchanging the two systems' answers to half of the examples."""
    total_K = sample.first_NK.sum(0)
    both_K = total_K + sample.second_NK.sum(0)
    gap_NK = sample.second_NK - sample.first_NK
    # Examples that both got alike can be left out: exchanging them changes nothing.
    gap_NK = gap_NK[gap_NK.any(1)]
    pieces = []
    for size in _chunks(draws, len(gap_NK)):
        bits = np.unpackbits(
            generator.integers(0, 256, (size, -(-len(gap_NK) // 8)), dtype=np.uint8),
            axis=1,
            count=len(gap_NK),
        )
        first_SK = total_K + bits.astype(np.float64) @ gap_NK
        pieces.append(sample.measure(both_K - first_SK) - sample.measure(first_SK))
    return np.concatenate(pieces)


def bootstrap_differences(sample: Sample, draws: int, generator: np.random.Generator) -> Floats:
    """Differences (S) on examples drawn with replacement.

    Examples on which both systems have the same counts are of one *kind*. How often each kind is
    drawn follows a multinomial distribution, so that nothing grows with the number of examples:
    35,000 right and wrong answers are of four kinds.
    """
    counts_NK = np.concatenate([sample.first_NK, sample.second_NK], axis=1)
    kinds_UK, number_U = np.unique(counts_NK, axis=0, return_counts=True)
    examples, kinds = len(counts_NK), len(kinds_UK)
    if kinds * EXAMPLES_PER_KIND > examples:
        return _drawn_one_by_one(sample, draws, generator)
    first_UK, second_UK = np.split(kinds_UK, 2, axis=1)
    pieces = []
    for size in _chunks(draws, kinds):
        times_SU = generator.multinomial(examples, number_U / examples, size).astype(np.float64)
        pieces.append(sample.measure(times_SU @ second_UK) - sample.measure(times_SU @ first_UK))
    return np.concatenate(pieces)


def _drawn_one_by_one(sample: Sample, draws: int, generator: np.random.Generator) -> Floats:
    examples = len(sample.first_NK)
    pieces = []
    for size in _chunks(draws, examples):
        drawn = generator.integers(0, examples, (size, examples), dtype=np.int32)
        drawn += np.arange(size, dtype=np.int32)[:, None] * examples
        times_SN = np.bincount(drawn.ravel(), minlength=size * examples).reshape(size, examples)
        times_SN = times_SN.astype(np.float64)
        first_S = sample.measure(times_SN @ sample.first_NK)
        pieces.append(sample.measure(times_SN @ sample.second_NK) - first_S)
    return np.concatenate(pieces)


def _chunks(draws: int, width: int) -> Iterator[int]:
    size = max(1, CHUNK_ELEMENTS // max(1, width))
    for first in range(0, draws, size):
        yield min(size, draws - first)
