"""SQuAD and MLQA scoring: hand-worked answers, and an independent statement of the rules."""

import random
import re
import unicodedata
from collections import Counter

import pytest

from mluke_core.errors import DataError
from mluke_core.metrics import mlqa, squad


@pytest.mark.parametrize(
    ("prediction", "golds", "em", "f1"),
    [
        ("The Rhine", ["Rhine"], 1.0, 1.0),
        ("rhine.", ["The Rhine!"], 1.0, 1.0),
        ("Rhine river", ["Rhine"], 0.0, 2 / 3),
        ("", ["Rhine"], 0.0, 0.0),
        # Both empty after normalisation: equal, but no token in common.
        ("the", ["a"], 1.0, 0.0),
        ("...", ["!"], 1.0, 0.0),
        ("...", ["Rhine"], 0.0, 0.0),
        ("Rome", ["Paris", "Rome"], 1.0, 1.0),
        # The best F1 and the exact match may come from different gold answers.
        ("a b c", ["b c d", "c"], 0.0, 0.8),
        ("10 10 10", ["10"], 0.0, 0.5),
        ("theatre", ["atre"], 0.0, 0.0),
        # Only ASCII punctuation and English articles are dropped.
        ("«Rhein»", ["Rhein"], 0.0, 0.0),
        ("der Rhein", ["Rhein"], 0.0, 2 / 3),
        ("长江", ["长江大桥"], 0.0, 0.0),
        # Thai is written without spaces: an answer is one token, all or nothing.
        ("กรุงเทพ", ["กรุงเทพมหานคร"], 0.0, 0.0),
        ("กรุงเทพ มหานคร", ["กรุงเทพ"], 0.0, 2 / 3),
        ("Hà Nội, Việt Nam", ["Hà Nội"], 0.0, 2 / 3),
        ("", [""], 1.0, 0.0),
    ],
)
def test_squad_answers(prediction: str, golds: list[str], em: float, f1: float) -> None:
    assert squad.best_scores(prediction, golds) == (em, pytest.approx(f1))


def test_squad_set_counts_missing_as_wrong() -> None:
    golds = {"1": ["Rome"], "2": ["Paris", "the City of Light"], "3": ["42"]}
    scores = squad.evaluate({"1": "rome", "2": "City Light", "9": "?"}, golds)
    # 2 of the 3 gold tokens "city of light": precision 1, recall 2/3, F1 0.8.
    assert scores.em == pytest.approx(100 / 3)
    assert scores.f1 == pytest.approx(100 * (1 + 0.8) / 3)
    assert scores.missing == ("3",)
    assert scores.total == 3
    assert scores.per_question["1"] == (1.0, 1.0)


def test_squad_without_questions() -> None:
    assert squad.evaluate({}, {}).total == 0


@pytest.mark.parametrize(
    ("language", "prediction", "gold", "em", "f1"),
    [
        ("en", "The Wall", "wall", 1.0, 1.0),
        ("es", "Los Ángeles", "ángeles", 1.0, 1.0),
        ("es", "unas casas", "las casas", 1.0, 1.0),
        ("de", "der «Rhein»", "Rhein", 1.0, 1.0),
        # Only standing words are articles: "dessert" keeps its "des".
        ("de", "Dessert", "sert", 0.0, 0.0),
        ("hi", "ताज महल।", "ताज महल", 1.0, 1.0),
        ("hi", "the ताज", "ताज", 0.0, 2 / 3),
        ("vi", "những ngôi nhà", "ngôi nhà", 1.0, 1.0),
        ("vi", "của", "là", 1.0, 0.0),
        # The Arabic article goes everywhere, also inside a word.
        ("ar", "القاهرة", "قاهرة", 1.0, 1.0),
        ("ar", "بالقاهرة", "ب قاهرة", 1.0, 1.0),
        ("ar", "في القاهرة؟", "القاهرة", 0.0, 2 / 3),
        ("zh", "长江", "长江大桥", 0.0, 2 / 3),
        ("zh", "《红楼梦》", "红楼梦", 1.0, 1.0),
        ("zh", "1998年", "1998 年", 1.0, 1.0),
        ("zh", "NBA联盟", "NBA 联赛", 0.0, 2 / 3),
        # Kana and ideographs beyond U+9FA5 stay one token.
        ("zh", "ひらがな", "ひら", 0.0, 0.0),
        ("zh", "\u9fa6\u9fa6", "\u9fa6", 0.0, 0.0),
    ],
)
def test_mlqa_answers(language: str, prediction: str, gold: str, em: float, f1: float) -> None:
    assert mlqa.question_scores(prediction, [gold], language) == (em, pytest.approx(f1))


