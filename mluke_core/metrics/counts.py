"""Gold, predicted and right: the three counts behind precision, recall and F1."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """How many there are, how many were predicted, how many of those are right; rates in percent.

    >>> Counts(gold=4, predicted=2, correct=1).f1
    33.333333333333336
    """

    gold: int
    predicted: int
    correct: int

    @property
    def precision(self) -> float:
        """Share of the predicted that is right; 0 when nothing was predicted."""
        return 100.0 * self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold that was found; 0 when there is no gold."""
        return 100.0 * self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two, 2·correct / (gold + predicted); 0 when there is neither."""
        total = self.gold + self.predicted
        return 200.0 * self.correct / total if total else 0.0
