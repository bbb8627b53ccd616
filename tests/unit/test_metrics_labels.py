"""RELX and CoNLL scoring: hand-worked examples, scikit-learn and an independent count as judges."""

import random

import pytest
from sklearn.metrics import f1_score

from mluke_core.metrics import relx, spans

LABELS = ["no_relation", *(f"r{i}({d})" for i in range(4) for d in ("e1,e2", "e2,e1"))]


def test_relation_by_hand() -> None:
    gold = ["r0(e1,e2)", "r0(e1,e2)", "r0(e2,e1)", "r1(e1,e2)", "no_relation", "no_relation"]
    predicted = ["r0(e1,e2)", "r0(e2,e1)", "no_relation", "r1(e1,e2)", "r1(e1,e2)", "no_relation"]
    scores = relx.evaluate(gold, predicted)
    # r0: 3 gold, 2 predicted, 1 right; r1: 1 gold, 2 predicted, 1 right.
    assert scores.per_relation["r0"].f1 == pytest.approx(40.0)
    assert scores.per_relation["r1"].f1 == pytest.approx(200 / 3)
    assert scores.macro_f1 == pytest.approx((40 + 200 / 3) / 2)
    assert scores.micro_f1 == pytest.approx(50.0)
    assert scores.accuracy == pytest.approx(50.0)
    assert scores.confusion["r0(e1,e2)", "r0(e2,e1)"] == 1


def test_wrong_direction_is_wrong() -> None:
    scores = relx.evaluate(["r0(e1,e2)"], ["r0(e2,e1)"])
    assert scores.macro_f1 == 0


def test_relation_without_gold_or_prediction_counts_as_zero() -> None:
    scores = relx.evaluate(["r0(e1,e2)"], ["r0(e1,e2)"], ["r0", "r1"])
    assert scores.macro_f1 == 50
    assert relx.evaluate(["r0(e1,e2)"], ["r0(e1,e2)"]).macro_f1 == 100


def test_unseen_label_is_a_miss_and_nothing_else() -> None:
    gold = ["r0(e1,e2)", "r1(e1,e2)"]
    scores = relx.evaluate(gold, ["r9(e1,e2)", "r1(e1,e2)"], ["r0", "r1"])
    assert scores.per_relation.keys() == {"r0", "r1"}
    assert scores.macro_f1 == 50
    assert scores.confusion["r0(e1,e2)", "r9(e1,e2)"] == 1
    assert relx.relation_of("no direction") == "no direction"


def test_empty_and_unequal() -> None:
    assert relx.evaluate([], []).macro_f1 == 0
    with pytest.raises(ValueError, match="1 gold labels but 0"):
        relx.evaluate(["r0(e1,e2)"], [])


def test_relations_agree_with_scikit_learn() -> None:
    generator = random.Random(5)
    # Predictions may hold a label that no gold has.
    labels = [*LABELS, "r9(e1,e2)"]
    for _ in range(50):
        gold = generator.choices(LABELS, k=200)
        predicted = [g if generator.random() < 0.4 else generator.choice(labels) for g in gold]
        expected = [
            f1_score(gold, predicted, labels=LABELS[i : i + 2], average="micro", zero_division=0)
            for i in range(1, len(LABELS), 2)
        ]
        scores = relx.evaluate(gold, predicted, [f"r{i}" for i in range(4)])
        assert scores.macro_f1 == pytest.approx(100 * sum(expected) / 4)
        micro = f1_score(gold, predicted, labels=LABELS[1:], average="micro", zero_division=0)
        assert scores.micro_f1 == pytest.approx(100 * micro)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O", []),
        ("B-PER I-PER O", [(0, 2, "PER")]),
        ("B-PER B-PER", [(0, 1, "PER"), (1, 2, "PER")]),
        ("I-PER I-PER", [(0, 2, "PER")]),
        ("I-PER B-PER", [(0, 1, "PER"), (1, 2, "PER")]),
        ("B-PER I-LOC", [(0, 1, "PER"), (1, 2, "LOC")]),
        ("O I-LOC O I-LOC", [(1, 2, "LOC"), (3, 4, "LOC")]),
        ("B-A-B I-A-B", [(0, 2, "A-B")]),
        ("", []),
    ],
)
def test_tags_to_spans(tags: str, expected: list[spans.Span]) -> None:
    assert spans.spans_of_tags(tags.split()) == expected


def test_spans_by_hand() -> None:
    gold = [[(0, 2, "PER"), (3, 4, "LOC")], [(0, 1, "LOC")], []]
    predicted = [[(0, 2, "PER"), (3, 5, "LOC")], [(0, 1, "ORG")], [(1, 2, "LOC")]]
    scores = spans.evaluate(gold, predicted)
    assert (scores.overall.gold, scores.overall.predicted, scores.overall.correct) == (3, 4, 1)
    assert scores.overall.f1 == pytest.approx(200 / 7)
    assert scores.per_type["PER"].f1 == 100
    assert scores.per_type["LOC"].f1 == 0
    assert scores.per_type["ORG"].recall == 0


def test_adjacent_and_nested_spans() -> None:
    gold = [[(0, 2, "PER"), (2, 3, "PER")]]
    assert spans.evaluate(gold, [[(0, 3, "PER")]]).overall.correct == 0
    nested = spans.evaluate(gold, [[(0, 2, "PER"), (1, 2, "PER"), (2, 3, "PER")]]).overall
    assert (nested.predicted, nested.correct) == (3, 2)
    # The same span twice counts once; with another type it is another span.
    twice = spans.evaluate(gold, [[(0, 2, "PER"), (0, 2, "PER"), (0, 2, "LOC")]]).overall
    assert (twice.predicted, twice.correct) == (2, 1)


def test_spans_without_any() -> None:
    assert spans.evaluate([[]], [[]]).overall.f1 == 0
    with pytest.raises(ValueError, match="1 gold sentences but 2"):
        spans.evaluate([[]], [[], []])


def walk(tags: list[str]) -> set[tuple[int, int, str]]:
    """Spans by looking at every pair of limits."""
    found = set()
    for start in range(len(tags)):
        kind = tags[start][2:]
        begins = tags[start][0] == "B" or (
            tags[start][0] == "I" and (start == 0 or tags[start - 1][2:] != kind)
        )
        if begins:
            end = start + 1
            while end < len(tags) and tags[end] == f"I-{kind}":
                end += 1
            found.add((start, end, kind))
    return found


def test_tags_and_back() -> None:
    generator = random.Random(3)
    for _ in range(500):
        tags = generator.choices(["O", "B-A", "I-A", "B-B", "I-B"], k=8)
        found = spans.spans_of_tags(tags)
        assert spans.spans_of_tags(spans.tags_of_spans(found, 8)) == found


def test_spans_agree_with_an_independent_count() -> None:
    generator = random.Random(8)
    kinds = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "I-ORG"]
    for _ in range(10_000):
        gold, predicted = (generator.choices(kinds, k=generator.randrange(9)) for _ in range(2))
        scores = spans.evaluate([spans.spans_of_tags(gold)], [spans.spans_of_tags(predicted)])
        a, b = walk(gold), walk(predicted)
        expected = 200 * len(a & b) / (len(a) + len(b)) if a or b else 0
        assert scores.overall.f1 == pytest.approx(expected)
