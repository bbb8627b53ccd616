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
    rate,
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
