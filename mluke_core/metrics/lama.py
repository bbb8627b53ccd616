"""Measures of the mLAMA cloze: precision at k, mean reciprocal rank, most frequent wrong answer.

Every measure looks at *questions*: one relation with one subject. A question may have several
right objects, and any of them counts: its rank is the rank of its best right object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NEVER = 0
"""Rank of a question none of whose right objects can be predicted: always a miss."""


def cloze_scores(
    ranks: npt.ArrayLike, triples: npt.ArrayLike, relations: Sequence[str]
) -> dict[str, float]:
    """All measures of one language, in percent.

    Args:
        ranks: per question the rank of its best right object, from 1; :data:`NEVER` for none.
        triples: per question the number of (subject, relation, object) triples behind it.
        relations: per question its relation.

    Returns:
        ``micro``: precision at 1, every question counts once (the paper's figure).
        ``triple``: precision at 1, every question counts as often as it has triples.
        ``macro``: mean over relations of precision at 1.
        ``p5``, ``p10``, ``mrr``: every question counts once.
        Empty when there is no question.

    >>> scores = cloze_scores([1, 2, NEVER, 1], [3, 1, 1, 1], ["P19", "P19", "P36", "P36"])
    >>> scores["micro"], round(scores["triple"], 2), scores["macro"], scores["p5"], scores["mrr"]
    (50.0, 66.67, 50.0, 75.0, 62.5)
    """
    ranks_q = np.asarray(ranks, dtype=np.int64)
    triples_q = np.asarray(triples, dtype=np.float64)
    if ranks_q.size == 0:
        return {}
    hits_q = (ranks_q == 1).astype(np.float64)
    per_relation = relation_precision(ranks_q, relations)
    found_q = ranks_q != NEVER
    reciprocal_q = np.where(found_q, 1.0 / np.maximum(ranks_q, 1), 0.0)
    fractions = {
        "micro": hits_q.mean(),
        "triple": (hits_q * triples_q).sum() / triples_q.sum(),
        "macro": np.mean([entry["p1"] for entry in per_relation.values()]) / 100,
        "p5": (found_q & (ranks_q <= 5)).mean(),
        "p10": (found_q & (ranks_q <= 10)).mean(),
        "mrr": reciprocal_q.mean(),
    }
    return {name: 100 * float(value) for name, value in fractions.items()}


def relation_precision(
    ranks: npt.ArrayLike, relations: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Per relation ``{"questions": n, "p1": percent}``, relations sorted by name.

    >>> relation_precision([1, 4], ["P19", "P19"])
    {'P19': {'questions': 2, 'p1': 50.0}}
    """
    hits_q = np.asarray(ranks, dtype=np.int64) == 1
    names, group_q = np.unique(np.asarray(relations, dtype=object), return_inverse=True)
    questions_r = np.bincount(group_q, minlength=len(names))
    hits_r = np.bincount(group_q, weights=hits_q, minlength=len(names))
    return {
        str(name): {"questions": int(questions), "p1": 100 * float(hits / questions)}
        for name, questions, hits in zip(names, questions_r, hits_r, strict=True)
    }


@dataclass(frozen=True)
class WrongAnswer:
    """What a model answers most often when it is wrong (Table 6)."""

    prediction: str | None
    """The answer; None when nothing wrong was ever answered."""
    count: int
    """How often it was given, wrongly."""
    total_wrong: int
    """Questions answered wrongly, those without any answer included."""

    @property
    def ratio_percent(self) -> float:
        """Share of the answer in all wrong ones."""
        return 100 * self.count / self.total_wrong if self.total_wrong else 0.0


def most_frequent_wrong(predictions: Iterable[str], right: Iterable[bool]) -> WrongAnswer:
    """The most frequent wrong top-1 prediction; of equally frequent ones the first by name.

    An empty prediction stands for "no candidate could be scored": it is wrong, but it is never
    the most frequent answer.

    >>> most_frequent_wrong(["Japan", "Japan", "Italy", "Rome"], [False, False, False, True])
    WrongAnswer(prediction='Japan', count=2, total_wrong=3)
    """
    wrong = [prediction for prediction, hit in zip(predictions, right, strict=True) if not hit]
    counts = Counter(prediction for prediction in wrong if prediction)
    if not counts:
        return WrongAnswer(None, 0, len(wrong))
    prediction, count = min(counts.items(), key=lambda item: (-item[1], item[0]))
    return WrongAnswer(prediction, count, len(wrong))
