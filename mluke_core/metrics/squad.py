"""Exact match and F1 of extractive question answering by the rules of the SQuAD v1.1 script.

XQuAD is scored with these rules in every language: English articles, ASCII punctuation, tokens
separated by white space (paper section 4.1, as released).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class AnswerScores:
    """Scores of a set of questions.

    Attributes:
        em: share of answers that equal a gold answer after normalisation, in percent.
        f1: mean overlap of tokens with the closest gold answer, in percent.
        total: number of questions with gold answers; unanswered ones count as wrong.
        missing: ids of questions that have no prediction.
        per_question: ``{id: (em, f1)}``, each between 0 and 1.
    """

    em: float
    f1: float
    total: int
    missing: tuple[str, ...] = ()
    per_question: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False)


def normalize_answer(text: str) -> str:
    """Lower-case, drop ASCII punctuation and English articles, collapse white space.

    >>> normalize_answer("The  Eiffel-Tower, (a) tower!")
    'eiffeltower tower'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def token_f1(predicted: Sequence[str], gold: Sequence[str]) -> float:
    """F1 of two bags of tokens; 0 when they share none (also when both are empty).

    >>> round(token_f1(["in", "new", "york"], ["new", "york", "city"]), 4)
    0.6667
    """
    common = sum((Counter(predicted) & Counter(gold)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(predicted), common / len(gold)
    return 2 * precision * recall / (precision + recall)


def best_scores(
    prediction: str, golds: Iterable[str], normalize: Callable[[str], str] = normalize_answer
) -> tuple[float, float]:
    """(exact match, F1) against whichever gold answer is best for each, between 0 and 1.

    >>> best_scores("the Rhine river", ["Rhine", "river Rhine"])
    (0.0, 1.0)
    """
    predicted = normalize(prediction)
    predicted_tokens = predicted.split()
    exact = overlap = 0.0
    for gold in set(golds):
        normalized = normalize(gold)
        exact = max(exact, float(predicted == normalized))
        overlap = max(overlap, token_f1(predicted_tokens, normalized.split()))
    return exact, overlap


def evaluate(
    predictions: Mapping[str, str],
    golds: Mapping[str, Sequence[str]],
    normalize: Callable[[str], str] = normalize_answer,
) -> AnswerScores:
    """Score ``{id: answer}`` against ``{id: gold answers}``.

    A question without a prediction scores 0, as in the official script, and is named in
    ``missing``. Predictions of unknown questions are ignored.

    >>> scores = evaluate({"q1": "Paris", "q2": "in Rome"}, {"q1": ["paris."], "q2": ["Rome"]})
    >>> scores.em, round(scores.f1, 2)
    (50.0, 83.33)
    """
    per_question = {
        question: best_scores(predictions[question], answers, normalize)
        for question, answers in golds.items()
        if question in predictions
    }
    missing = tuple(question for question in golds if question not in per_question)
    total = len(golds)
    if total == 0:
        return AnswerScores(0.0, 0.0, 0)
    return AnswerScores(
        em=100.0 * sum(exact for exact, _ in per_question.values()) / total,
        f1=100.0 * sum(overlap for _, overlap in per_question.values()) / total,
        total=total,
        missing=missing,
        per_question=per_question,
    )
