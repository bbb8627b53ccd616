"""Choose and hide words and entities to be predicted, for a whole batch at once.

Of n words max(1, round(0.15 n)) are chosen; 80 % become the mask token, 10 % a random word, 10 %
stay. Of n entities max(1, round(0.15 n)) are chosen and always become ``[MASK]`` (mLUKE, section
2, and the authors' batch generator). Words under a masked entity are not hidden on purpose.

The choice depends on each sequence's own key, so it is the same in whatever batch it stands.

Shapes: T words of all sequences, B sequences, K chosen.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mluke_core.pretraining.hashing import mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

HIDDEN_SHARE = 0.8
RANDOM_SHARE = 0.1
_HIDDEN_BELOW = np.uint64(HIDDEN_SHARE * 2**64)
_REPLACED_BELOW = np.uint64((HIDDEN_SHARE + RANDOM_SHARE) * 2**64)

# Of a 64-bit number; the rest numbers the sequences of a batch.
_RANDOM_BITS = 44
# One stream of random numbers for each question asked of the same token.
_CHOICE, _ACTION, _REPLACEMENT = 0x51, 0x52, 0x53
# Standard deviations beyond the expected number of tokens, so that enough are looked at.
_MARGIN = 5
# Sequences whose candidates are sorted at once.
_SORTED = 4


class Chosen(NamedTuple):
    """What is to be predicted: indices of words and entities, ascending."""

    words_K: NDArray[np.int64]
    names_K: NDArray[np.uint64]
    """Random names of these words."""
    words_of_B: NDArray[np.int64]
    """How many words of each sequence."""
    entities: NDArray[np.int64]


def choose(
    words_B: NDArray[np.int64],
    entities_B: NDArray[np.int64],
    keys_B: NDArray[np.uint64],
    word_share: float,
    entity_share: float,
) -> Chosen:
    """Choose among the words and the entities of sequences of these lengths."""
    # Entities count as sequences of their own, with another key, so that all are chosen at once.
    lengths_B = np.concatenate([words_B, entities_B])
    shares_B = np.full(len(lengths_B), entity_share)
    shares_B[: len(words_B)] = word_share
    names_T = _name_tokens(np.concatenate([keys_B, mix(1, keys_B)]), lengths_B)
    wanted_B = np.maximum(1, np.rint(shares_B * lengths_B)).astype(np.int64)
    wanted_B[lengths_B == 0] = 0
    chosen = _choose(lengths_B, wanted_B, names_T)
    words_of_B = wanted_B[: len(words_B)]
    count = words_of_B.sum()
    words_K, entities = chosen[:count], chosen[count:] - words_B.sum()
    return Chosen(words_K, names_T[words_K], words_of_B, entities)


def hide_words(
    word_ids_K: NDArray[np.int64],
    names_K: NDArray[np.uint64],
    mask_id: int,
    vocabulary_size: int,
) -> NDArray[np.int64]:
    """What the model sees instead of the words that were chosen."""
    action_K = mix(_ACTION, names_K)
    hidden_K = action_K < _HIDDEN_BELOW
    seen_K = np.where(hidden_K, mask_id, word_ids_K)
    replaced = np.flatnonzero((action_K < _REPLACED_BELOW) & ~hidden_K)
    seen_K[replaced] = mix(_REPLACEMENT, names_K[replaced]) % np.uint64(vocabulary_size)
    return seen_K


@lru_cache(maxsize=1)
def _name_places(count: int) -> NDArray[np.uint64]:
    return mix(0, np.arange(count))


def _name_tokens(keys_B: NDArray[np.uint64], lengths_B: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A random 64-bit name of each token, from its sequence's key and its place there."""
    # A power of two, so that the next batch finds the numbers of this one.
    of_place = _name_places(1 << int(lengths_B.max(initial=0)).bit_length())
    tokens_T = np.repeat(keys_B, lengths_B)
    tokens_T ^= np.concatenate([of_place[:0], *(of_place[:n] for n in lengths_B.tolist())])
    return tokens_T


def _choose(
    lengths_B: NDArray[np.int64], wanted_B: NDArray[np.int64], names_T: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Of each sequence the wanted number of tokens, those with the smallest random numbers."""
    ends_B = np.cumsum(lengths_B)
    bits_T = mix(_CHOICE, names_T) >> np.uint64(64 - _RANDOM_BITS)
    # Sorting costs most, so only tokens below a limit are sorted that nearly always lets enough in.
    sizes_B = np.maximum(lengths_B, 1)
    share_B = wanted_B / sizes_B
    share_B += _MARGIN * np.sqrt(share_B * (1 - share_B) / sizes_B) + _MARGIN / sizes_B
    found_C, counts_B = _below(bits_T, share_B, lengths_B, ends_B)
    if (counts_B < wanted_B).any():
        found_C, counts_B = _below(bits_T, np.ones(len(lengths_B)), lengths_B, ends_B)
    # Sequence above, random bits below: sorted, every sequence's numbers stand in its own place,
    # and the chosen are those up to its wanted-th. numpy sorts much faster than it argsorts, and
    # some hundred numbers faster than thousands.
    sequences_B = np.arange(len(lengths_B), dtype=np.uint64) << np.uint64(_RANDOM_BITS)
    bits_C = bits_T[found_C] | np.repeat(sequences_B, counts_B)
    stops_B = np.cumsum(counts_B)
    sorted_C = bits_C.copy()
    for first, stop in pairwise([0, *stops_B[_SORTED - 1 :: _SORTED].tolist(), len(bits_C)]):
        sorted_C[first:stop].sort()
    last_B = stops_B - counts_B + wanted_B - 1
    filled_B = lengths_B > 0
    limits_B = np.zeros(len(lengths_B), dtype=np.uint64)
    limits_B[filled_B] = sorted_C[last_B[filled_B]]
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
