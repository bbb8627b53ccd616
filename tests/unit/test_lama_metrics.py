from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mluke_core.metrics.lama import (
    NEVER,
    WrongAnswer,
    cloze_scores,
    most_frequent_wrong,
    relation_precision,
)


def test_scores_of_a_language_by_hand() -> None:
    ranks = [1, 3, NEVER, 1, 7]
    triples = [2, 1, 1, 4, 2]
    relations = ["P36", "P36", "P36", "P19", "P19"]
    scores = cloze_scores(ranks, triples, relations)
    assert scores["micro"] == pytest.approx(100 * 2 / 5)
    assert scores["triple"] == pytest.approx(100 * 6 / 10)
    assert scores["macro"] == pytest.approx(100 * (1 / 3 + 1 / 2) / 2)
    assert scores["p5"] == pytest.approx(100 * 3 / 5)
    assert scores["p10"] == pytest.approx(100 * 4 / 5)
    assert scores["mrr"] == pytest.approx(100 * (1 + 1 / 3 + 0 + 1 + 1 / 7) / 5)


def test_no_question_gives_no_score() -> None:
    assert cloze_scores([], [], []) == {}


def test_per_relation() -> None:
    assert relation_precision([1, 2, 1], ["b", "a", "b"]) == {
        "a": {"questions": 1, "p1": 0.0},
        "b": {"questions": 2, "p1": 100.0},
    }


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(1, 5), st.sampled_from(["a", "b", "c"])),
        min_size=1,
    )
)
def test_measures_agree_with_a_loop(rows: list[tuple[int, int, str]]) -> None:
    scores = cloze_scores(*zip(*rows, strict=True))
    expanded = [rank == 1 for rank, triples, _ in rows for _ in range(triples)]
    assert scores["triple"] == pytest.approx(100 * sum(expanded) / len(expanded))
    per_relation = []
    for relation in {relation for _, _, relation in rows}:
        of_relation = [rank == 1 for rank, _, name in rows if name == relation]
        per_relation.append(sum(of_relation) / len(of_relation))
    assert scores["macro"] == pytest.approx(100 * sum(per_relation) / len(per_relation))
    assert 0 <= scores["micro"] <= scores["mrr"] <= 100
    assert scores["micro"] <= scores["p5"] <= scores["p10"]


def test_most_frequent_wrong_answer() -> None:
    predictions = ["Japan", "Japan", "Italy", "Italy", "Rome", ""]
    right = [False, True, False, False, True, False]
    assert most_frequent_wrong(predictions, right) == WrongAnswer("Italy", 2, 4)
    assert WrongAnswer("Italy", 2, 4).ratio_percent == 50


def test_of_equally_frequent_wrong_answers_the_first_by_name() -> None:
    assert most_frequent_wrong(["b", "a"], [False, False]).prediction == "a"


def test_nothing_wrong_and_nothing_answered() -> None:
    assert most_frequent_wrong(["a"], [True]) == WrongAnswer(None, 0, 0)
    assert most_frequent_wrong(["a"], [True]).ratio_percent == 0
    assert most_frequent_wrong([""], [False]) == WrongAnswer(None, 0, 1)
