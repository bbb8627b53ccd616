"""The order of the training data: shares, epochs, and independence of who asks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.pretraining import sampling
from mluke_core.pretraining.sampling import SamplingPlan

WEIGHTS = {"en": 6.0, "ja": 3.0, "tr": 1.0}
SIZES = {"en": 1000, "ja": 40, "tr": 7}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "BLOCK", 128)


def test_languages_come_in_their_shares() -> None:
    languages, _ = SamplingPlan(WEIGHTS, SIZES, 5).draw(0, 20000)
    shares = np.bincount(languages, minlength=3) / 20000
    assert np.abs(shares - [0.6, 0.3, 0.1]).max() < 0.02
    assert (np.diff(languages) != 0).mean() > 0.5, "languages must alternate"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 900), st.integers(1, 300), st.integers(1, 300))
def test_any_cut_gives_the_same_order(start: int, first: int, second: int) -> None:
    whole = SamplingPlan(WEIGHTS, SIZES, 5).draw(start, start + first + second)
    other = SamplingPlan(WEIGHTS, SIZES, 5)
    later = other.draw(start + first, start + first + second)
    earlier = other.draw(start, start + first)
    for together, left, right in zip(whole, earlier, later, strict=True):
        assert (together == np.concatenate([left, right])).all()


def test_every_sequence_once_before_any_twice() -> None:
    languages, sequences = SamplingPlan(WEIGHTS, SIZES, 5).draw(0, 3000)
    for number, size in enumerate(SIZES.values()):
        drawn = sequences[languages == number]
        epochs = [drawn[start : start + size].tolist() for start in range(0, len(drawn), size)]
        assert all(sorted(epoch) == list(range(size)) for epoch in epochs[:-1])
        assert len(set(epochs[-1])) == len(epochs[-1])
        if len(epochs) > 2:
            assert epochs[0] != epochs[1]


def test_languages_without_sequences_are_never_drawn() -> None:
    plan = SamplingPlan(WEIGHTS, {**SIZES, "ja": 0}, 5)
    languages, _ = plan.draw(0, 1000)
    assert set(languages.tolist()) == {0, 2}
    assert plan.shares.tolist() == pytest.approx([6 / 7, 0, 1 / 7])
    with pytest.raises(ValueError, match="no language"):
        SamplingPlan(WEIGHTS, dict.fromkeys(SIZES, 0), 5)


def test_another_key_gives_another_order() -> None:
    first, second = (SamplingPlan(WEIGHTS, SIZES, key).draw(0, 500)[0] for key in (1, 2))
    assert (first != second).any()
