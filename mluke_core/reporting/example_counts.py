"""What of an example goes into each metric: counts whose totals make the metric.

A counter serves one scorer. It reads the answers once and gives every metric of the score files
that is made of totals: metric -> (N x K counts in the order of the gold examples, measure).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import numpy as np
import numpy.typing as npt

from mluke_core.metrics import relx
from mluke_core.metrics.lama import NEVER
from mluke_core.metrics.significance import (
    Floats,
    Measure,
    f1,
    macro_f1,
    macro_rate,
    micro_f1,
    precision,
    rate,
    recall,
)
from mluke_core.metrics.spans import Span
from mluke_core.tasks.scorers import RelxScorer, Scorer, SpansScorer, SquadScorer


@dataclass(frozen=True)
class Counted:
    """One metric: how to count its examples, and the measure of the totals."""

    count: Callable[[], Floats]
    """Makes the N x K counts. Only when asked: a mean over relations has many, seldom looked at."""
    measure: Measure
    classes: tuple[str, ...] = field(default=())
    """What the counts are grouped by (relations); systems with other classes are not compared."""


def answer_counts(gold: Scorer, given: Mapping[str, str]) -> dict[str, Counted]:
    """``f1`` and ``em`` of questions."""
    found = cast(SquadScorer, gold).evaluate(given).per_question
    scores_N2 = np.array([found.get(example, (0.0, 0.0)) for example in gold.ids])
    return {
        "f1": Counted(partial(_shares, scores_N2[:, 1]), rate),
        "em": Counted(partial(_shares, scores_N2[:, 0]), rate),
    }


def relation_counts(gold: Scorer, given: Mapping[str, str]) -> dict[str, Counted]:
    """``macro_f1``, ``micro_f1`` and ``accuracy`` of labels."""
    scorer = cast(RelxScorer, gold)
    number = {relation: index for index, relation in enumerate(scorer.relations)}
    counts_NK = np.zeros((len(scorer.ids), 3 * len(number)))
    right = np.zeros(len(scorer.ids))
    for row, (example, label) in enumerate(zip(scorer.ids, scorer.golds, strict=True)):
        predicted = given.get(example, relx.NO_RELATION)
        right[row] = label == predicted
        for offset, text in enumerate((label, predicted)):
            index = number.get(relx.relation_of(text))
            if index is not None:
                counts_NK[row, 3 * index + offset] = 1
                counts_NK[row, 3 * index + 2] = right[row]
    classes = tuple(scorer.relations)
    return {
        "macro_f1": Counted(lambda: counts_NK, macro_f1, classes),
        "micro_f1": Counted(lambda: counts_NK, micro_f1, classes),
        "accuracy": Counted(partial(_shares, right), rate),
    }


def span_counts(gold: Scorer, given: Mapping[str, str]) -> dict[str, Counted]:
    """``f1``, its parts, and ``f1_reachable`` of sentences."""
    scorer = cast(SpansScorer, gold)
    predicted = scorer.found(given)
    all_N3 = _span_rows(scorer.golds, predicted)
    return {
        "f1": Counted(lambda: all_N3, f1),
        "precision": Counted(lambda: all_N3, precision),
        "recall": Counted(lambda: all_N3, recall),
        "f1_reachable": Counted(lambda: _span_rows(scorer.reachable, predicted), f1),
    }


def cloze_counts(
    ranks: npt.NDArray[np.int64], triples: npt.NDArray[np.int64], relations: Sequence[str]
) -> dict[str, Counted]:
    """The measures of :func:`mluke_core.metrics.lama.cloze_scores`, of questions."""
    hits = (ranks == 1).astype(np.float64)
    found = ranks != NEVER
    names, group = np.unique(np.asarray(relations, dtype=object), return_inverse=True)

    def by_relation() -> Floats:
        counts_NR2 = np.zeros((len(hits), len(names), 2))
        counts_NR2[np.arange(len(hits)), group] = _shares(hits)
        return counts_NR2.reshape(len(hits), -1)

    return {
        "micro": Counted(partial(_shares, hits), rate),
        "triple": Counted(lambda: np.stack([hits * triples, triples], axis=1), rate),
        "macro": Counted(by_relation, macro_rate, tuple(names)),
        "p5": Counted(partial(_shares, found & (ranks <= 5)), rate),
        "p10": Counted(partial(_shares, found & (ranks <= 10)), rate),
        "mrr": Counted(partial(_shares, np.where(found, 1 / np.maximum(ranks, 1), 0.0)), rate),
    }


def rank_counts(reciprocal_ranks: Floats) -> dict[str, Counted]:
    """``mrr`` of queries."""
    return {"mrr": Counted(partial(_shares, reciprocal_ranks), rate)}


def _shares(values: npt.NDArray[np.generic]) -> Floats:
    """Counts ``(value, 1)`` of the measure ``rate``."""
    return np.stack([values.astype(np.float64), np.ones(len(values))], axis=1)


def _span_rows(golds: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> Floats:
    rows = []
    for right, answer in zip(golds, predicted, strict=True):
        one, other = set(right), set(answer)
        rows.append([len(one), len(other), len(one & other)])
    return np.array(rows, dtype=np.float64)


COUNTERS: dict[str, Callable[[Scorer, Mapping[str, str]], dict[str, Counted]]] = {
    "squad": answer_counts,
    "mlqa": answer_counts,
    "relx": relation_counts,
    "spans": span_counts,
}
"""By the scorer's name."""
