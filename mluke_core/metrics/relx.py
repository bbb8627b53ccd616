"""Relation extraction: macro F1 over relations, with both directions of a relation pooled.

Labels are KBP-37's: ``org:members(e1,e2)``, ``org:members(e2,e1)``, …, ``no_relation``. A
prediction is right when the directed label is right; a relation's F1 pools its two directed
labels (micro F1 of the pair), and the score is the plain mean over relations. ``no_relation`` has
no F1 of its own, but taking it for a relation, or the reverse, costs precision or recall.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mluke_core.metrics.counts import Counts

NO_RELATION = "no_relation"

_DIRECTED = re.compile(r"^(?P<relation>.+)\((?P<direction>e1,e2|e2,e1)\)$")


@dataclass(frozen=True)
class RelationScores:
    """Scores in percent; ``confusion`` counts (gold label, predicted label)."""

    macro_f1: float
    micro_f1: float
    accuracy: float
    per_relation: dict[str, Counts]
    confusion: Counter[tuple[str, str]]


def relation_of(label: str) -> str:
    """The relation of a directed label; a label without direction is its own relation.

    >>> relation_of("org:top_members/employees(e2,e1)"), relation_of("no_relation")
    ('org:top_members/employees', 'no_relation')
    """
    match = _DIRECTED.match(label)
    return match["relation"] if match else label


def relations_of(labels: Iterable[str]) -> list[str]:
    """Sorted relations of directed labels, without ``no_relation``.

    >>> relations_of(["no_relation", "per:spouse(e2,e1)", "per:spouse(e1,e2)"])
    ['per:spouse']
    """
    return sorted({relation_of(label) for label in labels} - {NO_RELATION})


def evaluate(
    golds: Sequence[str], predictions: Sequence[str], relations: Sequence[str] | None = None
) -> RelationScores:
    """Score directed labels.

    Args:
        golds: gold label of each example.
        predictions: predicted label of each example, in the same order.
        relations: the relations to average over (the 18 of KBP-37); a relation that occurs
            neither in gold nor in the predictions counts as 0, as scikit-learn counts it.
            None: those that occur in either.

    Raises:
        ValueError: the two sequences differ in length.

    >>> gold = ["r(e1,e2)", "r(e2,e1)", "s(e1,e2)", "no_relation"]
    >>> scores = evaluate(gold, ["r(e1,e2)", "r(e1,e2)", "s(e1,e2)", "s(e1,e2)"])
    >>> round(scores.per_relation["s"].f1, 2), round(scores.macro_f1, 2)
    (66.67, 58.33)
    """
    if len(golds) != len(predictions):
        raise ValueError(f"{len(golds)} gold labels but {len(predictions)} predictions")
    if relations is None:
        relations = relations_of([*golds, *predictions])
    confusion = Counter(zip(golds, predictions, strict=True))
    gold_counts: Counter[str] = Counter()
    predicted_counts: Counter[str] = Counter()
    correct_counts: Counter[str] = Counter()
    for (gold, predicted), count in confusion.items():
        gold_counts[relation_of(gold)] += count
        predicted_counts[relation_of(predicted)] += count
        if gold == predicted:
            correct_counts[relation_of(gold)] += count
    per_relation = {
        relation: Counts(
            gold_counts[relation], predicted_counts[relation], correct_counts[relation]
        )
        for relation in relations
    }
    pooled = Counts(
        sum(counts.gold for counts in per_relation.values()),
        sum(counts.predicted for counts in per_relation.values()),
        sum(counts.correct for counts in per_relation.values()),
    )
    macro = sum(counts.f1 for counts in per_relation.values()) / len(per_relation or [0])
    accuracy = 100.0 * sum(correct_counts.values()) / len(golds) if golds else 0.0
    return RelationScores(macro, pooled.f1, accuracy, per_relation, confusion)