def test_mlqa_takes_the_best_of_several_golds() -> None:
    golds = ["北京市", "北京", "首都 Beijing"]
    assert mlqa.question_scores("北京", golds, "zh") == (1.0, 1.0)
    assert mlqa.question_scores("Beijing", golds, "zh") == (0.0, pytest.approx(0.5))
    assert mlqa.question_scores("", golds, "zh") == (0.0, 0.0)


def test_mlqa_refuses_other_languages() -> None:
    with pytest.raises(DataError, match=r"'th'.*en, es, de, ar, hi, vi, zh"):
        mlqa.evaluate({"1": "x"}, {"1": ["x"]}, "th")


# --- the rules once more, written from their description with other means ---

ARTICLES = {
    "en": {"a", "an", "the"},
    "es": {"un", "una", "unos", "unas", "el", "la", "los", "las"},
    "de": {"ein", "eine", "einen", "einem", "eines", "einer"}
    | {"der", "die", "das", "den", "dem", "des"},
    "vi": {"của", "là", "cái", "chiếc", "những"},
}
ASCII_PUNCTUATION = {chr(i) for i in range(33, 127) if not chr(i).isalnum()}


def plain_tokens(text: str, language: str, unicode_rules: bool) -> list[str]:
    kept = ""
    for character in text.lower():
        is_punctuation = character in ASCII_PUNCTUATION or (
            unicode_rules and unicodedata.category(character)[0] == "P"
        )
        kept += "" if is_punctuation else character
    if language == "ar":
        kept = " ".join(kept.split("ال"))
    words: list[str] = []
    for word in re.findall(r"\w+|[^\w\s]+|\s+", kept):
        words.append(" " if word in ARTICLES.get(language, ()) else word)
    tokens: list[str] = []
    for word in "".join(words).split():
        if language != "zh":
            tokens.append(word)
            continue
        run = ""
        for character in word:
            if 0x4E00 <= ord(character) <= 0x9FA5:
                tokens += [run] if run else []
                tokens.append(character)
                run = ""
            else:
                run += character
        tokens += [run] if run else []
    return tokens


def plain_scores(prediction: list[str], gold: list[str]) -> tuple[float, float]:
    left = Counter(gold)
    shared = 0
    for token in prediction:
        if left[token] > 0:
            left[token] -= 1
            shared += 1
    f1 = 2 * shared / (len(prediction) + len(gold)) if shared else 0.0
    return float(prediction == gold), f1


PIECES = [
    *["the", "an", "a", "The", "der", "die", "das", "Das", "el", "la", "los", "LA", "ein", "unos"],
    *["của", "Của", "là", "những", "cái", "chiếc", "ngôi", "nhà", "Haus", "casa", "wall"],
    *["长江", "大桥", "红", "楼", "年", "ひ", "ال", "القاهرة", "بال", "كتاب", "ताज", "महल"],
    *[".", ",", "!", "«", "»", "،", "؟", "。", "《", "》", "।", "-", "'", "$", "+", "_", "№"],
    *["1998", "3", "NBA", "İ", "ß", "é", "\u00a0", "\u3000", " ", " ", " ", " ", "\t"],
]


@pytest.mark.parametrize("language", ["squad", *mlqa.LANGUAGES])
def test_agrees_with_independent_rules(language: str) -> None:
    generator = random.Random(f"answers-{language}")
    for _ in range(10_000):
        prediction, *golds = (
            "".join(generator.choices(PIECES, k=generator.randrange(7)))
            for _ in range(generator.choice((2, 2, 3)))
        )
        if language == "squad":
            ours = squad.best_scores(prediction, golds)
            tokens = [plain_tokens(text, "en", False) for text in (prediction, *golds)]
        else:
            ours = mlqa.question_scores(prediction, golds, language)
            tokens = [plain_tokens(text, language, True) for text in (prediction, *golds)]
        each = [plain_scores(tokens[0], gold) for gold in tokens[1:]]
        expected = tuple(max(scores) for scores in zip(*each, strict=True))
        assert ours == pytest.approx(expected), (prediction, golds)
