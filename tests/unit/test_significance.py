from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.metrics import relx, spans
from mluke_core.metrics.significance import (
    Sample,
    bootstrap_differences,
    compare,
    exchanged_differences,
    f1,
    macro_f1,
    macro_rate,
    micro_f1,
    precision,
    rate,
    recall,
)

HITS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


def hits(values: list[float]) -> np.ndarray:
    return np.array([[value, 1.0] for value in values])


def exact_p(first: list[float], second: list[float]) -> float:
    """All 2^N exchanges one by one."""
    seen = abs(sum(second) - sum(first))
    count = 0
    for swaps in product([False, True], repeat=len(first)):
        a = sum(y if swap else x for x, y, swap in zip(first, second, swaps, strict=True))
        b = sum(x if swap else y for x, y, swap in zip(first, second, swaps, strict=True))
        count += abs(b - a) >= seen - 1e-12
    return count / 2 ** len(first)


def test_p_by_hand() -> None:
    # Five examples, all gained by the second: only the exchange of none or all is as extreme.
    sample = Sample(hits([0.0] * 5), hits([1.0] * 5), rate)
    assert compare([sample], draws=20_000).p == pytest.approx(2 / 32, abs=0.01)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([0, 0, 1, 1, 0, 0, 1, 0], [1, 1, 1, 0, 1, 1, 1, 0]),
        ([0.5, 0.2, 0.9, 0.1, 0.7, 0.3], [0.6, 0.1, 1.0, 0.4, 0.9, 0.3]),
    ],
)
def test_p_agrees_with_all_exchanges(first: list[float], second: list[float]) -> None:
    p = compare([Sample(hits(first), hits(second), rate)], draws=40_000).p
    assert p == pytest.approx(exact_p(first, second), abs=0.01)


@settings(max_examples=40, deadline=None)
@given(HITS)
def test_properties(pairs: list[tuple[bool, bool]]) -> None:
    first, second = (hits([float(pair[side]) for pair in pairs]) for side in (0, 1))
    forth = compare([Sample(first, second, rate)], draws=400)
    back = compare([Sample(second, first, rate)], draws=400)
    assert forth.difference == pytest.approx(-back.difference)
    assert forth == compare([Sample(first, second, rate)], draws=400)
    assert 1 / 401 <= forth.p <= 1
    assert forth.low <= forth.high
    assert forth.examples == len(pairs)
    if (first == second).all():
        assert (forth.difference, forth.p, forth.low, forth.high) == (0, 1, 0, 0)


def test_equal_systems_are_rarely_told_apart() -> None:
    """Under the null hypothesis p is about uniform."""
    generator = np.random.default_rng(0)
    ps = []
    for seed in range(200):
        first, second = (hits(list(generator.random(50))) for _ in range(2))
        ps.append(compare([Sample(first, second, rate)], draws=200, seed=seed).p)
    assert 0.005 < np.mean(np.array(ps) < 0.05) < 0.12
    assert 0.4 < np.mean(ps) < 0.6


def test_interval_covers_a_known_difference() -> None:
    generator = np.random.default_rng(1)
    first = hits(list(generator.normal(0.5, 0.1, 400)))
    second = first.copy()
    second[:, 0] += generator.normal(0.05, 0.1, 400)
    found = compare([Sample(first, second, rate)], draws=2000)
    # Standard error of a mean of 400 gaps of deviation 0.1 is 0.5 points.
    assert found.low == pytest.approx(found.difference - 1.96 * 0.5, abs=0.12)
    assert found.high == pytest.approx(found.difference + 1.96 * 0.5, abs=0.12)
    assert found.p < 0.001


def test_average_of_several_sets() -> None:
    one = Sample(hits([0, 0, 0, 0]), hits([1, 1, 1, 0]), rate)
    other = Sample(hits([1, 0]), hits([0, 0]), rate)
    found = compare([one, other], draws=5000)
    assert found.difference == pytest.approx((75 - 50) / 2)
    assert found.examples == 6
    # Differences of 75/2 or 25/2 (±) from the first, ±25 from the second: 12.5 or more always.
    assert found.p == 1


