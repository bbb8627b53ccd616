"""Choose and hide words and entities to be predicted, for a whole batch at once.

Of n words max(1, round(0.15 n)) are chosen; 80 % become the mask token, 10 % a random word, 10 %
stay. Of n entities max(1, round(0.15 n)) are chosen and always become ``[MASK]`` (mLUKE, section
2, and the authors' batch generator). Words under a masked entity are not hidden on purpose.

The choice depends on each sequence's own key, so it is the same in whatever batch it stands.

Shapes: T words of all sequences, B sequences, K chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mluke_core.pretraining.hashing import mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

HIDDEN_SHARE = 0.8
RANDOM_SHARE = 0.1

# Of a 64-bit number; the rest numbers the sequences of a batch.
_RANDOM_BITS = 44
# One stream of random numbers for each question asked of the same token.
_CHOICE, _ACTION, _REPLACEMENT = 0x51, 0x52, 0x53
# Standard deviations beyond the expected number of tokens, so that enough are looked at.
_MARGIN = 5


def choose_words(
    lengths_B: NDArray[np.int64], keys_B: NDArray[np.uint64], share: float
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Indices of the words to be predicted, ascending, and their random names."""
    tokens_T = _name_tokens(keys_B, lengths_B)
    chosen_K = _choose(lengths_B, share, tokens_T)
    return chosen_K, tokens_T[chosen_K]


def hide_words(
    word_ids_K: NDArray[np.int64],
    tokens_K: NDArray[np.uint64],
    mask_id: int,
    vocabulary_size: int,
) -> NDArray[np.int64]:
    """What the model sees instead of the words that were chosen."""
    action_K = mix(_ACTION, tokens_K) / 2.0**64
    random_K = (mix(_REPLACEMENT, tokens_K) % np.uint64(vocabulary_size)).astype(np.int64)
    kept_K = np.where(action_K < HIDDEN_SHARE + RANDOM_SHARE, random_K, word_ids_K)
    return np.where(action_K < HIDDEN_SHARE, mask_id, kept_K)


def choose_entities(
    lengths_B: NDArray[np.int64], keys_B: NDArray[np.uint64], share: float
) -> NDArray[np.int64]:
    """Indices of the entities to be predicted, ascending."""
    # Another stream than the words of the same sequence: its key is mixed once more.
    return _choose(lengths_B, share, _name_tokens(mix(1, keys_B), lengths_B))


def _name_tokens(keys_B: NDArray[np.uint64], lengths_B: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A random 64-bit name of each token, from its sequence's key and its place there."""
    of_place = mix(0, np.arange(lengths_B.max(initial=0)))
    tokens_T = np.repeat(keys_B, lengths_B)
    tokens_T ^= np.concatenate([of_place[:0], *(of_place[:n] for n in lengths_B.tolist())])
    return tokens_T


def _choose(
    lengths_B: NDArray[np.int64], share: float, tokens_T: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Of each sequence the tokens with the smallest random numbers; none where there are none."""
    wanted_B = np.where(lengths_B > 0, np.maximum(1, np.rint(share * lengths_B)), 0).astype(
        np.int64
    )
    ends_B = np.cumsum(lengths_B)
    bits_T = mix(_CHOICE, tokens_T) >> np.uint64(64 - _RANDOM_BITS)
    # Sorting costs most, so only tokens below a limit are sorted that nearly always lets enough in.
    sizes_B = np.maximum(lengths_B, 1)
    share_B = wanted_B / sizes_B
    share_B += _MARGIN * np.sqrt(share_B * (1 - share_B) / sizes_B) + _MARGIN / sizes_B
    found_C, counts_B = _below(bits_T, share_B, lengths_B, ends_B)
    if (counts_B < wanted_B).any():
        found_C, counts_B = _below(bits_T, np.ones(len(lengths_B)), lengths_B, ends_B)
    # Sequence above, random bits below: sorted, every sequence's numbers stand in its own place,
    # and the chosen are those up to its wanted-th. numpy sorts much faster than it argsorts.
    sequences_B = np.arange(len(lengths_B), dtype=np.uint64) << np.uint64(_RANDOM_BITS)
    bits_C = bits_T[found_C] | np.repeat(sequences_B, counts_B)
    last_B = np.cumsum(counts_B) - counts_B + wanted_B - 1
    filled_B = lengths_B > 0
    limits_B = np.zeros(len(lengths_B), dtype=np.uint64)
    limits_B[filled_B] = np.sort(bits_C)[last_B[filled_B]]
    return found_C[bits_C <= np.repeat(limits_B, counts_B)]


def _below(
    bits_T: NDArray[np.uint64],
    share_B: NDArray[np.float64],
    lengths_B: NDArray[np.int64],
    ends_B: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tokens among their sequence's share of the smallest numbers, and how many of each."""
    limits_B = (np.minimum(share_B, 1.0) * 2.0**_RANDOM_BITS).astype(np.uint64)
    found = np.flatnonzero(bits_T < np.repeat(limits_B, lengths_B))
    counts_B = np.searchsorted(found, ends_B)
    counts_B[1:] -= counts_B[:-1].copy()
    return found, counts_B
