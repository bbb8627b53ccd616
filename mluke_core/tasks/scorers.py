"""Score one column of a test collection for one run, by the rules of its data set.

A scorer reads the gold file once per column and turns ``{example id: prediction}`` into metrics.
Nothing here imports torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from mluke_core.errors import ConfigError, DataError
from mluke_core.metrics import mlqa, relx, spans, squad
from mluke_core.metrics.spans import Span
from mluke_core.tasks.collections import TestColumn
from mluke_core.tasks.conll_reader import UNREACHABLE, parse_spans, read_sentences
from mluke_core.tasks.relation_reader import read_relations
from mluke_core.tasks.squad_reader import read_questions


class Scorer(ABC):
    """The gold answers of one column.

    Args:
        column: where they are.
        coverage: what `predict` recorded (labels, gold spans out of reach).
    """

    ids: Sequence[str]
    """Ids of the gold examples."""
    parallel: ClassVar[Literal["", "complete", "partial"]] = ""
    """Whether the columns are translations: all of everything, or of a part of the English one."""

    @abstractmethod
    def __init__(self, column: TestColumn, coverage: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def metrics(self, predictions: Mapping[str, str]) -> dict[str, float]:
        """Metrics in percent; an example without a prediction counts as wrong."""

    def details(self, predictions: Mapping[str, str]) -> dict[str, Any]:
        """Figures beside the metrics, for the best run."""
        return {}


class SquadScorer(Scorer):
    """F1 and exact match by the SQuAD v1.1 rules, whatever the language."""

    parallel: ClassVar[Literal["", "complete", "partial"]] = "complete"

    def __init__(self, column: TestColumn, coverage: Mapping[str, Any]) -> None:
        assert column.path is not None
        questions = read_questions(column.path, **column.languages).examples
        self.language = column.languages["context_language"]
        self.golds = {question.id: question.texts for question in questions}
        self.ids = list(self.golds)

    def metrics(self, predictions: Mapping[str, str]) -> dict[str, float]:
        """``f1`` and ``em``."""
        scores = self.evaluate(predictions)
        return {"f1": scores.f1, "em": scores.em}

    def evaluate(self, predictions: Mapping[str, str]) -> squad.AnswerScores:
        """Scores with those of each question."""
        return squad.evaluate(predictions, self.golds)


class MlqaScorer(SquadScorer):
    """F1 and exact match by the MLQA rules of the context's language."""

    parallel: ClassVar[Literal["", "complete", "partial"]] = "partial"

    def evaluate(self, predictions: Mapping[str, str]) -> squad.AnswerScores:
        """Scores with those of each question."""
        return mlqa.evaluate(predictions, self.golds, self.language)


class RelxScorer(Scorer):
    """Macro F1 over the relations of the training data."""

    def __init__(self, column: TestColumn, coverage: Mapping[str, Any]) -> None:
        assert column.path is not None
        examples = read_relations(column.path).examples
        labels = set(coverage["labels"])
        for example in examples:
            if example.label not in labels:
                raise DataError(
                    f"{column.path}: record {example.id} has the label '{example.label}', which "
                    "the training data lacks."
                )
        self.golds = [example.label for example in examples]
        self.ids = [example.id for example in examples]
        self.relations = relx.relations_of(labels)

    def metrics(self, predictions: Mapping[str, str]) -> dict[str, float]:
        """``macro_f1``, ``micro_f1`` and ``accuracy``."""
        scores = self.evaluate(predictions)
        return {
            "macro_f1": scores.macro_f1,
            "micro_f1": scores.micro_f1,
            "accuracy": scores.accuracy,
        }

    def evaluate(self, predictions: Mapping[str, str]) -> relx.RelationScores:
        """Scores with those of each relation; a missing prediction counts as ``no_relation``."""
        answers = [predictions.get(example, relx.NO_RELATION) for example in self.ids]
        return relx.evaluate(self.golds, answers, self.relations)

    def details(self, predictions: Mapping[str, str]) -> dict[str, Any]:
        """F1 and counts of each relation, and how often each label was taken for which."""
        scores = self.evaluate(predictions)
        confusion: dict[str, dict[str, int]] = {}
        for (gold, predicted), count in sorted(scores.confusion.items()):
            confusion.setdefault(gold, {})[predicted] = count
        return {
            "relations": {
                relation: {
                    "f1": counts.f1,
                    "gold": counts.gold,
                    "predicted": counts.predicted,
                    "correct": counts.correct,
                }
                for relation, counts in scores.per_relation.items()
            },
            "confusion": confusion,
        }


class SpansScorer(Scorer):
    """Span F1; ``f1_reachable`` leaves out gold spans that are too long for any candidate."""

    def __init__(self, column: TestColumn, coverage: Mapping[str, Any]) -> None:
        assert column.path is not None
        sentences = read_sentences(column.path).examples
        self.golds: list[tuple[Span, ...]] = [sentence.spans for sentence in sentences]
        self.ids = [sentence.id for sentence in sentences]
        self.unreachable = {
            (str(sentence), (int(first), int(last), str(kind)))
            for sentence, first, last, kind in coverage.get(UNREACHABLE, {}).get(column.name, [])
        }

    def metrics(self, predictions: Mapping[str, str]) -> dict[str, float]:
        """``f1`` (gold spans that are too long are misses), its parts, and ``f1_reachable``."""
        found = self.found(predictions)
        overall = spans.evaluate(self.golds, found).overall
        return {
            "f1": overall.f1,
            "precision": overall.precision,
            "recall": overall.recall,
            "f1_reachable": spans.evaluate(self.reachable, found).overall.f1,
        }

    def details(self, predictions: Mapping[str, str]) -> dict[str, Any]:
        """F1 and counts of each type, and the number of gold spans out of reach."""
        per_type = spans.evaluate(self.golds, self.found(predictions)).per_type
        return {
            "types": {
                kind: {
                    "f1": counts.f1,
                    "gold": counts.gold,
                    "predicted": counts.predicted,
                    "correct": counts.correct,
                }
                for kind, counts in per_type.items()
            },
            "gold_spans": sum(len(gold) for gold in self.golds),
            "gold_spans_out_of_reach": len(self.unreachable),
        }

    @property
    def reachable(self) -> list[list[Span]]:
        """Gold spans of each sentence without those that are too long."""
        return [
            [span for span in gold if (sentence, span) not in self.unreachable]
            for sentence, gold in zip(self.ids, self.golds, strict=True)
        ]

    def found(self, predictions: Mapping[str, str]) -> list[list[Span]]:
        """Predicted spans of each sentence."""
        return [parse_spans(predictions.get(sentence, "[]")) for sentence in self.ids]


SCORERS: dict[str, type[Scorer]] = {
    "squad": SquadScorer,
    "mlqa": MlqaScorer,
    "relx": RelxScorer,
    "spans": SpansScorer,
}


def scorer_class(name: str) -> type[Scorer]:
    """The scorer that a test collection's ``metrics`` names.

    >>> scorer_class("mlqa").__name__
    'MlqaScorer'
    """
    if name not in SCORERS:
        raise ConfigError(f"unknown metrics '{name}'; known are {', '.join(sorted(SCORERS))}.")
    return SCORERS[name]
