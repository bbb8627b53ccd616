"""What is masked, how much, and that it depends on the sequence alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mluke_core.pretraining.collate import MaskShares, Vocabulary, collate
from mluke_core.pretraining.hashing import key_of, mix, permuted
from mluke_core.pretraining.masking import choose, hide_words
from mluke_core.pretraining.shards import Row

VOCABULARY, MASK = 1000, 999

lengths_strategy = st.lists(st.integers(0, 80), min_size=1, max_size=6)


def choose_words(
    sizes: np.ndarray, keys: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Chosen words of sequences without entities, and their random names."""
    chosen = choose(sizes, np.zeros_like(sizes), keys, share, 0.5)
    assert len(chosen.entities) == 0
    return chosen.words_K, chosen.names_K


def mask_words(
    words: np.ndarray, sizes: np.ndarray, keys: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Words as the model sees them, and the chosen places."""
    chosen, names = choose_words(sizes, keys, share)
    hidden = words.copy()
    hidden[chosen] = hide_words(words[chosen], names, MASK, VOCABULARY)
    return hidden, chosen


def mask(lengths: list[int], keys: list[int], share: float = 0.15):
    sizes = np.array(lengths)
    words = np.arange(sizes.sum()) % 900
    named = np.array(keys, dtype=np.uint64)
    hidden, chosen = mask_words(words, sizes, named, share)
    return words, hidden, chosen


@settings(max_examples=60, deadline=None)
@given(lengths_strategy, st.floats(0.01, 0.9))
def test_each_sequence_hides_its_share(lengths: list[int], share: float) -> None:
    words, hidden, chosen = mask(lengths, list(range(len(lengths))), share)
    sequence = np.repeat(np.arange(len(lengths)), lengths)[chosen]
    found = np.bincount(sequence, minlength=len(lengths)).tolist()
    assert found == [max(1, round(share * n)) if n else 0 for n in lengths]
    assert len(set(chosen.tolist())) == len(chosen)
    untouched = np.setdiff1d(np.arange(len(words)), chosen)
    assert (hidden[untouched] == words[untouched]).all()


@settings(max_examples=30, deadline=None)
@given(lengths_strategy)
def test_company_does_not_matter(lengths: list[int]) -> None:
    keys = [key_of("sequence", number) for number in range(len(lengths))]
    sizes = np.array(lengths)
    words = np.arange(sizes.sum()) % 900
    named = np.array(keys, dtype=np.uint64)
    together, _ = mask_words(words, sizes, named, 0.15)
    ends = np.cumsum(sizes)
    for number, end in enumerate(ends):
        part = slice(end - sizes[number], end)
        one = slice(number, number + 1)
        alone, _ = mask_words(words[part], sizes[one], named[one], 0.15)
        assert (together[part] == alone).all()


def test_shares_of_mask_random_and_kept() -> None:
    lengths = [500] * 200
    words, hidden, chosen = mask(lengths, [key_of(n) for n in range(200)])
    masked = (hidden[chosen] == MASK).mean()
    kept = (hidden[chosen] == words[chosen]).mean()
    assert len(chosen) == 200 * 75
    assert abs(masked - 0.8) < 0.02
    assert abs(kept - 0.1) < 0.02
    replaced = hidden[chosen][(hidden[chosen] != MASK) & (hidden[chosen] != words[chosen])]
    assert replaced.min() < 50
    assert replaced.max() > VOCABULARY - 50
    places = np.bincount(chosen % 500, minlength=500)
    assert places.std() < 2 * np.sqrt(places.mean()), "some places are masked more often"


def test_entities_always_become_the_mask() -> None:
    entities = np.arange(10, 40)
    lengths = np.array([20, 0, 10])
    keys = np.array([1, 2, 3], dtype=np.uint64)
    rows = [
        Row(np.arange(4, 30, dtype=np.int32), part.astype(np.int32), part * 0, part * 0 + 1)
        for part in np.split(entities, np.cumsum(lengths)[:-1])
    ]
    vocabulary = Vocabulary(VOCABULARY, 0, 2, MASK, 2)
    batch, targets = collate(rows, keys, vocabulary, MaskShares(0.15, 0.15))
    hidden, chosen = batch.entity_ids_E.numpy(), targets.entities_K.numpy()
    alone = choose(np.zeros(3, dtype=np.int64), lengths, keys, 0.5, 0.15)
    assert chosen.tolist() == alone.entities.tolist()
    assert len(chosen) == 3 + 2
    assert (hidden[chosen] == 2).all()
    assert (targets.entity_ids_K.numpy() == entities[chosen]).all()
    assert (np.delete(hidden, chosen) == np.delete(entities, chosen)).all()


def test_the_smallest_random_numbers_are_chosen() -> None:
    # However few candidates are sorted: the same as by sorting the numbers of the whole sequence.
    generator = np.random.default_rng(0)
    for share in (0.01, 0.15, 0.6, 1.0):
        lengths = generator.integers(0, 300, 40)
        keys = generator.integers(0, 2**63, 40).astype(np.uint64)
        chosen, names = choose_words(lengths, keys, share)
        start = 0
        for length, key in zip(lengths.tolist(), keys, strict=True):
            own = mix(0, np.arange(length)) ^ key
            numbers = mix(0x51, own) >> np.uint64(20)
            wanted = max(1, round(share * length)) if length else 0
            inside = (chosen >= start) & (chosen < start + length)
            expected = np.sort(np.argsort(numbers)[:wanted])
            assert (chosen[inside] - start).tolist() == expected.tolist()
            assert (names[inside] == own[expected]).all()
            start += length


def test_words_and_entities_are_drawn_independently() -> None:
    keys = np.array([key_of(n) for n in range(300)], dtype=np.uint64)
    lengths = np.full(300, 20)
    values = np.arange(6000) % 900
    _, words = mask_words(values, lengths, keys, 0.15)
    entities = choose(lengths, lengths, keys, 0.15, 0.15).entities
    common = len(np.intersect1d(words, entities)) / len(words)
    assert abs(common - 0.15) < 0.05


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**64 - 1), st.integers(1, 500))
def test_permutation(key: int, size: int) -> None:
    values = permuted(key, np.arange(size), size)
    assert sorted(values.tolist()) == list(range(size))


def test_permutations_of_other_keys_differ() -> None:
    first, second = (permuted(key, np.arange(1000), 1000) for key in (1, 2))
    assert (first == second).mean() < 0.01
    assert abs(np.corrcoef(first, np.arange(1000))[0, 1]) < 0.1


def test_mixed_bits_are_even() -> None:
    bits = mix(3, np.arange(20000))
    for place in range(64):
        share = ((bits >> np.uint64(place)) & np.uint64(1)).mean()
        assert abs(share - 0.5) < 0.02