def test_measures_agree_with_the_metrics() -> None:
    gold = ["r(e1,e2)", "r(e2,e1)", "s(e1,e2)", "no_relation", "s(e2,e1)"]
    predicted = ["r(e1,e2)", "r(e1,e2)", "s(e1,e2)", "s(e1,e2)", "no_relation"]
    scores = relx.evaluate(gold, predicted)
    totals = [
        value for c in scores.per_relation.values() for value in (c.gold, c.predicted, c.correct)
    ]
    assert macro_f1(np.array(totals, dtype=float)) == pytest.approx(scores.macro_f1)
    overall = spans.evaluate([[(0, 1, "A")], []], [[(0, 1, "A"), (2, 3, "B")], []]).overall
    counts = np.array([overall.gold, overall.predicted, overall.correct], dtype=float)
    assert f1(counts) == pytest.approx(overall.f1)
    assert precision(counts) == pytest.approx(overall.precision) == 50
    assert recall(counts) == pytest.approx(overall.recall) == 100
    assert precision(np.zeros(3)) == recall(np.zeros(3)) == 0
    assert micro_f1(np.array(totals, dtype=float)) == pytest.approx(scores.micro_f1)
    # Two of four in one class, one of one in another, none drawn of the third.
    assert macro_rate(np.array([[2.0, 4, 1, 1, 0, 0]])).tolist() == [75.0]


def answer_scores(examples: int) -> Sample:
    generator = np.random.default_rng(3)
    return Sample(
        hits(list(generator.choice([0.0, 0.5, 1.0], examples))),
        hits(list(generator.choice([0.0, 0.5, 1.0], examples, p=[0.3, 0.3, 0.4]))),
        rate,
    )


def relation_scores(examples: int) -> Sample:
    """Gold, predicted and right of three classes."""
    generator = np.random.default_rng(4)
    gold = generator.integers(0, 3, examples)
    systems = []
    for skill in (0.4, 0.6):
        wrong = generator.integers(0, 3, examples)
        predicted = np.where(generator.random(examples) < skill, gold, wrong)
        counts = np.zeros((examples, 9))
        rows = np.arange(examples)
        counts[rows, 3 * gold] = counts[rows, 3 * predicted + 1] = 1
        counts[rows, 3 * gold + 2] = gold == predicted
        systems.append(counts)
    return Sample(systems[0], systems[1], macro_f1)


@pytest.mark.parametrize("sample", [answer_scores(400), relation_scores(400)])
def test_drawing_kinds_is_drawing_examples(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same distribution: mean, deviation and limits within the error of 20,000 draws."""
    draws = 20_000
    by_kind = bootstrap_differences(sample, draws, np.random.default_rng(0))
    monkeypatch.setattr("mluke_core.metrics.significance.EXAMPLES_PER_KIND", np.inf)
    one_by_one = bootstrap_differences(sample, draws, np.random.default_rng(1))
    assert not np.array_equal(by_kind, one_by_one)
    deviation = one_by_one.std()
    # Standard errors: sd / √n of a mean, sd / √2n of a deviation, 2.67 sd / √n of a 2.5 % limit.
    error = deviation / np.sqrt(draws)
    assert by_kind.mean() == pytest.approx(one_by_one.mean(), abs=6 * error)
    assert by_kind.std() == pytest.approx(deviation, abs=6 * error)
    limits = [np.percentile(drawn, [2.5, 97.5]) for drawn in (by_kind, one_by_one)]
    assert limits[0] == pytest.approx(limits[1], abs=6 * 2.67 * error)


def test_examples_that_all_differ_are_drawn_one_by_one() -> None:
    generator = np.random.default_rng(5)
    sample = Sample(hits(list(generator.random(50))), hits(list(generator.random(50))), rate)
    drawn = bootstrap_differences(sample, 4000, np.random.default_rng(0))
    gaps = sample.second_NK[:, 0] - sample.first_NK[:, 0]
    assert drawn.std() == pytest.approx(100 * gaps.std() / np.sqrt(50), rel=0.05)


def test_pieces_do_not_depend_on_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Sample(hits([0, 1, 0, 1, 1] * 8), hits([1, 1, 1, 0, 1] * 8), rate)
    monkeypatch.setattr("mluke_core.metrics.significance.CHUNK_ELEMENTS", 400)
    generator = np.random.default_rng(0)
    assert exchanged_differences(sample, 105, generator).shape == (105,)
    assert bootstrap_differences(sample, 105, generator).shape == (105,)


@pytest.mark.parametrize("rows", [(0, 0), (2, 3)])
def test_examples_must_agree(rows: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="examples"):
        Sample(np.zeros((rows[0], 2)), np.zeros((rows[1], 2)), rate)
