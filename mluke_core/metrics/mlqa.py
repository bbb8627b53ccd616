"""Exact match and F1 by the rules of the official MLQA script (evaluation v1).

They follow the language of the *context*: articles of that language, Unicode punctuation, and
for Chinese one token per ideograph.
"""

from __future__ import annotations

import re
import string
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache, partial

from mluke_core.errors import DataError
from mluke_core.metrics.squad import AnswerScores, best_scores
from mluke_core.metrics.squad import evaluate as evaluate_with

# The official Arabic expression is "\sال^|ال". Its first branch can never match ("^" after a
# character), so the second removes "ال" wherever it stands, also inside words. Kept, because
# published scores are made so.
_ARTICLES: dict[str, str | None] = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": "ال",
    "hi": None,
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "zh": None,
}
LANGUAGES = tuple(_ARTICLES)

# The block the official script tests: U+4E00 to U+9FA5, not the extensions.
_IDEOGRAPH = re.compile("([\u4e00-\u9fa5])")


def normalize_answer(text: str, language: str) -> str:
    """Lower-case, drop punctuation and the language's articles, separate tokens by one space.

    Args:
        text: an answer.
        language: language of the context, one of ``LANGUAGES``.

    Raises:
        DataError: the official rules do not cover the language.

    >>> normalize_answer("Die »Große Mauer« der Ming", "de")
    'große mauer ming'
    >>> normalize_answer("在1998年,长江", "zh")
    '在 1998 年 长 江'
    """
    if language not in _ARTICLES:
        raise DataError(
            f"MLQA has no scoring rules for '{language}'; it covers {', '.join(LANGUAGES)}."
        )
    text = text.lower().translate(_punctuation_table())
    articles = _article_expression(language)
    if articles is not None:
        text = articles.sub(" ", text)
    if language == "zh":
        text = _IDEOGRAPH.sub(r" \1 ", text)
    return " ".join(text.split())


def question_scores(prediction: str, golds: Sequence[str], language: str) -> tuple[float, float]:
    """(exact match, F1) of one answer, between 0 and 1.

    >>> question_scores("长江大桥", ["长江"], "zh")
    (0.0, 0.6666666666666666)
    """
    return best_scores(prediction, golds, partial(normalize_answer, language=language))


def evaluate(
    predictions: Mapping[str, str], golds: Mapping[str, Sequence[str]], language: str
) -> AnswerScores:
    """Score ``{id: answer}`` against ``{id: gold answers}``; see :func:`squad.evaluate`.

    >>> evaluate({"q": "la casa"}, {"q": ["una casa"]}, "es").em
    100.0
    """
    return evaluate_with(predictions, golds, partial(normalize_answer, language=language))


@cache
def _article_expression(language: str) -> re.Pattern[str] | None:
    expression = _ARTICLES[language]
    return None if expression is None else re.compile(expression)


@cache
def _punctuation_table() -> dict[int, None]:
    """Translation table that deletes every character of category P* and ASCII punctuation."""
    table = {
        code: None
        for code in range(sys.maxunicode)
        if unicodedata.category(chr(code)).startswith("P")
    }
    table.update(dict.fromkeys(map(ord, string.punctuation)))
    return table
